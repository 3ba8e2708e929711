//! The signs of life that the host judges this sandbox by.

use std::time::Duration;

use anchorhold_sessiondb::progress::Beats;

use crate::report;

/// Shows that something happened, and for how long it may be quiet now.
///
/// A beat that can't be written is logged and lost: the next one may do, and a sandbox whose
/// beats stay away is restarted by the host, which is what a full or broken disk calls for.
pub fn beat(beats: &Beats, declared: Option<Duration>) {
    if let Err(error) = beats.beat(declared) {
        tracing::warn!(error = %report(&error), "progress not shown");
    }
}
