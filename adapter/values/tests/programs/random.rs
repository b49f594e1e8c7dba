//! Random values of many types, printed as `values.rs` does. The numbers are the same in each run.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet, LinkedList, VecDeque};
use std::fmt::Debug;
use std::io::Read;
use std::num::NonZeroU16;
use std::time::Duration;

#[inline(never)]
fn show<T>(value: &T, name: &str, expected: &str) {
    println!("{:#x}\t{:p}\t{}\t{}", show::<T> as *const () as usize, value, name, expected);
}

/// A source of numbers (xorshift).
struct Numbers(u64);

impl Numbers {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    fn below(&mut self, bound: u64) -> u64 {
        self.next() % bound
    }
}

trait Random {
    fn random(numbers: &mut Numbers) -> Self;
}

macro_rules! integers {
    ($($type:ty)*) => { $(impl Random for $type {
        fn random(numbers: &mut Numbers) -> Self {
            // Small numbers, extremes and anything.
            match numbers.below(4) {
                0 => Self::MIN,
                1 => Self::MAX,
                2 => numbers.below(9) as Self,
                _ => numbers.next() as Self,
            }
        }
    })* };
}
integers!(u8 i8 u16 i16 u32 i32 u64 i64 u128 i128 usize isize);

impl Random for bool {
    fn random(numbers: &mut Numbers) -> Self {
        numbers.below(2) == 0
    }
}
impl Random for char {
    fn random(numbers: &mut Numbers) -> Self {
        ['a', '\n', '"', '\'', '\\', 'é', '…', '\u{1f980}', '\0', '\u{200b}'][numbers.below(10) as usize]
    }
}
impl Random for f64 {
    fn random(numbers: &mut Numbers) -> Self {
        f64::from_bits(numbers.next())
    }
}
impl Random for f32 {
    fn random(numbers: &mut Numbers) -> Self {
        f32::from_bits(numbers.next() as u32)
    }
}
impl Random for () {
    fn random(_: &mut Numbers) -> Self {}
}
impl Random for String {
    fn random(numbers: &mut Numbers) -> Self {
        (0..numbers.below(5)).map(|_| char::random(numbers)).collect()
    }
}
impl Random for Duration {
    fn random(numbers: &mut Numbers) -> Self {
        Duration::new(numbers.below(5), numbers.below(1_000_000_000) as u32)
    }
}
impl Random for NonZeroU16 {
    fn random(numbers: &mut Numbers) -> Self {
        NonZeroU16::MIN.saturating_add(u16::random(numbers))
    }
}
impl<T: Random> Random for Option<T> {
    fn random(numbers: &mut Numbers) -> Self {
        bool::random(numbers).then(|| T::random(numbers))
    }
}
impl<T: Random, E: Random> Random for Result<T, E> {
    fn random(numbers: &mut Numbers) -> Self {
        if bool::random(numbers) { Ok(T::random(numbers)) } else { Err(E::random(numbers)) }
    }
}
impl<T: Random> Random for Box<T> {
    fn random(numbers: &mut Numbers) -> Self {
        Box::new(T::random(numbers))
    }
}
impl<A: Random, B: Random> Random for (A, B) {
    fn random(numbers: &mut Numbers) -> Self {
        (A::random(numbers), B::random(numbers))
    }
}
impl<T: Random> Random for [T; 2] {
    fn random(numbers: &mut Numbers) -> Self {
        [T::random(numbers), T::random(numbers)]
    }
}

macro_rules! collections {
    ($($type:ident $(: $bound:path)*;)*) => { $(impl<T: Random $(+ $bound)*> Random for $type<T> {
        fn random(numbers: &mut Numbers) -> Self {
            (0..numbers.below(4)).map(|_| T::random(numbers)).collect()
        }
    })* };
}
collections! { Vec; VecDeque; LinkedList; BTreeSet: Ord; HashSet: Eq: std::hash::Hash; }

impl<K: Random + Ord, V: Random> Random for BTreeMap<K, V> {
    fn random(numbers: &mut Numbers) -> Self {
        (0..numbers.below(40)).map(|_| (K::random(numbers), V::random(numbers))).collect()
    }
}
impl<K: Random + Eq + std::hash::Hash, V: Random> Random for HashMap<K, V> {
    fn random(numbers: &mut Numbers) -> Self {
        (0..numbers.below(4)).map(|_| (K::random(numbers), V::random(numbers))).collect()
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
enum Several<T> {
    Nothing,
    One(T),
    Named { first: T, flag: bool },
    Deep(Box<Several<T>>),
}
impl<T: Random> Random for Several<T> {
    fn random(numbers: &mut Numbers) -> Self {
        match numbers.below(4) {
            0 => Self::Nothing,
            1 => Self::One(T::random(numbers)),
            2 => Self::Named { first: T::random(numbers), flag: bool::random(numbers) },
            _ => Self::Deep(Box::new(Self::random(numbers))),
        }
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
struct Generic<A, B> {
    small: u8,
    first: A,
    second: B,
}
impl<A: Random, B: Random> Random for Generic<A, B> {
    fn random(numbers: &mut Numbers) -> Self {
        Self { small: u8::random(numbers), first: A::random(numbers), second: B::random(numbers) }
    }
}

fn some<T: Random + Debug + 'static>(numbers: &mut Numbers) {
    for _ in 0..12 {
        let value: &'static T = Box::leak(Box::new(T::random(numbers)));
        show(value, std::any::type_name::<T>(), &format!("{value:?}"));
    }
}

macro_rules! all {
    ($numbers:ident: $($type:ty;)*) => { $(some::<$type>($numbers);)* };
}

fn main() {
    let numbers = &mut Numbers(0x2545_f491_4f6c_dd1d);
    all! { numbers:
        u8; i8; u16; i16; u32; i32; u64; i64; u128; i128; usize; isize; bool; char; f32; f64; (); String; Duration;
        Option<u8>; Option<bool>; Option<char>; Option<NonZeroU16>; Option<Option<bool>>; Option<Option<Option<char>>>;
        Option<Box<u8>>; Option<Option<Box<u8>>>; Option<String>; Option<Option<Vec<u8>>>; Option<()>; Option<(u8, bool)>;
        Option<(u64, bool)>; Option<u128>; Option<Duration>; Result<u8, String>; Result<(), bool>; Result<Option<String>, Duration>;
        Result<Result<u8, bool>, char>; (u8, Option<u16>); (Option<u64>, (bool, i8)); [Option<bool>; 2]; [(u8, u32); 2];
        Vec<u8>; Vec<Option<bool>>; Vec<(u8, String)>; Vec<Vec<u16>>; VecDeque<i32>; LinkedList<u64>; LinkedList<String>;
        BTreeSet<u8>; BTreeSet<(bool, String)>; HashSet<u16>; HashSet<String>; BTreeMap<u8, bool>; BTreeMap<u32, Option<u8>>;
        HashMap<u8, String>; HashMap<String, Vec<u8>>; Several<u8>; Several<String>; Several<Option<bool>>; Several<Several<bool>>;
        Several<()>; Several<Vec<u8>>; Option<Several<u8>>; Option<Option<Several<String>>>; Generic<u8, u64>; Generic<Option<u8>, String>;
        Generic<(), Several<bool>>; Generic<Generic<bool, char>, [u16; 2]>; Result<Generic<u8, u8>, Several<char>>; Vec<Several<u32>>;
    }
    println!("ready");
    let _ = std::io::stdin().read(&mut [0]);
}
