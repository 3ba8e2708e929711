//! The simulator: the proof that nothing is lost and nothing is said twice.
//!
//! **For**: running the host's real stages, real SQLite files and the real turn loop in one
//! process, in virtual time, under faults that are drawn from a seed, and judging what people saw.
//! `docs/simulation.md` says how to use it and how to read what it finds.
//!
//! **Deliberately not**: a model of any stage. What is imitated is only what is outside of them: the
//! chat platform, the engine, the agent's mind, the disk under SQLite, and time.
//!
//! **Must stay true**:
//! 1. The same seed is the same run. One thing happens after the other: what runs beside the host's
//!    own thread goes on only while that one rests, and everybody else only while the host does.
//! 2. What others can see is a numbered step: a write, a sync, a send, a start. Who is dead takes
//!    none, and the end of a process leaves its files as they are.
//! 3. After a time of faults comes calm, in which everything has to come to its end.
//! 4. Nothing that is shipped depends on this crate.
//!
//! **Start at** [`run`], then [`plan`] (what goes wrong), [`world`] (steps and lives), [`vfs`] and
//! [`disk`] (SQLite's files), [`host`], [`engine`], [`platform`]; `judge.rs` for what must hold.
#![warn(missing_docs)]

pub mod disk;
pub mod engine;
pub mod fate;
pub mod host;
mod judge;
pub mod pace;
pub mod plan;
pub mod platform;
pub mod random;
pub mod run;
pub mod sabotage;
pub mod script;
pub mod time;
pub mod vfs;
pub mod world;
