//! The agent-runner's side: what it reads from `inbound.db` and writes into `outbound.db`.

use std::{fs, sync::Arc};

use anchorhold_core::{sandbox::Generation, turn_failure::FailureClass};
use camino::Utf8Path;
use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension, Transaction, TransactionBehavior, params};

use crate::{
    Cursors, Error, Outbound, Seq, Settings,
    envelope::Envelope,
    layout::{INBOUND, Layout, OUTBOX},
    open,
    progress::Beats,
};

/// One session's files, as the runner in the sandbox handles them. Every call blocks on the disk.
#[derive(Debug)]
pub struct RunnerSide {
    pub(crate) layout: Layout,
    pub(crate) generation: Generation,
    pub(crate) outbound: Connection,
    /// Where it is shown what was taken.
    pub(crate) beats: Arc<Beats>,
    /// Everything up to here has ended: it need not be looked at again.
    pub(crate) low_water: i64,
    /// What the agent says comes after this.
    pub(crate) seen: Option<Seen>,
}

/// What was in `inbound.db` when it was last looked at for something to do.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Seen {
    highest: i64,
    floor: Cursors,
}

/// How a message ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Handled {
    /// A turn that saw it ended well.
    Done,
    /// The turn failed, for this reason, which the person is told.
    Failed {
        /// A short sentence.
        why: String,
    },
    /// The runner did not understand it.
    Unknown {
        /// What it does not know.
        kind: String,
    },
    /// A person stopped the turn that had taken it.
    Stopped,
    /// A turn that saw it ended well, after it was begun again without what the provider remembered.
    DoneAfresh,
    /// The provider failed, and will fail again.
    Surfaced(Trouble),
    /// The provider failed, and may not the next time: it is not offered before `until`.
    Later {
        /// How it failed.
        trouble: Trouble,
        /// When it may be tried again.
        until: Timestamp,
        /// How often a provider has failed with it by now.
        failures: u32,
    },
}

/// How a provider failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trouble {
    /// What kind of failure it is. People are told this, in words of the host's own.
    pub class: FailureClass,
    /// What the provider said, for the operator.
    pub detail: String,
}

/// One thing to say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Emit {
    /// The message it answers.
    pub in_reply_to: Option<Seq>,
    /// What to do.
    pub op: Outbound,
    /// Files that go with it; named in the operation by [`RunnerSide::finish`].
    pub files: Vec<OutboxFile>,
    /// The name of the destination that it is for, if not the conversation of what it answers.
    pub to: Option<String>,
}

impl Emit {
    /// The same, without the files.
    #[must_use]
    pub fn without_files(&self) -> Self {
        Self {
            in_reply_to: self.in_reply_to,
            op: self.op.clone(),
            files: Vec::new(),
            to: self.to.clone(),
        }
    }
}

/// A file that goes with a message.
#[derive(Clone, PartialEq, Eq)]
pub struct OutboxFile {
    /// The name to show: one path segment.
    pub name: String,
    /// Its content.
    pub content: Vec<u8>,
}

impl std::fmt::Debug for OutboxFile {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("OutboxFile")
            .field("name", &self.name)
            .field("content_bytes", &self.content.len())
            .finish()
    }
}

/// The end of a turn.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Finish {
    /// Which messages ended, and how.
    pub handled: Vec<(Seq, Handled)>,
    /// What the agent says.
    pub emit: Vec<Emit>,
    /// What the provider wants to remember; `None` forgets a key.
    pub state: Vec<(String, Option<String>)>,
}

impl RunnerSide {
    /// Opens both files, and makes `outbound.db` if it is not there, in the folder and for the
    /// generation that `beats` is of. What an earlier generation was killed in is rolled back here,
    /// inside the wall.
    pub fn open(in_dir: &Utf8Path, beats: &Arc<Beats>) -> Result<Self, Error> {
        let layout = Layout {
            in_dir: in_dir.to_owned(),
            out_dir: beats.out_dir().to_owned(),
        };
        let outbound = open::outbound_rw(&layout.outbound())?;
        Ok(Self {
            layout,
            generation: beats.generation(),
            outbound,
            beats: Arc::clone(beats),
            low_water: 0,
            seen: None,
        })
    }

    /// What the host says about the group.
    pub fn settings(&mut self) -> Result<Settings, Error> {
        self.settings_in(&self.inbound()?)
    }

    pub(crate) fn settings_in(&self, inbound: &Connection) -> Result<Settings, Error> {
        let path = self.layout.in_dir.join(INBOUND);
        let body: String = inbound
            .query_row("SELECT body FROM settings WHERE id = 1", [], |row| {
                row.get(0)
            })
            .map_err(Error::sql(&path, "read the settings"))?;
        serde_json::from_str(&body).map_err(|source| Error::Encode { source })
    }

    /// Takes messages: from here on a death of this sandbox counts as a try of theirs. It is a sign
    /// of life too.
    pub fn claim(&mut self, seqs: &[Seq]) -> Result<(), Error> {
        let path = self.layout.outbound();
        let ends = highest_end(&self.outbound).map_err(Error::sql(&path, "read"))?;
        let floor = match self.seen {
            Some(seen) => seen.floor,
            None => self.see(&self.inbound()?)?.floor,
        };
        self.beats.take(seqs, ends.max(floor.handled))
    }

    /// Ends a turn: what it says and which messages it ended, in one transaction.
    /// Gives the numbers of what it said.
    pub fn finish(&mut self, finish: &Finish, now: Timestamp) -> Result<Vec<Seq>, Error> {
        let path = self.layout.outbound();
        let failed = Error::sql(&path, "finish a turn");
        let Seen {
            highest: highest_in,
            floor,
        } = self.last_seen()?;
        let generation = self.generation.0;
        let outbox = self.layout.out_dir.join(OUTBOX);
        let transaction = self
            .outbound
            .transaction_with_behavior(TransactionBehavior::Immediate)
            .map_err(&failed)?;
        let mut highest = highest_in.max(floor.out);
        let mut said = Vec::with_capacity(finish.emit.len());
        for emit in &finish.emit {
            let row = Said {
                emit,
                awaited: false,
                at: now,
            };
            let seq = row
                .insert(&transaction, &outbox, highest)?
                .map_err(&failed)?;
            highest = seq.get();
            said.push(seq);
        }
        let ended = highest_end(&transaction)
            .map_err(&failed)?
            .max(floor.handled);
        for ((seq, how), number) in finish.handled.iter().zip(ended + 1..) {
            let ended = Ended {
                number,
                generation,
                at: now,
            };
            insert_handled(&transaction, *seq, how, &ended).map_err(&failed)?;
        }
        for (key, value) in &finish.state {
            set_state(&transaction, key, value.as_deref(), now).map_err(&failed)?;
        }
        transaction.commit().map_err(&failed)?;
        self.beats
            .ended(finish.handled.iter().map(|(seq, _how)| *seq));
        Ok(said)
    }

    /// What the provider remembered under `key`.
    pub fn state(&self, key: &str) -> Result<Option<String>, Error> {
        self.outbound
            .query_row("SELECT value FROM state WHERE key = ?1", [key], |row| {
                row.get(0)
            })
            .optional()
            .map_err(Error::sql(&self.layout.outbound(), "read the state"))
    }

    pub(crate) fn inbound(&self) -> Result<Connection, Error> {
        open::inbound_ro(&self.layout.in_dir.join(INBOUND))
    }

    fn last_seen(&self) -> Result<Seen, Error> {
        match self.seen {
            Some(seen) => Ok(seen),
            None => self.see(&self.inbound()?),
        }
    }

    /// What the agent says comes after this number, its own rows aside.
    pub(crate) fn number_floor(&self) -> Result<i64, Error> {
        let seen = self.see(&self.inbound()?)?;
        Ok(seen.highest.max(seen.floor.out))
    }

    pub(crate) fn see(&self, inbound: &Connection) -> Result<Seen, Error> {
        let highest = inbound
            .query_row("SELECT coalesce(max(seq), 0) FROM messages", [], |row| {
                row.get(0)
            })
            .map_err(Error::sql(&self.layout.in_dir.join(INBOUND), "read"))?;
        let floor = self.settings_in(inbound)?.floor;
        Ok(Seen { highest, floor })
    }
}

/// Writes the files of one message into its own folder and names them in the operation.
fn place_files(outbox: &Utf8Path, seq: Seq, emit: &Emit) -> Result<Outbound, Error> {
    let mut op = emit.op.clone();
    let Outbound::Post { files, .. } = &mut op else {
        return Ok(op);
    };
    if emit.files.is_empty() {
        return Ok(op);
    }
    let dir = outbox.join(seq.to_string());
    fs::create_dir_all(&dir).map_err(Error::io(&dir, "make"))?;
    for file in &emit.files {
        let path = dir.join(&file.name);
        fs::write(&path, &file.content).map_err(Error::io(&path, "write"))?;
        files.push(file.name.clone());
    }
    Ok(op)
}

/// One thing that is about to be said.
pub(crate) struct Said<'a> {
    pub(crate) emit: &'a Emit,
    /// Is it waited for what becomes of it?
    pub(crate) awaited: bool,
    pub(crate) at: Timestamp,
}

impl Said<'_> {
    /// Puts its files into the outbox and its row into the file, under the first number above `highest`
    /// and above everything said before. That is found inside the transaction, so that no other writer
    /// can take the same one.
    pub(crate) fn insert(
        &self,
        transaction: &Transaction<'_>,
        outbox: &Utf8Path,
        highest: i64,
    ) -> Result<Result<Seq, rusqlite::Error>, Error> {
        let own = transaction.query_row("SELECT coalesce(max(seq), 0) FROM messages", [], |row| {
            row.get::<_, i64>(0)
        });
        let seq = match own {
            Ok(own) => Seq::agent_after(own.max(highest)),
            Err(failure) => return Ok(Err(failure)),
        };
        let row = Emit {
            op: place_files(outbox, seq, self.emit)?,
            ..self.emit.without_files()
        };
        let encoded = Envelope::of(&row, self.awaited).encode()?;
        let done = transaction.execute(
            "INSERT INTO messages (seq, in_reply_to, kind, version, payload, created_at)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
            params![
                seq.get(),
                row.in_reply_to.map(Seq::get),
                encoded.kind,
                encoded.version,
                encoded.payload,
                self.at.as_millisecond()
            ],
        );
        Ok(done.map(|_rows| seq))
    }
}

fn highest_end(outbound: &Connection) -> Result<i64, rusqlite::Error> {
    outbound.query_row("SELECT coalesce(max(number), 0) FROM handled", [], |row| {
        row.get(0)
    })
}

/// What is recorded of an end besides how it was.
struct Ended {
    number: i64,
    generation: u32,
    at: Timestamp,
}

fn insert_handled(
    transaction: &Transaction<'_>,
    seq: Seq,
    how: &Handled,
    ended: &Ended,
) -> Result<(), rusqlite::Error> {
    let (state, detail) = match how {
        Handled::Done | Handled::DoneAfresh => ("done", None),
        Handled::Failed { why } => ("failed", Some(why)),
        Handled::Surfaced(trouble) => ("failed", Some(&trouble.detail)),
        Handled::Unknown { kind } => ("unknown", Some(kind)),
        Handled::Stopped => ("stopped", None),
        Handled::Later { trouble, .. } => ("later", Some(&trouble.detail)),
    };
    let class = match how {
        Handled::Surfaced(trouble) | Handled::Later { trouble, .. } => Some(trouble.class),
        Handled::DoneAfresh => Some(FailureClass::ContinuationLost),
        Handled::Done | Handled::Failed { .. } | Handled::Unknown { .. } | Handled::Stopped => None,
    };
    let later = match how {
        Handled::Later {
            until, failures, ..
        } => Some((until.as_millisecond(), *failures)),
        Handled::Done
        | Handled::DoneAfresh
        | Handled::Failed { .. }
        | Handled::Surfaced(_)
        | Handled::Unknown { .. }
        | Handled::Stopped => None,
    };
    transaction.execute(
        "INSERT OR REPLACE INTO handled
         (seq, generation, state, detail, number, at, class, until_at, failures)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
        params![
            seq.get(),
            ended.generation,
            state,
            detail,
            ended.number,
            ended.at.as_millisecond(),
            class.map(FailureClass::as_str),
            later.map(|(until, _)| until),
            later.map(|(_, failures)| failures)
        ],
    )?;
    Ok(())
}

fn set_state(
    transaction: &Transaction<'_>,
    key: &str,
    value: Option<&str>,
    now: Timestamp,
) -> Result<(), rusqlite::Error> {
    match value {
        Some(value) => transaction.execute(
            "INSERT OR REPLACE INTO state (key, value, updated_at) VALUES (?1, ?2, ?3)",
            params![key, value, now.as_millisecond()],
        )?,
        None => transaction.execute("DELETE FROM state WHERE key = ?1", [key])?,
    };
    Ok(())
}
