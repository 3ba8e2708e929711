//! SQLite's files go through here: each change of one is a numbered step, where its process can
//! die, where the disk can fail, and which the disk remembers for a loss of power.
//!
//! What stands in for SQLite's own file layer passes everything on to it; only what belongs to a
//! simulation, by its path, is looked at.

mod shim;

use std::{
    cell::RefCell,
    os::unix::fs::MetadataExt,
    sync::{Arc, Mutex, MutexGuard, PoisonError, Weak},
};

use rusqlite::ffi;

use crate::{
    plan::StormKind,
    world::{Life, World},
};

/// The simulations that run, each with the folder that all its files are in.
///
/// SQLite knows file layers of the process, not of a connection's maker, so this is the one thing
/// here that is reached for rather than handed down.
static WORLDS: Mutex<Vec<(String, Weak<World>)>> = Mutex::new(Vec::new());

/// For whom the present thread works.
#[derive(Clone, Debug)]
pub enum Role {
    /// For a host, beside its own thread.
    Beside,
    /// For a host, as its own thread.
    Host,
    /// For the inhabitant of a sandbox.
    Sandbox(Arc<Life>),
    /// For nobody: the simulator looks itself.
    Judge,
}

thread_local! {
    static ROLE: RefCell<Role> = const { RefCell::new(Role::Beside) };
}

/// Does `work` in a role.
pub fn as_role<T>(role: Role, work: impl FnOnce() -> T) -> T {
    let before = ROLE.with(|now| now.replace(role));
    let done = work();
    ROLE.with(|now| now.replace(before));
    done
}

/// Lets SQLite's files below the world's folder be its files from here on.
pub fn watch(world: &Arc<World>) {
    shim::install();
    let mut worlds = worlds();
    worlds.retain(|(_, world)| world.strong_count() > 0);
    worlds.push((format!("{}/", world.dir), Arc::downgrade(world)));
}

fn worlds() -> MutexGuard<'static, Vec<(String, Weak<World>)>> {
    WORLDS.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Whose file it is.
#[derive(Debug)]
struct Tag {
    world: Arc<World>,
    life: Arc<Life>,
    path: String,
}

/// What is done with a file.
#[derive(Clone, Copy, Debug)]
enum Act {
    Read,
    Write { at: i64, len: usize },
    Truncate { len: i64 },
    Sync,
    Delete,
    Lock,
    LockLog,
}

impl Tag {
    /// Whose file this will be; `None`: nobody's that is simulated.
    fn of(path: &str) -> Option<Self> {
        let found = worlds()
            .iter()
            .find(|(prefix, _)| path.starts_with(prefix.as_str()))
            .map(|(_, world)| Weak::clone(world));
        let world = found?.upgrade()?;
        let role = ROLE.with(|role| role.borrow().clone());
        let life = match role {
            Role::Judge => return None,
            Role::Sandbox(life) => life,
            Role::Host | Role::Beside => world.host()?,
        };
        Some(Self {
            world,
            life,
            path: path.to_owned(),
        })
    }

    /// Tells the disk which file the name stands for: who moves files does not tell SQLite. Journals
    /// are not moved, and a number that was one's may be the next one's.
    fn look_at_name(&self) {
        if !self.path.ends_with("-journal")
            && !self.path.ends_with("-wal")
            && let Ok(found) = std::fs::metadata(&self.path)
        {
            self.world.disk().opened(&self.path, found.ino());
        }
    }

    /// Is it a file whose syncs come to nothing?
    fn is_never_durable(&self) -> bool {
        self.world.sabotage.forgets_log() && self.short() == "data/anchorhold.db-wal"
    }

    /// The path from the world's folder on, for the record; ids of sessions are shortened.
    fn short(&self) -> &str {
        let from = self.world.dir.as_str().len() + 1;
        self.path.get(from..).unwrap_or(&self.path)
    }

    /// May it be done? Else SQLite's code for why not.
    fn judge(&self, act: Act) -> Result<(), i32> {
        let seen = !matches!(act, Act::Read | Act::Lock | Act::LockLog);
        // Not always the thread that opened it: who uses a connection last closes it.
        if seen && ROLE.with(|role| matches!(*role.borrow(), Role::Beside)) {
            self.world.wait_parked(&self.life);
        }
        let dead = Err(ffi::SQLITE_IOERR);
        if self.life.is_dead() {
            return dead;
        }
        let name = self.short();
        let stepped = match act {
            Act::Read | Act::Lock | Act::LockLog => Ok(()),
            Act::Write { at, len } => self
                .world
                .step(&self.life, format_args!("write {name} {at}+{len}")),
            Act::Truncate { len } => self
                .world
                .step(&self.life, format_args!("truncate {name} {len}")),
            Act::Sync => self.world.step(&self.life, format_args!("sync {name}")),
            Act::Delete => self.world.step(&self.life, format_args!("delete {name}")),
        };
        if stepped.is_err() {
            return dead;
        }
        self.weather(act)
    }

    fn weather(&self, act: Act) -> Result<(), i32> {
        let storms = |kind| self.world.storms_at(kind, self.short());
        let (kind, code) = match act {
            Act::Read => return Ok(()),
            Act::Write { .. } if self.world.is_full() || storms(StormKind::Full) => {
                (StormKind::Full, ffi::SQLITE_FULL)
            }
            Act::Write { .. } if storms(StormKind::Io) => (StormKind::Io, ffi::SQLITE_IOERR_WRITE),
            Act::Sync if storms(StormKind::Fsync) => (StormKind::Fsync, ffi::SQLITE_IOERR_FSYNC),
            Act::Lock | Act::LockLog if storms(StormKind::Busy) => {
                (StormKind::Busy, ffi::SQLITE_BUSY)
            }
            Act::Write { .. }
            | Act::Truncate { .. }
            | Act::Sync
            | Act::Delete
            | Act::Lock
            | Act::LockLog => return Ok(()),
        };
        if kind != StormKind::Busy {
            self.world.note(format_args!("  fails: {kind:?}"));
        }
        Err(code)
    }
}
