//! Names to DIEs: one parallel pass over all units, made when first asked.

use std::sync::Arc;

use weft_memory::FileAddr;

use crate::{DieOffset, Image, Type};

/// A function with code.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FunctionEntry {
    /// Its entry.
    pub address: FileAddr,
    /// Its concrete DIE.
    pub die: DieOffset,
}

/// A static or thread-local variable.
#[derive(Clone, Debug)]
pub struct Static {
    /// The path with namespaces.
    pub path: String,
    /// Its mangled name.
    pub linkage_name: Option<String>,
    /// Its type.
    pub ty: Option<Type>,
    /// Its address, or its offset in the TLS segment.
    pub address: FileAddr,
    /// Whether `address` is an offset in the TLS segment.
    pub thread_local: bool,
}

/// The names of a file.
#[derive(Debug)]
pub struct Index {}

impl Image {
    /// The index, built now if it is not there yet (other callers wait meanwhile).
    pub fn index(self: &Arc<Self>) -> &Index {
        todo!()
    }

    /// Types of exactly this path (`tokio::runtime::task::core::Header`, `tokio::sync::mutex::MutexGuard<u32>`), one
    /// DIE per distinct path.
    pub fn types(self: &Arc<Self>, _path: &str) -> Vec<Type> {
        todo!()
    }

    /// Types of this path whatever their generic arguments (`tokio::runtime::task::core::Cell`).
    pub fn types_of_any_arguments(self: &Arc<Self>, _path: &str) -> Vec<Type> {
        todo!()
    }

    /// Functions with code of this path, whatever their generic arguments (`tokio::runtime::task::raw::poll`).
    pub fn functions(self: &Arc<Self>, _path: &str) -> Vec<FunctionEntry> {
        todo!()
    }

    /// Statics of this path.
    pub fn statics(self: &Arc<Self>, _path: &str) -> Vec<Static> {
        todo!()
    }

    /// The concrete type behind a vtable at this address (`<T as Trait>::{vtable}`, `DW_AT_containing_type`). Needs no
    /// index.
    pub fn vtable_type(self: &Arc<Self>, _vtable: FileAddr) -> Option<Type> {
        todo!()
    }
}
