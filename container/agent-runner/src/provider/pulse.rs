//! The signs of life of a program that runs its own tools.

use std::time::Duration;

use tokio::time::Instant;

use crate::{provider::TurnIo, way_out::SILENCE};

/// How long a tool may run without a word: longer than these programs let one.
pub(super) const TOOL_TIME: Duration = Duration::from_mins(12);
/// Signs of life are no more frequent than this.
const EVERY: Duration = Duration::from_secs(1);

/// When it was last shown that the program lives.
pub(super) struct Pulse(Instant);

impl Pulse {
    /// It is about to be told something.
    pub(super) fn begin() -> Self {
        Self(Instant::now())
    }

    /// Shows that the program lives, and for how long it may be quiet now: once a tool was run, another
    /// may still run, or be called without a word.
    pub(super) fn beat(&mut self, io: &TurnIo, has_acted: bool) {
        if self.0.elapsed() < EVERY {
            return;
        }
        self.0 = Instant::now();
        io.progress(Some(if has_acted { TOOL_TIME } else { SILENCE }));
    }
}
