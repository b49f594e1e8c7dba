//! A program with a Tokio of its own that loads a library with another one. Says "ready" when all tasks of both wait, ends
//! when its standard input does.

#[path = "../../settle.rs"]
mod settle;

use std::ffi::CString;
use std::io::Read as _;
use std::os::unix::ffi::OsStrExt as _;
use std::sync::Arc;

use tokio::sync::{Notify, Semaphore};

fn main() {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).thread_name("outer").build();
    let runtime = runtime.expect("a runtime");
    let waiting = Arc::new(Semaphore::new(0));
    for number in 0..2 {
        runtime.spawn(of_program(number, Arc::clone(&waiting)));
    }
    runtime.block_on(async {
        let _all = waiting.acquire_many(2).await;
    });
    start_library();
    settle::settle();
    println!("ready"); // BP: ready
    let mut rest = Vec::new();
    let _ = std::io::stdin().read_to_end(&mut rest);
}

fn start_library() {
    let library = std::env::current_exe().expect("a program").with_file_name("libtwo_copies.so");
    let path = CString::new(library.as_os_str().as_bytes()).expect("a path without NUL");
    // SAFETY: the library has no initialisers of its own, and the function has this signature.
    unsafe {
        let library = libc::dlopen(path.as_ptr(), libc::RTLD_NOW);
        assert!(!library.is_null(), "the library was loaded");
        let symbol = libc::dlsym(library, c"start".as_ptr());
        assert!(!symbol.is_null(), "the library has the function");
        let start: extern "C" fn() = std::mem::transmute(symbol);
        start();
    }
}

async fn of_program(number: u32, waiting: Arc<Semaphore>) {
    waiting.add_permits(1);
    Notify::new().notified().await; // BP: of_program
    println!("{number}");
}
