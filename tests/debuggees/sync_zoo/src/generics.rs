//! A generic function with two instantiations, and one that is never called with a line of its own in two places.

pub(crate) fn all() {
    let small = larger(3_u8, 9);
    let text = larger("apple".to_owned(), "pear".to_owned());
    let again = larger(200_u8, 100);
    println!("{small} {text} {again}"); // BP: done
}

#[inline(never)]
fn larger<T: PartialOrd>(left: T, right: T) -> T {
    let swap = left < right; // BP: generic
    if swap { right } else { left }
}
