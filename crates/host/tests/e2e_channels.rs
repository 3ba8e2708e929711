//! The channels of this build through the whole program: from the platform through the host into a
//! sandbox, and back to the platform. The platforms are fakes that are true to their protocols.
//!
//! The host is that of this build, since it has the channels; `ANCHORHOLD_RUNNER` names the program
//! that runs inside, else it is the one beside the host.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "helpers of tests fail by panicking"
)]

#[cfg(feature = "discord")]
#[path = "e2e_channels/discord.rs"]
mod discord;
#[path = "e2e_channels/harness.rs"]
mod harness;
#[cfg(feature = "matrix")]
#[path = "e2e_channels/matrix.rs"]
mod matrix;
#[cfg(feature = "slack")]
#[path = "e2e_channels/slack.rs"]
mod slack;
#[cfg(feature = "matrix")]
#[expect(dead_code, reason = "the adapter's own tests use more of it")]
#[path = "../../channel-matrix/src/tests/synapse.rs"]
mod synapse;
#[cfg(feature = "telegram")]
#[path = "e2e_channels/telegram.rs"]
mod telegram;
