//! The wiring of Anchorhold: one process that takes messages in, gets agents to answer, and
//! delivers the answers.
//!
//! **For**: the stages of the data path, each a file, and the object graph that connects them.
//!
//! **Deliberately not**: decisions (core), what a platform needs (channel crates), how a sandbox is
//! made (runner), what the files look like (sessiondb, store).
//!
//! **Must stay true**: stages talk through durable rows; what passes in memory is a wake-up that
//! may be lost. A message is acknowledged only when it is durable, delivered only when an adapter
//! said so, and whatever fails for one session fails for it alone. Whatever changes who hears whom,
//! who may what and how agents run is an act that the guard has judged, carried out in [`acts`].
//!
//! **Start at** [`app`], then along the path: [`ingest`], [`wake`], [`sandboxes`], [`watch`],
//! [`pull`], [`deliver`]; [`settle`] for what happens when a sandbox dies, [`ends`] for what could
//! not be delivered, [`tasks`] for what runs at times, [`sweep`] for what moves everything forward when nothing else does,
//! [`retention`] for what is forgotten. Beside the path: [`commands`], [`pairing`],
//! [`approvals`] and [`admin`]; [`broker`] is what sandboxes reach the outside through.

pub mod agents;
pub mod app;

pub mod broker;
pub mod deliver;
pub mod ends;
pub mod feed;
pub mod ingest;
pub mod journal;
pub mod liveness;
pub mod pull;
pub mod retention;
pub mod sandboxes;
pub mod settle;
pub mod sweep;
pub mod tasks;
pub mod typing;
pub mod wake;
pub mod wall;
pub mod watch;

pub mod acts;
pub mod admin;
pub mod approvals;
pub mod commands;
pub mod owners;
pub mod pairing;
pub mod reach;
pub mod sessions;
pub mod trace;

pub mod channels;
pub mod live;
pub mod models;
pub mod notice;
pub mod registry;
pub mod supervise;

pub mod cli;
pub mod config;
pub mod control;
pub mod outcomes;
pub mod output;
pub mod settings;

pub mod backup;
pub mod base;
pub mod blocking;
pub mod dirs;
pub mod lock;
pub mod report;

#[cfg(test)]
mod tests;
