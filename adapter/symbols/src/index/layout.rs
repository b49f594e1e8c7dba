//! How an index is laid out as bytes, in a file and in memory alike: a header, sorted tables of records of fixed size, and
//! the check sums of both. All numbers are little-endian.
//!
//! ```text
//! 0     magic, format, identity, length of the tables, sum of the sums, place and count of each table, number of the first
//!       unit that another file holds plus one (0: none does), sum of all this
//! 4096  the tables, one after the other, in blocks of 4096 bytes
//! …     a sum (8 bytes) for each block
//! ```

use std::io::{self, Seek, SeekFrom, Write};
use std::marker::PhantomData;
use std::ops::Range;

use super::blocks::{BLOCK_LENGTH, BlockWriter, Blocks, Damaged, Source, sum};
use super::identity::Identity;
use super::interned::{Node, NodeId};
use crate::DieOffset;
use crate::units::UnitIndex;

const MAGIC: [u8; 8] = *b"weft\0idx";
/// Changes whenever what is written does.
pub(crate) const FORMAT: u32 = 2;
/// Bytes of the header: three fixed fields, the identity, two lengths, the tables, a unit, its own sum.
const HEADER: usize = 8 + 8 + 16 + 16 + TABLES * 16 + 8 + 8;
const TABLES: usize = 8;
/// The tables' blocks begin here.
const BODY: u64 = BLOCK_LENGTH;
/// Longest name that is read of the index itself.
const MOST_NAME: u64 = 64 * 1024;

/// Something of a fixed size in a table.
pub(crate) trait Record: Sized {
    /// Its bytes.
    type Bytes: AsRef<[u8]> + AsMut<[u8]> + Default;
    fn encode(&self) -> Self::Bytes;
    fn decode(fields: Fields<'_>) -> Self;
}

/// Takes a record apart. What is missing reads as 0, which does not happen: records are read whole.
pub(crate) struct Fields<'a>(&'a [u8]);

impl Fields<'_> {
    fn take<const N: usize>(&mut self) -> [u8; N] {
        let Some((first, rest)) = self.0.split_first_chunk() else { return [0; N] };
        self.0 = rest;
        *first
    }

    fn u32(&mut self) -> u32 {
        u32::from_le_bytes(self.take())
    }

    fn u64(&mut self) -> u64 {
        u64::from_le_bytes(self.take())
    }

    fn die(&mut self) -> DieOffset {
        DieOffset(usize::try_from(self.u64()).unwrap_or(usize::MAX))
    }
}

/// A DIE's place as it is written.
fn place(die: DieOffset) -> [u8; 8] {
    (die.0 as u64).to_le_bytes()
}

/// Puts the fields of a record one after the other.
fn join<B: AsMut<[u8]> + Default>(fields: &[&[u8]]) -> B {
    let mut bytes = B::default();
    let all = fields.iter().flat_map(|field| field.iter());
    bytes.as_mut().iter_mut().zip(all).for_each(|(to, from)| *to = *from);
    bytes
}

/// One path: its hash without generic arguments, its node, a DIE of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Entry {
    pub(crate) hash: u32,
    pub(crate) die: DieOffset,
    pub(crate) node: NodeId,
}

impl Record for Entry {
    type Bytes = [u8; 16];

    fn encode(&self) -> [u8; 16] {
        join(&[&self.hash.to_le_bytes(), &place(self.die), &self.node.to_le_bytes()])
    }

    fn decode(mut fields: Fields<'_>) -> Self {
        Self { hash: fields.u32(), die: fields.die(), node: fields.u32() }
    }
}

/// A function with code.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Code {
    /// Of its path.
    pub(crate) hash: u32,
    pub(crate) address: u64,
    pub(crate) die: DieOffset,
    pub(crate) node: NodeId,
}

impl Record for Code {
    type Bytes = [u8; 24];

    fn encode(&self) -> [u8; 24] {
        let Self { hash, address, die, node } = self;
        join(&[&hash.to_le_bytes(), &address.to_le_bytes(), &place(*die), &node.to_le_bytes()])
    }

    fn decode(mut fields: Fields<'_>) -> Self {
        Self { hash: fields.u32(), address: fields.u64(), die: fields.die(), node: fields.u32() }
    }
}

/// A function that was inlined somewhere, by the DIE that the copies refer to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Inlined {
    pub(crate) node: NodeId,
    pub(crate) die: DieOffset,
}

impl Record for Inlined {
    type Bytes = [u8; 12];

    fn encode(&self) -> [u8; 12] {
        join(&[&self.node.to_le_bytes(), &place(self.die)])
    }

    fn decode(mut fields: Fields<'_>) -> Self {
        Self { node: fields.u32(), die: fields.die() }
    }
}

/// A path of a function, by the innermost name in it that stands in the source.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Anchor {
    /// Of that name.
    pub(crate) hash: u32,
    pub(crate) node: NodeId,
    /// Of the whole path.
    pub(crate) path: u32,
}

impl Record for Anchor {
    type Bytes = [u8; 12];

    fn encode(&self) -> [u8; 12] {
        join(&[&self.hash.to_le_bytes(), &self.node.to_le_bytes(), &self.path.to_le_bytes()])
    }

    fn decode(mut fields: Fields<'_>) -> Self {
        Self { hash: fields.u32(), node: fields.u32(), path: fields.u32() }
    }
}

impl Record for Node {
    type Bytes = [u8; 8];

    fn encode(&self) -> [u8; 8] {
        join(&[&self.parent.to_le_bytes(), &self.string.to_le_bytes()])
    }

    fn decode(mut fields: Fields<'_>) -> Self {
        Self { parent: fields.u32(), string: fields.u32() }
    }
}

/// Where a string of the index's own ends; it begins where the one before it ends.
impl Record for u64 {
    type Bytes = [u8; 8];

    fn encode(&self) -> [u8; 8] {
        self.to_le_bytes()
    }

    fn decode(mut fields: Fields<'_>) -> Self {
        fields.u64()
    }
}

impl Record for u8 {
    type Bytes = [u8; 1];

    fn encode(&self) -> [u8; 1] {
        [*self]
    }

    fn decode(mut fields: Fields<'_>) -> Self {
        let [byte] = fields.take();
        byte
    }
}

/// Where a table is among the blocks.
#[derive(Debug)]
pub(crate) struct Table<R> {
    start: u64,
    count: u64,
    of: PhantomData<fn() -> R>,
}

impl<R: Record> Table<R> {
    fn size() -> u64 {
        R::Bytes::default().as_ref().len() as u64
    }

    /// How many records it has.
    pub(crate) fn count(&self) -> u64 {
        self.count
    }
}

/// What is written: every list sorted as its records are.
#[derive(Debug)]
pub(crate) struct Lists {
    pub(crate) nodes: Vec<Node>,
    pub(crate) types: Vec<Entry>,
    pub(crate) functions: Vec<Code>,
    pub(crate) inlined: Vec<Inlined>,
    pub(crate) statics: Vec<Entry>,
    pub(crate) anchors: Vec<Anchor>,
    pub(crate) strings: Vec<Box<[u8]>>,
    /// Whether nothing was missing that may be there the next time. Not written: only what is whole is kept.
    pub(crate) is_whole: bool,
    /// The first unit that was read from another file, if there is one.
    pub(crate) split: Option<UnitIndex>,
}

impl Lists {
    /// Writes an index from where `out` stands, which must be its begin.
    pub(crate) fn write<W: Write + Seek>(&self, identity: &Identity, mut out: W) -> io::Result<W> {
        out.seek(SeekFrom::Start(BODY))?;
        let mut body = BlockWriter::new(out);
        let mut places: Vec<[u64; 2]> = Vec::with_capacity(TABLES);
        table(&mut body, &mut places, self.nodes.iter().copied())?;
        table(&mut body, &mut places, self.types.iter().copied())?;
        table(&mut body, &mut places, self.functions.iter().copied())?;
        table(&mut body, &mut places, self.inlined.iter().copied())?;
        table(&mut body, &mut places, self.statics.iter().copied())?;
        table(&mut body, &mut places, self.anchors.iter().copied())?;
        let mut end = 0_u64;
        let ends = self.strings.iter().map(|string| {
            end = end.saturating_add(string.len() as u64);
            end
        });
        table(&mut body, &mut places, ends)?;
        table(&mut body, &mut places, self.strings.iter().flat_map(|string| string.iter().copied()))?;
        let length = body.length();
        let (mut out, sums) = body.finish()?;
        let sums: Vec<u8> = sums.iter().flat_map(|sum| sum.to_le_bytes()).collect();
        out.write_all(&sums)?;
        out.seek(SeekFrom::Start(0))?;
        out.write_all(&header(identity, length, &sums, &places, self.split))?;
        out.flush()?;
        Ok(out)
    }
}

fn table<W: Write, R: Record>(
    body: &mut BlockWriter<W>,
    places: &mut Vec<[u64; 2]>,
    records: impl Iterator<Item = R>,
) -> io::Result<()> {
    let start = body.length();
    let mut count = 0_u64;
    for record in records {
        body.write(record.encode().as_ref())?;
        count = count.saturating_add(1);
    }
    places.push([start, count]);
    Ok(())
}

fn header(identity: &Identity, length: u64, sums: &[u8], places: &[[u64; 2]], split: Option<UnitIndex>) -> Vec<u8> {
    let mut header = Vec::with_capacity(HEADER);
    header.extend_from_slice(&MAGIC);
    header.extend_from_slice(&FORMAT.to_le_bytes());
    header.extend_from_slice(&u32::try_from(places.len()).unwrap_or(u32::MAX).to_le_bytes());
    header.extend_from_slice(&identity.hash.to_le_bytes());
    header.extend_from_slice(&length.to_le_bytes());
    header.extend_from_slice(&sum(sums).to_le_bytes());
    for number in places.iter().flatten() {
        header.extend_from_slice(&number.to_le_bytes());
    }
    let split = split.map_or(0, |unit| (unit as u64).saturating_add(1));
    header.extend_from_slice(&split.to_le_bytes());
    header.extend_from_slice(&sum(&header).to_le_bytes());
    header
}

/// The names of a file, looked up where they are stored.
#[derive(Debug)]
pub(crate) struct Index {
    blocks: Blocks,
    pub(crate) nodes: Table<Node>,
    pub(crate) types: Table<Entry>,
    pub(crate) functions: Table<Code>,
    pub(crate) inlined: Table<Inlined>,
    pub(crate) statics: Table<Entry>,
    pub(crate) anchors: Table<Anchor>,
    string_ends: Table<u64>,
    strings: Table<u8>,
    /// The first unit that was read from another file, if there is one.
    pub(crate) split: Option<UnitIndex>,
}

impl Index {
    /// Opens what [`Lists::write`] wrote for the same program. Reads the header and the sums: nothing of the tables.
    ///
    /// # Errors
    /// Why the bytes are not to be used.
    pub(crate) fn open(source: Source, identity: &Identity) -> Result<Self, &'static str> {
        let mut header = [0; HEADER];
        source.read(0, &mut header).map_err(|_| "it is too short")?;
        let (fields, own_sum) = header.split_at(HEADER.saturating_sub(8));
        if Fields(own_sum).u64() != sum(fields) {
            return Err("its header is damaged");
        }
        let mut fields = Fields(fields);
        if fields.take() != MAGIC || fields.u32() != FORMAT || fields.u32() as usize != TABLES {
            return Err("it has another format");
        }
        if u128::from_le_bytes(fields.take()) != identity.hash {
            return Err("it is of another program");
        }
        let (length, sum_of_sums) = (fields.u64(), fields.u64());
        let sums = read_sums(&source, length).ok_or("it is truncated")?;
        if sum(&sums) != sum_of_sums {
            return Err("its check sums are damaged");
        }
        let mut sums = Fields(&sums);
        let sums = (0..length.div_ceil(BLOCK_LENGTH)).map(|_| sums.u64()).collect();
        let outside = "a table lies outside";
        Ok(Self {
            nodes: table_at(&mut fields, length).ok_or(outside)?,
            types: table_at(&mut fields, length).ok_or(outside)?,
            functions: table_at(&mut fields, length).ok_or(outside)?,
            inlined: table_at(&mut fields, length).ok_or(outside)?,
            statics: table_at(&mut fields, length).ok_or(outside)?,
            anchors: table_at(&mut fields, length).ok_or(outside)?,
            string_ends: table_at(&mut fields, length).ok_or(outside)?,
            strings: table_at(&mut fields, length).ok_or(outside)?,
            split: fields.u64().checked_sub(1).and_then(|unit| UnitIndex::try_from(unit).ok()),
            blocks: Blocks::new(source, BODY, length, sums),
        })
    }

    /// A record by its place. `None` behind the end.
    pub(crate) fn get<R: Record>(&self, table: &Table<R>, at: u64) -> Result<Option<R>, Damaged> {
        if at >= table.count {
            return Ok(None);
        }
        let mut bytes = R::Bytes::default();
        self.blocks.read(table.start.saturating_add(at.saturating_mul(Table::<R>::size())), bytes.as_mut())?;
        Ok(Some(R::decode(Fields(bytes.as_ref()))))
    }

    /// Records from `range`, as far as there are such.
    pub(crate) fn all<R: Record>(
        &self,
        table: &Table<R>,
        range: Range<u64>,
    ) -> impl Iterator<Item = Result<R, Damaged>> {
        (range.start..range.end.min(table.count)).filter_map(move |at| self.get(table, at).transpose())
    }

    /// Where the records are that have a key; the table is sorted by it.
    pub(crate) fn range<R: Record, K: Ord>(
        &self,
        table: &Table<R>,
        key: &K,
        of: impl Fn(&R) -> K,
    ) -> Result<Range<u64>, Damaged> {
        let start = self.partition(table, 0, |record| of(record) < *key)?;
        let end = self.partition(table, start, |record| of(record) <= *key)?;
        Ok(start..end)
    }

    /// The first place from `low` on of which `is_before` is false.
    fn partition<R: Record>(
        &self,
        table: &Table<R>,
        mut low: u64,
        is_before: impl Fn(&R) -> bool,
    ) -> Result<u64, Damaged> {
        let mut high = table.count;
        while low < high {
            let middle = low.midpoint(high);
            match self.get(table, middle)? {
                Some(record) if is_before(&record) => low = middle.saturating_add(1),
                _ => high = middle,
            }
        }
        Ok(low)
    }

    /// A string of the index's own, by its number.
    pub(crate) fn string(&self, number: u32) -> Result<Vec<u8>, Damaged> {
        let number = u64::from(number);
        let start = match number.checked_sub(1) {
            Some(before) => self.get(&self.string_ends, before)?.unwrap_or(0),
            None => 0,
        };
        let end = self.get(&self.string_ends, number)?.unwrap_or(start).min(self.strings.count);
        let length = end.saturating_sub(start).min(MOST_NAME);
        let mut bytes = vec![0; usize::try_from(length).unwrap_or(0)];
        self.blocks.read(self.strings.start.saturating_add(start), &mut bytes)?;
        Ok(bytes)
    }
}

/// Reads the sums of all blocks, if the source has exactly as many bytes as the header says.
fn read_sums(source: &Source, length: u64) -> Option<Vec<u8>> {
    let sums = length.div_ceil(BLOCK_LENGTH).checked_mul(8)?;
    let start = BODY.checked_add(length)?;
    if source.length().ok()? != start.checked_add(sums)? {
        return None;
    }
    let mut bytes = vec![0; usize::try_from(sums).ok()?];
    source.read(start, &mut bytes).ok()?;
    Some(bytes)
}

/// A table's place, if it lies within the blocks.
fn table_at<R: Record>(fields: &mut Fields<'_>, length: u64) -> Option<Table<R>> {
    let (start, count) = (fields.u64(), fields.u64());
    let end = start.checked_add(count.checked_mul(Table::<R>::size())?)?;
    (end <= length).then_some(Table { start, count, of: PhantomData })
}
