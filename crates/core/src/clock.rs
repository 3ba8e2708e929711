//! The two interfaces through which time and randomness come in.
//!
//! Only `main.rs` and `app.rs` of the host (and the agent-runner's `main.rs`) hold the real ones.

use std::time::Instant;

use jiff::Timestamp;

/// Where time comes from.
pub trait Clock: Send + Sync {
    /// Wall time: for records and for people, never to measure a span.
    fn now(&self) -> Timestamp;
    /// Monotonic time: for spans.
    fn mono(&self) -> Instant;
}

/// Where random bytes come from.
pub trait Entropy: Send + Sync {
    /// Ten random bytes, what an id needs.
    fn bytes(&self) -> [u8; 10];
}
