//! How much accumulated context a session keeps: what was said without engaging the agent.
//!
//! The host bounds what waits, the runner what it hands to a turn, by one measure.

use std::time::Duration;

use jiff::Timestamp;

/// The most context messages that wait, and that one turn is given.
pub const CONTEXT_ROWS_LIMIT: usize = 100;
/// The most bytes of them together, as they are stored.
pub const CONTEXT_BYTES_LIMIT: usize = 64 * 1024;
/// Context that the host stored longer ago than this is not given any more.
pub const CONTEXT_AGE_LIMIT: Duration = Duration::from_hours(7 * 24);

/// Room for context. It is asked from the newest message to the oldest, and once it is full it
/// stays full, so that what is kept has no gaps.
#[derive(Debug)]
pub struct Room {
    rows: usize,
    bytes: usize,
    since: Timestamp,
    full: bool,
}

impl Room {
    /// All the room there is at `now`.
    pub fn at(now: Timestamp) -> Self {
        Self {
            rows: CONTEXT_ROWS_LIMIT,
            bytes: CONTEXT_BYTES_LIMIT,
            since: now
                .saturating_sub(CONTEXT_AGE_LIMIT)
                .unwrap_or(Timestamp::MIN),
            full: false,
        }
    }

    /// Is there room for a message with a payload of `bytes`, stored at `created_at`?
    pub fn takes(&mut self, bytes: usize, created_at: Timestamp) -> bool {
        let fits = self.rows > 0 && bytes <= self.bytes && created_at >= self.since;
        self.full |= !fits;
        if self.full {
            return false;
        }
        self.rows -= 1;
        self.bytes -= bytes;
        true
    }
}

#[cfg(test)]
mod tests;
