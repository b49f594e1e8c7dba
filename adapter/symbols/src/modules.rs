//! The files a program consists of, and all conversion of addresses.

use std::ops::Range;
use std::sync::{Arc, OnceLock};

use weft_memory::{Bias, FileAddr, MemAddr, Memory};

use crate::tls::Layout;
use crate::{Image, Static};

/// A file and where it was loaded.
#[derive(Clone, Debug)]
pub struct Module {
    /// The file.
    pub image: Arc<Image>,
    /// How far it was moved.
    pub bias: Bias,
    /// From its first to its last mapped byte.
    pub range: Range<MemAddr>,
}

/// The files a program consists of. Immutable; a new one is made when a library is loaded.
#[derive(Clone, Debug, Default)]
pub struct Modules {
    list: Vec<Module>,
    /// How libraries' thread-local variables are found; once it is known.
    tls: OnceLock<Layout>,
}

impl Modules {
    /// The program first, then its libraries.
    pub fn new(list: Vec<Module>) -> Self {
        Self { list, tls: OnceLock::new() }
    }

    /// All of them, the program first.
    pub fn iter(&self) -> std::slice::Iter<'_, Module> {
        self.list.iter()
    }

    /// The module an address is in.
    pub fn at(&self, address: MemAddr) -> Option<&Module> {
        self.list.iter().find(|module| module.range.contains(&address))
    }

    /// The module of an image.
    pub fn of(&self, image: &Arc<Image>) -> Option<&Module> {
        self.list.iter().find(|module| Arc::ptr_eq(&module.image, image))
    }

    /// An address as its file calls it.
    pub fn to_file(&self, address: MemAddr) -> Option<(&Module, FileAddr)> {
        let module = self.at(address)?;
        Some((module, module.bias.to_file(address)))
    }

    /// Where a thread keeps a thread-local variable of `module`, by the thread's `fs_base`. Variant II of the ELF TLS
    /// ABI: the program's own block ends at the thread pointer; those of libraries are found through what glibc tells
    /// debuggers. `None` with another C library, and for a library whose variables the thread has not used yet.
    pub fn thread_local(
        &self,
        module: &Module,
        variable: &Static,
        fs_base: u64,
        memory: &dyn Memory,
    ) -> Option<MemAddr> {
        if !variable.thread_local {
            return None;
        }
        let tls = module.image.tls()?;
        let is_program = self.list.first().is_some_and(|program| Arc::ptr_eq(&program.image, &module.image));
        if !is_program {
            return self.tls_layout(memory)?.block(module, fs_base, memory)?.checked_add(variable.address.raw());
        }
        let block = fs_base.checked_sub(tls.size.checked_next_multiple_of(tls.align)?)?;
        block.checked_add(variable.address.raw()).map(MemAddr::new)
    }

    fn tls_layout(&self, memory: &dyn Memory) -> Option<&Layout> {
        match self.tls.get() {
            Some(known) => Some(known),
            None => {
                let read = Layout::read(self, memory)?;
                Some(self.tls.get_or_init(|| read))
            }
        }
    }
}

impl<'a> IntoIterator for &'a Modules {
    type Item = &'a Module;
    type IntoIter = std::slice::Iter<'a, Module>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}
