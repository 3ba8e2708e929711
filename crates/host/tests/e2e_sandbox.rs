//! The whole program with agents behind bubblewrap.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "helpers of tests fail by panicking"
)]

#[path = "e2e/suite.rs"]
mod e2e;

all_cases!(e2e::wall::Wall::named("sandbox"));
