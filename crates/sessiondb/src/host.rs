//! The host's side: what it writes into `inbound.db`.

use std::{fs, os::unix::fs::PermissionsExt};

use anchorhold_core::{
    address::Address,
    ids::{ChannelName, ChatId, IdError, PlatformMessageId, ThreadId},
    inbound::Attachment,
    sandbox::Generation,
};
use camino::{Utf8Path, Utf8PathBuf};
use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension, Transaction, params};
use serde::{Deserialize, Serialize};

use crate::{
    Error, Inbound, Seq,
    context::Room,
    inbox::store_files,
    layout::{Layout, sync_dir},
    open,
    payload::CONTROL,
    progress::{self, Progress},
    pull::{Cursors, JUMP_LIMIT},
};

/// One session's files, as the host handles them. Opens them anew for each operation.
///
/// Every call blocks on the disk: make it on a thread that may.
#[derive(Clone, Debug)]
pub struct HostSide {
    pub(crate) root: Utf8PathBuf,
    pub(crate) layout: Layout,
}

/// A message to be appended.
#[derive(Debug)]
pub struct NewInbound<'a> {
    /// Where it was said.
    pub address: &'a Address,
    /// The platform's id of it: appending the same one twice changes nothing.
    pub platform_id: &'a PlatformMessageId,
    /// Does it wake the agent, or is it context?
    pub triggers: bool,
    /// What it says; the files are added by [`HostSide::append`].
    pub payload: Inbound,
    /// Files that came with it; only a chat message has some.
    pub attachments: &'a [Attachment],
    /// Only a sandbox of a later generation than this is offered it, so that it is seen by a fresh
    /// one. Until there is one it holds nothing else back.
    pub fresh_only: Option<Generation>,
}

/// What became of a message that was to be appended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Appended {
    /// Its number.
    pub seq: Seq,
    /// Was it new? `false` if it had been appended before.
    pub fresh: bool,
    /// Context that went beyond the bounds of [`crate::CONTEXT_ROWS_LIMIT`] and its siblings and was
    /// closed for it, oldest first; also the message itself, if it is too large alone. Told once:
    /// who dies over it finds them as not open in [`HostSide::inbound_after`].
    pub closed: Vec<Seq>,
}

/// What `inbound.db` says of a message besides its payload.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InboundMeta {
    /// Its number.
    pub seq: Seq,
    /// Where it was said, and where its answer goes.
    pub address: Address,
    /// The platform's id of it.
    pub platform_id: PlatformMessageId,
    /// Does it wake the agent, or is it context?
    pub triggers: bool,
    /// Is it still to be answered?
    pub open: bool,
    /// When it was appended.
    pub created_at: Timestamp,
}

/// What the host tells the agent-runner about its group.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Settings {
    /// The name the agent goes by.
    pub agent_name: String,
    /// Which provider runs the turns.
    pub provider: String,
    /// Which model, where the provider has several.
    pub model: Option<String>,
    /// The most messages of one turn.
    pub prompt_messages: u32,
    /// How far the host has read: the agent's numbers, of what it says and of what it ends, go on
    /// above these even if `outbound.db` had to be made anew.
    pub floor: Cursors,
}

impl HostSide {
    /// The files of the session in `root`; nothing is touched.
    pub fn at(root: &Utf8Path) -> Self {
        Self {
            root: root.to_owned(),
            layout: Layout::in_session(root),
        }
    }

    /// Makes the folders and an empty `inbound.db`, if they are not there.
    ///
    /// `owner` (uid, gid) gets what the sandbox writes, where that is not the host's own user.
    pub fn create(root: &Utf8Path, owner: Option<(u32, u32)>) -> Result<Self, Error> {
        let side = Self::at(root);
        side.layout.create(owner)?;
        side.inbound()?;
        // Whatever the umask: the sandbox's user has to read it.
        let path = side.layout.inbound();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o644))
            .map_err(Error::io(&path, "set the mode of"))?;
        Ok(side)
    }

    /// The folder that is mounted read-only.
    pub fn in_dir(&self) -> &Utf8Path {
        &self.layout.in_dir
    }

    /// The folder that the sandbox writes.
    pub fn out_dir(&self) -> &Utf8Path {
        &self.layout.out_dir
    }

    /// Appends a message, durable against power loss when this returns.
    ///
    /// One with a known platform id keeps its number and changes nothing.
    pub fn append(&self, message: NewInbound<'_>, now: Timestamp) -> Result<Appended, Error> {
        let path = self.layout.inbound();
        let failed = Error::sql(&path, "append");
        let highest_outbound = self.highest_outbound();
        let mut connection = self.inbound()?;
        let transaction = connection
            .transaction_with_behavior(rusqlite::TransactionBehavior::Immediate)
            .map_err(&failed)?;
        if let Some(seq) = known(&transaction, &message).map_err(&failed)? {
            drop(transaction);
            // Whoever stored it may have died before this.
            self.make_durable()?;
            return Ok(Appended {
                seq,
                fresh: false,
                closed: Vec::new(),
            });
        }
        let own: i64 = transaction
            .query_row("SELECT coalesce(max(seq), 0) FROM messages", [], |row| {
                row.get(0)
            })
            .map_err(&failed)?;
        // A number that no agent can have come to is not followed.
        let believed = Some(highest_outbound).filter(|seq| *seq <= own + JUMP_LIMIT);
        let seq = Seq::host_after(own.max(believed.unwrap_or(0)));
        let is_context = !message.triggers;
        self.insert(&transaction, message, seq, now)?;
        let closed = if is_context {
            close_surplus(&transaction, now).map_err(&failed)?
        } else {
            Vec::new()
        };
        transaction.commit().map_err(&failed)?;
        self.make_durable()?;
        Ok(Appended {
            seq,
            fresh: true,
            closed,
        })
    }

    /// The commit is the removal of the journal, which only this makes durable.
    pub(crate) fn make_durable(&self) -> Result<(), Error> {
        sync_dir(&self.layout.in_dir)
    }

    fn insert(
        &self,
        transaction: &Transaction<'_>,
        message: NewInbound<'_>,
        seq: Seq,
        now: Timestamp,
    ) -> Result<(), Error> {
        let path = self.layout.inbound();
        let mut payload = message.payload;
        if let Inbound::Chat(chat) = &mut payload {
            chat.files = store_files(&self.layout, seq, message.attachments)?;
        }
        let encoded = payload
            .encode()
            .map_err(|source| Error::Encode { source })?;
        transaction
            .execute(
                "INSERT INTO messages (seq, channel, chat, thread, platform_id, triggers, status,
                 tries, due_at, kind, version, payload, created_at, fresh_only)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, 'open', 0, ?7, ?8, ?9, ?10, ?7, ?11)",
                params![
                    seq.get(),
                    message.address.channel.as_str(),
                    message.address.chat.as_str(),
                    message.address.thread.as_ref().map(ThreadId::as_str),
                    message.platform_id.as_str(),
                    message.triggers,
                    now.as_millisecond(),
                    encoded.kind,
                    encoded.version,
                    encoded.payload,
                    message.fresh_only.map(|generation| generation.0),
                ],
            )
            .map_err(Error::sql(&path, "append"))?;
        Ok(())
    }

    /// Sets when a message may be tried again, and how often it was tried.
    pub fn reschedule(&self, messages: &[(Seq, u32, Timestamp)]) -> Result<(), Error> {
        self.write("reschedule", |transaction| {
            for (seq, tries, due) in messages {
                transaction.execute(
                    "UPDATE messages SET tries = ?2, due_at = ?3 WHERE seq = ?1 AND status = 'open'",
                    params![seq.get(), tries, due.as_millisecond()],
                )?;
            }
            Ok(())
        })
    }

    /// Marks messages as ended, answered or given up: they are not offered again.
    pub fn close(&self, messages: &[Seq]) -> Result<(), Error> {
        self.write("close", |transaction| {
            for seq in messages {
                transaction.execute(
                    "UPDATE messages SET status = 'closed' WHERE seq = ?1",
                    [seq.get()],
                )?;
            }
            Ok(())
        })
    }

    /// Tells the agent-runner about its group; read when it starts.
    pub fn write_settings(&self, settings: &Settings) -> Result<(), Error> {
        let body = serde_json::to_string(settings).map_err(|source| Error::Encode { source })?;
        self.write("write the settings", |transaction| {
            transaction.execute(
                "INSERT OR REPLACE INTO settings (id, body) VALUES (1, ?1)",
                [&body],
            )?;
            Ok(())
        })
    }

    /// What was appended after `seq`, oldest first, at most `limit`.
    pub fn inbound_after(&self, seq: i64, limit: u32) -> Result<Vec<InboundMeta>, Error> {
        let path = self.layout.inbound();
        let failed = Error::sql(&path, "read");
        let connection = self.inbound()?;
        let mut statement = connection
            .prepare(
                "SELECT seq, channel, chat, thread, platform_id, triggers, status = 'open',
                 created_at FROM messages WHERE seq > ?1 ORDER BY seq LIMIT ?2",
            )
            .map_err(&failed)?;
        let rows = statement
            .query_map(params![seq, limit], |row| Ok(meta(row)))
            .and_then(Iterator::collect::<Result<Vec<_>, _>>)
            .map_err(&failed)?;
        rows.into_iter()
            .collect::<Result<Vec<_>, _>>()
            .map_err(&failed)
    }

    /// The oldest messages that are not closed, at most `limit`.
    pub fn open_messages(&self, limit: u32) -> Result<Vec<Seq>, Error> {
        let path = self.layout.inbound();
        let connection = self.inbound()?;
        let found = connection
            .prepare("SELECT seq FROM messages WHERE status = 'open' ORDER BY seq LIMIT ?1")
            .and_then(|mut statement| {
                let rows = statement.query_map([limit], |row| row.get::<_, i64>(0))?;
                rows.collect::<Result<Vec<_>, _>>()
            })
            .map_err(Error::sql(&path, "read"))?;
        Ok(found.into_iter().filter_map(Seq::new).collect())
    }

    /// What the runner last said of its progress; `None` if this generation said nothing yet.
    pub fn progress(&self, generation: Generation) -> Result<Option<Progress>, Error> {
        let progress = progress::read(&self.layout.out_dir)?;
        Ok(progress.filter(|progress| progress.generation == generation))
    }

    pub(crate) fn inbound(&self) -> Result<Connection, Error> {
        open::inbound_rw(&self.layout.inbound())
    }

    pub(crate) fn write(
        &self,
        doing: &'static str,
        change: impl FnOnce(&Transaction<'_>) -> Result<(), rusqlite::Error>,
    ) -> Result<(), Error> {
        let path = self.layout.inbound();
        let mut connection = self.inbound()?;
        connection
            .transaction_with_behavior(rusqlite::TransactionBehavior::Immediate)
            .and_then(|transaction| {
                change(&transaction)?;
                transaction.commit()
            })
            .map_err(Error::sql(&path, doing))
    }

    /// The agent's highest number, so that ours is above it. An unreadable file is no reason to
    /// refuse a person's message: its rows are then judged, and refused, where they are read.
    fn highest_outbound(&self) -> i64 {
        let Ok(Some(connection)) = open::outbound_hostile_ro(&self.layout) else {
            return 0;
        };
        connection
            .query_row("SELECT coalesce(max(seq), 0) FROM messages", [], |row| {
                row.get(0)
            })
            .unwrap_or(0)
    }
}

fn known(
    transaction: &Transaction<'_>,
    message: &NewInbound<'_>,
) -> Result<Option<Seq>, rusqlite::Error> {
    let seq: Option<i64> = transaction
        .query_row(
            "SELECT seq FROM messages WHERE channel = ?1 AND chat = ?2 AND platform_id = ?3",
            [
                message.address.channel.as_str(),
                message.address.chat.as_str(),
                message.platform_id.as_str(),
            ],
            |row| row.get(0),
        )
        .optional()?;
    Ok(seq.and_then(Seq::new))
}

/// Closes the open context that there is no room for, the newest kept; gives it oldest first.
fn close_surplus(
    transaction: &Transaction<'_>,
    now: Timestamp,
) -> Result<Vec<Seq>, rusqlite::Error> {
    let mut room = Room::at(now);
    let mut statement = transaction.prepare(
        "SELECT seq, octet_length(payload), created_at FROM messages
         WHERE status = 'open' AND triggers = 0 AND kind <> ?1 ORDER BY seq DESC",
    )?;
    let mut rows = statement.query([CONTROL])?;
    let mut closed = Vec::new();
    while let Some(row) = rows.next()? {
        let created_at = Timestamp::from_millisecond(row.get(2)?).unwrap_or(now);
        let bytes = usize::try_from(row.get::<_, i64>(1)?).unwrap_or(usize::MAX);
        if !room.takes(bytes, created_at) {
            closed.extend(Seq::new(row.get(0)?));
        }
    }
    closed.reverse();
    for seq in &closed {
        transaction.execute(
            "UPDATE messages SET status = 'closed' WHERE seq = ?1",
            [seq.get()],
        )?;
    }
    Ok(closed)
}

fn meta(row: &rusqlite::Row<'_>) -> Result<InboundMeta, rusqlite::Error> {
    let text = |index: usize| row.get::<_, String>(index);
    let bad = |index: usize| {
        move |source: IdError| {
            let kind = rusqlite::types::Type::Text;
            rusqlite::Error::FromSqlConversionFailure(index, kind, Box::new(source))
        }
    };
    let raw: i64 = row.get(0)?;
    let ms: i64 = row.get(7)?;
    Ok(InboundMeta {
        seq: Seq::new(raw).ok_or(rusqlite::Error::IntegralValueOutOfRange(0, raw))?,
        address: Address {
            channel: ChannelName::parse(&text(1)?).map_err(bad(1))?,
            chat: ChatId::parse(&text(2)?).map_err(bad(2))?,
            thread: row
                .get::<_, Option<String>>(3)?
                .map(|thread| ThreadId::parse(&thread).map_err(bad(3)))
                .transpose()?,
        },
        platform_id: PlatformMessageId::parse(&text(4)?).map_err(bad(4))?,
        triggers: row.get(5)?,
        open: row.get(6)?,
        created_at: Timestamp::from_millisecond(ms)
            .map_err(|_out_of_range| rusqlite::Error::IntegralValueOutOfRange(7, ms))?,
    })
}
