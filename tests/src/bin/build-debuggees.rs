//! Builds everything that the tests debug, so that no test has to wait for it.

fn main() {
    weft_tests::programs::build_all();
}
