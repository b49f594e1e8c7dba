//! Steps at random through a server that is busy; `cargo xtask soak` takes many more.

use weft_tests::soak;

#[test]
fn steps_at_random_keep_to_their_tasks() {
    let soak = soak::run(100, 6, |_| {});
    assert!(soak.served > 0 && soak.tasks > 1, "{soak:?}");
}
