//! Loads the shared library named by its argument and calls into it.

use std::ffi::CString;

fn main() {
    let path = std::env::args().nth(1).expect("the path of the library");
    let path = CString::new(path).expect("a path without NUL");
    // SAFETY: the library has no initialisers, and the function has this signature.
    let sum = unsafe {
        let library = libc::dlopen(path.as_ptr(), libc::RTLD_NOW);
        assert!(!library.is_null(), "the library was loaded"); // BP: loaded
        let symbol = libc::dlsym(library, c"plugin_add".as_ptr());
        assert!(!symbol.is_null(), "the library has the function");
        let add: extern "C" fn(i32, i32) -> i32 = std::mem::transmute(symbol);
        add(20, 22)
    };
    println!("sum {sum}"); // BP: summed
}
