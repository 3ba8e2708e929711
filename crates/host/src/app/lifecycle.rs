//! What the lifecycle of sandboxes goes by.

use std::time::Duration;

use anchorhold_core::ids::InstallId;
use anchorhold_runner::lifecycle::LifecycleConfig;

use crate::config::Config;

/// How often the lifecycle looks without being told to while somebody waits for a sandbox,
const TICK: Duration = Duration::from_secs(1);
/// and while nobody does.
const REST: Duration = Duration::from_secs(10);

/// The numbers that `config` gives it.
pub(super) fn numbers(config: &Config, install: InstallId) -> LifecycleConfig {
    LifecycleConfig {
        install,
        limit: usize::try_from(config.host.max_sandboxes).unwrap_or(usize::MAX),
        tick: TICK,
        rest: REST,
        stop_grace: config.host.stop_grace,
    }
}
