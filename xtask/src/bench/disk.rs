//! What one fsync costs on the disk that is being measured on, at that time.

use std::{io::Write, path::Path, time::Duration};

use anyhow::{Context, Result};
use serde::Serialize;
use tempfile::NamedTempFile;

use crate::{
    bench::stats::{millis, percentile},
    machine::Stopwatch,
};

/// How much is written before each fsync: a page of a database.
const PAGE: [u8; 4096] = [0x5a; 4096];

/// A file on that disk, and what its fsyncs cost so far.
#[derive(Debug)]
pub(super) struct Disk {
    // Has a name while it lives, as the files of the programs have.
    file: NamedTempFile,
    costs: Vec<Duration>,
}

/// What an fsync cost while a figure was measured.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub(super) struct Fsync {
    /// The middle one.
    pub(super) p50_ms: f64,
    /// The one that 99 of 100 did not exceed.
    pub(super) p99_ms: f64,
    /// How many were made.
    pub(super) samples: usize,
}

impl Disk {
    /// A file in `folder`.
    pub(super) fn new(folder: &Path) -> Result<Self> {
        let file = tempfile::Builder::new()
            .prefix("fsync-")
            .tempfile_in(folder)
            .with_context(|| format!("make a file in {}", folder.display()))?;
        let costs = Vec::new();
        Ok(Self { file, costs })
    }

    /// Adds a page to the file and makes it durable, `times` times.
    pub(super) fn probe(&mut self, times: usize) -> Result<()> {
        for _ in 0..times {
            let watch = Stopwatch::start();
            self.file.write_all(&PAGE).context("write a page")?;
            self.file
                .as_file()
                .sync_all()
                .context("make a page durable")?;
            self.costs.push(watch.elapsed());
        }
        Ok(())
    }

    /// What it cost since this was made.
    pub(super) fn cost(&self) -> Result<Fsync> {
        Ok(Fsync {
            p50_ms: millis(percentile(&self.costs, 50)?),
            p99_ms: millis(percentile(&self.costs, 99)?),
            samples: self.costs.len(),
        })
    }
}
