//! The signs of life that the host judges this sandbox by.

use std::{
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};

use anchorhold_core::sandbox::Generation;
use anchorhold_sessiondb::progress::{self, Progress};
use camino::Utf8PathBuf;

use crate::report;

/// Writes the progress file.
#[derive(Debug)]
pub struct Beats {
    out_dir: Utf8PathBuf,
    generation: Generation,
    count: AtomicU64,
}

impl Beats {
    /// Nothing is written yet.
    pub fn new(out_dir: Utf8PathBuf, generation: Generation) -> Self {
        Self {
            out_dir,
            generation,
            count: AtomicU64::new(0),
        }
    }

    /// Shows that something happened, and for how long it may be quiet now.
    ///
    /// A beat that can't be written is logged and lost: the next one may do, and a sandbox whose
    /// beats stay away is restarted by the host, which is what a full or broken disk calls for.
    pub fn beat(&self, declared: Option<Duration>) {
        let beat = self.count.fetch_add(1, Ordering::Relaxed) + 1;
        let progress = Progress {
            generation: self.generation,
            beat,
            declared_ms: declared.map(|span| u64::try_from(span.as_millis()).unwrap_or(u64::MAX)),
        };
        if let Err(error) = progress::write(&self.out_dir, &progress) {
            tracing::warn!(beat, error = %report(&error), "progress not shown");
        }
    }
}
