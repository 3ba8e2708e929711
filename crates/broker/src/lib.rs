//! The one way out of a sandbox: what an agent asks the world for is judged, relayed and recorded here.
//!
//! A sandbox has no network. What runs inside reaches one Unix socket, and the host's broker answers
//! on it; which socket it is says which session speaks. A request leads to one of four things:
//!
//! - a call of the model that the agent's configuration names, with the key put in here,
//! - a tunnel (`CONNECT`) to a host on the agent's list, resolved and pinned here,
//! - one page of such a host, fetched here,
//! - a refusal that names the rule.
//!
//! It deliberately has no configuration, no database and no idea of agents: a [`Rulebook`] says what
//! a session may do, and takes the [`Record`] of each request.
//!
//! What must stay true: every rule is a pure function (`policy.rs`, `egress.rs`, `body.rs`); no
//! credential goes in, and none that comes from inside goes out; content is neither recorded nor
//! logged; whatever the inside sends, it costs the host a bounded amount of memory and time.
//!
//! Start at [`Broker::serve`], then [`policy::judge`].

pub mod body;
pub mod egress;
pub mod policy;
pub mod record;
pub mod refusal;
pub mod usage;
pub mod ways;

mod answer;
mod connect;
mod fetch;
mod relay;
mod server;
mod tunnel;

use std::error::Error as StdError;

pub use crate::{
    record::{Outcome, Record},
    server::{Broker, Parts, RECORDS_LIMIT, Rulebook},
};

/// An error with all its causes.
fn report(error: &dyn StdError) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text.push_str(": ");
        text.push_str(&cause.to_string());
        source = cause.source();
    }
    text
}

#[cfg(test)]
mod tests;
