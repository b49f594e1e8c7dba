//! Where threads keep the thread-local variables of shared libraries: through the dynamic thread vector of glibc.
//!
//! The vector's layout is not an ABI, but glibc exports it for debuggers: `_thread_db_*` describes each member that
//! `libthread_db` reads by three 32-bit words, the bits of an element, the number of elements and the offset in bytes
//! (glibc, nptl_db/structs.def and thread_dbP.h). Nothing is assumed about another C library: there is no answer then.

use weft_memory::{MemAddr, Memory};

use crate::{Module, Modules};

/// Lists of slots, and slots of one list, that are believed.
const MAX_LISTS: usize = 1024;
const MAX_SLOTS: u64 = 1 << 16;
/// `TLS_DTV_UNALLOCATED`: the thread has not used the library's variables yet.
const UNALLOCATED: u64 = u64::MAX;
/// `l_addr` and `l_ld` of `struct link_map` (glibc, elf/link.h, which is public).
const L_ADDR: u64 = 0;
const L_LD: u64 = 16;

/// Where glibc keeps what, in bytes.
#[derive(Clone, Debug)]
pub(crate) struct Layout {
    /// Where the pointer to the first list of slots lies.
    lists: MemAddr,
    list_length: u64,
    list_next: u64,
    list_slots: u64,
    slot_size: u64,
    slot_generation: u64,
    slot_map: u64,
    map_module: u64,
    thread_vector: u64,
    entry_size: u64,
    entry_generation: u64,
    entry_block: u64,
}

impl Layout {
    /// Reads what the program's C library says; `None` if it is none that says it.
    pub(crate) fn read(modules: &Modules, memory: &dyn Memory) -> Option<Self> {
        let libraries = || modules.iter().skip(1);
        let glibc = libraries().find(|module| module.image.symbol("_thread_db_dtv_dtv").is_some())?;
        let words = |name: &str| -> Option<(u64, u64)> {
            let symbol = glibc.image.symbol(&format!("_thread_db_{name}"))?;
            let at = glibc.bias.to_memory(symbol.address);
            let bits = memory.read_u32(at).ok()?;
            let offset = memory.read_u32(at.checked_add(8)?).ok()?;
            Some((u64::from(bits), u64::from(offset)))
        };
        let word = |name: &str| words(name).filter(|(bits, _)| *bits == 64).map(|(_, offset)| offset);
        let elements = |name: &str| words(name).map(|(bits, offset)| (bits >> 3, offset));
        let loader = libraries().find_map(|module| Some((module, module.image.symbol("_rtld_global")?)));
        let (loader, global) = loader?;
        let (slot_size, list_slots) = elements("dtv_slotinfo_list_slotinfo")?;
        let (entry_size, first_entry) = elements("dtv_dtv")?;
        if first_entry != 0 {
            return None;
        }
        let lists = word("rtld_global__dl_tls_dtv_slotinfo_list")?;
        Some(Self {
            lists: loader.bias.to_memory(global.address).checked_add(lists)?,
            list_length: word("dtv_slotinfo_list_len")?,
            list_next: word("dtv_slotinfo_list_next")?,
            list_slots,
            slot_size,
            slot_generation: word("dtv_slotinfo_gen")?,
            slot_map: word("dtv_slotinfo_map")?,
            map_module: word("link_map_l_tls_modid")?,
            thread_vector: word("pthread_dtvp")?,
            entry_size,
            entry_generation: word("dtv_t_counter")?,
            entry_block: word("dtv_t_pointer_val")?,
        })
    }

    /// Where a thread keeps the block of a library's thread-local variables; `None` too if it has not made one yet.
    pub(crate) fn block(&self, module: &Module, fs_base: u64, memory: &dyn Memory) -> Option<MemAddr> {
        let (number, generation) = self.slot(module, memory)?;
        let vector = memory.read_pointer(MemAddr::new(fs_base).checked_add(self.thread_vector)?).ok()?;
        // A thread catches up with libraries that came since only when it uses one of them.
        if memory.read_u64(vector.checked_add(self.entry_generation)?).ok()? < generation {
            return None;
        }
        let entry = vector.checked_add(number.checked_mul(self.entry_size)?)?;
        let block = memory.read_pointer(entry.checked_add(self.entry_block)?).ok()?;
        (block.raw() != UNALLOCATED && block.raw() != 0).then_some(block)
    }

    /// A library's number in the vectors, and the generation since which that is its number.
    fn slot(&self, module: &Module, memory: &dyn Memory) -> Option<(u64, u64)> {
        let read = |at: MemAddr, offset: u64| memory.read_u64(at.checked_add(offset)?).ok();
        let mut list = MemAddr::new(read(self.lists, 0)?);
        let mut first = 0_u64;
        for _ in 0..MAX_LISTS {
            let length = read(list, self.list_length).filter(|length| *length <= MAX_SLOTS)?;
            for index in 0..length {
                let slot = list.checked_add(self.list_slots)?.checked_add(index.checked_mul(self.slot_size)?)?;
                let map = MemAddr::new(read(slot, self.slot_map)?);
                if map.raw() != 0 && is_of(module, map, memory) {
                    let number = first.checked_add(index)?;
                    let agreed = read(map, self.map_module)? == number;
                    return agreed.then_some((number, read(slot, self.slot_generation)?));
                }
            }
            first = first.checked_add(length)?;
            list = MemAddr::new(read(list, self.list_next).filter(|next| *next != 0)?);
        }
        None
    }
}

/// Whether the loader's entry is that of a module: moved as far, with its dynamic section where that is.
fn is_of(module: &Module, map: MemAddr, memory: &dyn Memory) -> bool {
    let read = |offset: u64| memory.read_pointer(map.checked_add(offset)?).ok();
    let dynamic = module.image.dynamic().map(|address| module.bias.to_memory(address));
    let moved = module.bias.to_memory(weft_memory::FileAddr::new(0));
    dynamic.is_some() && read(L_LD) == dynamic && read(L_ADDR) == Some(moved)
}
