//! What can be administered, and how it is asked for and answered.
//!
//! **For**: one catalog of resources, verbs and fields ([`catalog`]), from which come the command
//! line ([`cli`]), the host's check of each request ([`request`]), the rules for agents
//! ([`scope`]), and what people and programs see of an answer ([`render`]). The host's program uses
//! it, and so does the program in the sandbox ([`client`]), so that both know the same commands.
//!
//! **Deliberately not**: carrying a request out, transporting it, deciding about approvals, or
//! printing.
//!
//! **Must stay true**: a request that passed the check has only fields of the catalog, each in its
//! one spelling and within its limits, whoever wrote it. What an agent may ask for names its own
//! group in the request itself, unless its scope is global.
//!
//! **Start at** [`catalog`], then [`request::Request::check`] and [`scope::agent_scope`].
#![warn(missing_docs)]

pub mod catalog;
pub mod cli;
pub mod client;
pub mod render;
pub mod request;
pub mod scope;

// Part of `cli::completions`' signature.
pub use clap_complete::Shell;

#[cfg(test)]
mod tests;
