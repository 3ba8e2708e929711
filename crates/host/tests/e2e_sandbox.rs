//! The whole program with agents behind bubblewrap.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "helpers of tests fail by panicking"
)]

#[path = "e2e/suite.rs"]
mod e2e;

#[cfg(feature = "real-harnesses")]
#[path = "e2e/harnesses.rs"]
mod harnesses;

all_cases!(e2e::wall::Wall::named("sandbox"));

#[cfg(feature = "real-harnesses")]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn harness_claude_code_answers_through_the_whole_path() {
    let wall = e2e::wall::Wall::named("sandbox");
    Box::pin(harnesses::harness_claude_code_answers_through_the_whole_path(wall)).await;
}
