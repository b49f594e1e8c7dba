//! Large containers, printed as `values.rs` does.

use std::collections::{BTreeMap, HashMap, LinkedList};
use std::io::Read;

#[inline(never)]
fn show<T>(value: &T, name: &str, expected: &str) {
    println!("{:#x}\t{:p}\t{}\t{}", show::<T> as *const () as usize, value, name, expected);
}

fn main() {
    let vector: Vec<u64> = (0..1_000_000).collect();
    let map: HashMap<u32, u32> = (0..100_000).map(|i| (i, i + 1)).collect();
    let tree: BTreeMap<u32, u32> = (0..100_000).map(|i| (i, i + 1)).collect();
    let list: LinkedList<u32> = (0..100_000).collect();
    show(&vector, "vector", "1000000");
    show(&map, "map", "100000");
    show(&tree, "tree", "100000");
    show(&list, "list", "100000");
    println!("ready");
    let _ = std::io::stdin().read(&mut [0]);
}
