//! Where the log goes: compact lines on standard error, which the runtime keeps for the host.

use std::io;

use tracing::level_filters::LevelFilter;

/// Begins to log. Once, from `main.rs`.
pub fn init() {
    tracing_subscriber::fmt()
        .compact()
        .with_ansi(false)
        .with_max_level(LevelFilter::INFO)
        .with_writer(io::stderr)
        .init();
}
