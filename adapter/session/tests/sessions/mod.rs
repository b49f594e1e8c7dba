//! How a test of a session is written.

macro_rules! sessions {
    ($(async fn $name:ident() $body:block)*) => {
        $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)] async fn $name() $body)*
    };
}
