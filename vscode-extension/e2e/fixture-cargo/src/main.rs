//! A folder without a launch.json: a program, its tests, and an example that the compiler refuses.

mod oven;

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let loaves = tokio::spawn(oven::bake(3));
    println!("{} loaves", loaves.await.expect("the oven works"));
}
