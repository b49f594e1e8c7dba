fn main() {
    let loaf: u32 = "charcoal"; // BP: refused
    println!("{loaf}");
}
