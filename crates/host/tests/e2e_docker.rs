//! The whole program with agents behind a container engine.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "helpers of tests fail by panicking"
)]

#[path = "e2e/suite.rs"]
mod e2e;
#[path = "e2e/engine.rs"]
mod engine;

all_cases!(e2e::wall::Wall::named("docker"));

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_engine_that_goes_away_is_told_and_waited_for() {
    let wall = e2e::wall::Wall::named("docker");
    Box::pin(engine::an_engine_that_goes_away_is_told_and_waited_for(
        wall,
    ))
    .await;
}
