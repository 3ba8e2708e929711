//! The vocabulary and the decisions of Anchorhold.
//!
//! **For**: every type that more than one crate speaks about (ids, addresses, messages, entities)
//! and every decision of the data path, each a pure function of its arguments.
//!
//! **Deliberately not**: input, output, a clock, randomness, tokio. Time and random bytes come in
//! as arguments; [`clock`] only names the two interfaces that hand them in.
//!
//! **Must stay true**: the same arguments give the same answer, and no input can panic.
//!
//! **Start at** [`route`] (who hears a message) and [`guard`] (who may change anything), then [`schedule`] (who gets a sandbox next),
//! [`liveness`] (is a sandbox still working), [`retry`] (when to try again) and [`turn_failure`] (what
//! follows when a provider fails).
#![warn(missing_docs)]

pub mod access;
pub mod address;
pub mod clock;
pub mod command;
pub mod context;
pub mod entity;
pub mod guard;
pub mod ids;
pub mod inbound;
pub mod liveness;
pub mod order;
pub mod outage;
pub mod outbound;
pub mod pattern;
pub mod retry;
pub mod route;
pub mod sandbox;
pub mod schedule;
pub mod slug;
pub mod task;
pub mod turn_failure;
pub mod way_out;
