//! What came in together is written together: one statement for each table, not one for each row.
//!
//! A statement has the rows as one JSON text. What costs here is not what SQLite does but each call
//! of its thread. SQLite ends a text of JSON at a NUL: ids have no control characters, and in a payload,
//! which is JSON itself, one is written as an escape.

use std::collections::{BTreeMap, HashSet};

use anchorhold_core::{
    context::Room,
    entity::MessageStatus,
    ids::{PlatformMessageId, SessionId, ThreadId},
};
use jiff::Timestamp;
use serde::Serialize;
use sqlx::{Row, SqliteConnection};

use crate::{
    ingest::{
        Entered, Entry, EventOutcome, EventRecord, Key, MessageRole, NewMessage, Tracked,
        numbers::{Moved, Numbers},
    },
    rows::{Fields, to_json},
    tasks::runs,
    trace,
};

pub(crate) const EVENTS: &str =
    "INSERT INTO events (channel, chat, message_id, received_at, outcome)
     SELECT value ->> 0, value ->> 1, value ->> 2, value ->> 3, value ->> 4 FROM json_each(?1)
     WHERE TRUE ON CONFLICT (channel, chat, message_id) DO NOTHING
     RETURNING channel, chat, message_id";

pub(crate) const MESSAGES: &str = "INSERT INTO messages (id, session_id, seq, conversation_id,
         channel, chat, thread, platform_message_id, word, sender_user_id, status, next_at,
         due_since, created_at)
     SELECT value ->> 'id', value ->> 'session', value ->> 'seq', value ->> 'conversation',
         value ->> 'channel', value ->> 'chat', value ->> 'thread', value ->> 'platform_id',
         value ->> 'word', value ->> 'sender', value ->> 'status', value ->> 'due',
         value ->> 'due', value ->> 'created_at'
     FROM json_each(?1) WHERE TRUE ON CONFLICT DO NOTHING
     RETURNING session_id, seq";

/// What follows from the two above, all in one call.
pub(crate) const REST: &str = "INSERT INTO trace (at, what, channel, chat, message_id, detail)
     SELECT value ->> 0, value ->> 1, value ->> 2, value ->> 3, value ->> 4, value ->> 5
     FROM json_each(?1, '$.trace');
     INSERT INTO dropped (channel, chat, handle, reason, count, first_at, last_at)
     SELECT value ->> 0, value ->> 1, value ->> 2, value ->> 3, 1, value ->> 4, value ->> 4
     FROM json_each(?1, '$.dropped') WHERE TRUE
     ON CONFLICT (channel, chat, handle, reason)
     DO UPDATE SET count = count + 1, last_at = excluded.last_at;
     INSERT INTO journal (session_id, seq, kind, version, payload, fresh_only)
     SELECT value ->> 0, value ->> 1, value ->> 2, value ->> 3, value ->> 4, value ->> 5
     FROM json_each(?1, '$.journal');
     UPDATE sessions SET in_seq = moved.value ->> 1, dormant_at = NULL,
         last_active_at = MAX(last_active_at, moved.value ->> 2)
     FROM json_each(?1, '$.sessions') AS moved WHERE sessions.id = moved.value ->> 0";

pub(crate) const BY_PLATFORM_ID: &str = "SELECT seq FROM messages
     WHERE session_id = ?1 AND channel = ?2 AND chat = ?3 AND platform_message_id = ?4";

pub(crate) const BY_WORD: &str = "SELECT seq FROM messages
     WHERE session_id = ?1 AND channel = ?2 AND chat = ?3 AND word = ?4 AND word IS NOT NULL";

pub(crate) const CONTEXT: &str = "SELECT m.seq, m.created_at, OCTET_LENGTH(j.payload) AS bytes
     FROM messages m JOIN journal j ON j.session_id = m.session_id AND j.seq = m.seq
     WHERE m.session_id = ?1 AND m.status = 'context' ORDER BY m.seq DESC";

pub(crate) const END_CONTEXT: &str = "UPDATE messages SET status = 'done', ended_at = ?3
     WHERE session_id = ?1 AND seq = ?2 AND status = 'context'";

/// A row of `events`.
type EventRow<'a> = (&'a str, &'a str, &'a str, i64, &'a str);
/// A row of `trace`.
type TraceRow<'a> = (i64, &'static str, &'a str, &'a str, &'a str, String);
/// A row of `dropped`.
type DroppedRow<'a> = (&'a str, &'a str, &'a str, &'a str, i64);
/// A row of `journal`.
type JournalRow<'a> = (String, i64, &'a str, i64, &'a str, Option<u32>);

/// A row of `messages`.
#[derive(Serialize)]
struct MessageRow<'a> {
    id: String,
    session: String,
    seq: i64,
    conversation: Option<String>,
    channel: &'a str,
    chat: &'a str,
    thread: Option<&'a str>,
    platform_id: Option<&'a str>,
    word: Option<&'a str>,
    sender: Option<String>,
    status: &'a str,
    due: Option<i64>,
    created_at: i64,
}

/// What [`REST`] writes.
#[derive(Serialize)]
struct Rest<'a> {
    trace: Vec<TraceRow<'a>>,
    dropped: Vec<DroppedRow<'a>>,
    journal: Vec<JournalRow<'a>>,
    sessions: Vec<Moved>,
}

/// A message with the number that it is to have.
struct Numbered<'a> {
    message: &'a NewMessage,
    seq: i64,
}

/// Enters what has come together. Only the first entry may have reserved numbers: whether they are
/// still the latest is known only when everything before it has its own.
pub(super) async fn enter(
    conn: &mut SqliteConnection,
    numbers: &mut Numbers,
    entries: &[Entry],
) -> sqlx::Result<Vec<Entered>> {
    let mut late = false;
    for message in entries.first().map(Entry::messages).unwrap_or_default() {
        if let Some(seq) = message.reserved {
            late |= !numbers.is_latest(message.session, seq)?;
        }
    }
    let (first, entries) = entries.split_at(usize::from(late));
    let mut entered: Vec<Entered> = first.iter().map(|_late| Entered::Late).collect();
    let mut fresh = insert_events(conn, entries).await?;
    for (entry, fresh) in entries.iter().zip(&mut fresh) {
        if let Entry::Run(run) = entry {
            *fresh = runs::claim(conn, run).await?;
        }
    }
    let news = || entries.iter().zip(&fresh).filter(|(_, fresh)| **fresh);
    let mut numbered = Vec::new();
    for message in news().flat_map(|(entry, _)| entry.messages()) {
        let seq = match message.reserved {
            Some(seq) => seq,
            None => numbers.next(message.session, message.said)?,
        };
        numbered.push(Numbered { message, seq });
    }
    let events = news().filter_map(|(entry, _)| match entry {
        Entry::Event(event) => Some(event),
        Entry::Messages(_) | Entry::Run(_) => None,
    });
    let events: Vec<&EventRecord> = events.collect();
    let mut tracked = track(conn, numbers, (&events, &numbered))
        .await?
        .into_iter();
    entered.extend(entries.iter().zip(&fresh).map(|(entry, fresh)| {
        if *fresh {
            Entered::Now(tracked.by_ref().take(entry.messages().len()).collect())
        } else {
            Entered::Duplicate
        }
    }));
    for (entry, entered) in entries.iter().zip(entered.iter().skip(usize::from(late))) {
        if let (Entry::Run(run), Entered::Now(tracked)) = (entry, entered) {
            for tracked in tracked {
                runs::begin_run(conn, run, tracked.seq).await?;
            }
        }
    }
    Ok(entered)
}

/// Records the events among the entries; tells of each entry whether it was not recorded before.
async fn insert_events(conn: &mut SqliteConnection, entries: &[Entry]) -> sqlx::Result<Vec<bool>> {
    let rows: Vec<EventRow<'_>> = entries.iter().filter_map(event_row).collect();
    let mut inserted = HashSet::with_capacity(rows.len());
    if !rows.is_empty() {
        let found = sqlx::query(EVENTS)
            .bind(to_json(&rows)?)
            .fetch_all(conn)
            .await?;
        for row in found {
            let key: (String, String, String) = (row.try_get(0)?, row.try_get(1)?, row.try_get(2)?);
            inserted.insert(key);
        }
    }
    let fresh = entries.iter().map(|entry| match event_row(entry) {
        // The first one of those that are the same was inserted.
        Some((channel, chat, id, _, _)) => {
            inserted.remove(&(channel.to_owned(), chat.to_owned(), id.to_owned()))
        }
        None => true,
    });
    Ok(fresh.collect())
}

fn event_row(entry: &Entry) -> Option<EventRow<'_>> {
    let Entry::Event(event) = entry else {
        return None;
    };
    Some((
        event.address.channel.as_str(),
        event.address.chat.as_str(),
        event.message_id.as_str(),
        event.received_at.as_millisecond(),
        event.outcome.as_str(),
    ))
}

/// Puts messages on record and into the journal, but for those that are on record already, with
/// what is to be known of their events.
async fn track(
    conn: &mut SqliteConnection,
    numbers: &mut Numbers,
    (events, numbered): (&[&EventRecord], &[Numbered<'_>]),
) -> sqlx::Result<Vec<Tracked>> {
    let mut inserted = insert_messages(conn, numbered).await?;
    let mut tracked = Vec::with_capacity(numbered.len());
    let mut journal = Vec::with_capacity(numbered.len());
    // The last of each session's context.
    let mut context = BTreeMap::new();
    for (at, Numbered { message, seq }) in numbered.iter().enumerate() {
        let fresh = inserted.remove(&(message.session, *seq));
        let seq = if fresh {
            numbers.take(message.session, *seq, message.created_at)?;
            journal.push(journal_row(message, *seq));
            if message.role == MessageRole::Context {
                context.insert(message.session, at);
            }
            *seq
        } else {
            known(conn, message).await?
        };
        tracked.push(Tracked {
            seq,
            fresh,
            surplus: Vec::new(),
        });
    }
    numbers.settle();
    write_rest(conn, numbers, (events, journal)).await?;
    for at in context.into_values() {
        if let (Some(Numbered { message, .. }), Some(tracked)) =
            (numbered.get(at), tracked.get_mut(at))
        {
            tracked.surplus = end_surplus(conn, message.session, message.created_at).await?;
        }
    }
    Ok(tracked)
}

/// Tells which are new. Of one that is not, something is in its place: the same message, or another
/// one with its number.
async fn insert_messages(
    conn: &mut SqliteConnection,
    numbered: &[Numbered<'_>],
) -> sqlx::Result<HashSet<(SessionId, i64)>> {
    let mut inserted = HashSet::with_capacity(numbered.len());
    if numbered.is_empty() {
        return Ok(inserted);
    }
    let rows: Vec<MessageRow<'_>> = numbered.iter().map(message_row).collect();
    let found = sqlx::query(MESSAGES)
        .bind(to_json(&rows)?)
        .fetch_all(conn)
        .await?;
    for row in &found {
        let fields = Fields::new("messages", row);
        let session = fields.parsed("session_id", SessionId::parse)?;
        inserted.insert((session, fields.get("seq")?));
    }
    Ok(inserted)
}

fn message_row<'a>(Numbered { message, seq }: &Numbered<'a>) -> MessageRow<'a> {
    let (status, due) = match message.role {
        MessageRole::Due(due) => (MessageStatus::Pending, Some(due)),
        MessageRole::Context => (MessageStatus::Context, None),
    };
    let (platform_id, word) = match &message.key {
        Key::Platform(id) => (Some(id.as_str()), None),
        Key::Word(word) => (None, Some(word.as_str())),
    };
    MessageRow {
        id: message.id.to_string(),
        session: message.session.to_string(),
        seq: *seq,
        conversation: message.conversation.map(|id| id.to_string()),
        channel: message.address.channel.as_str(),
        chat: message.address.chat.as_str(),
        thread: message.address.thread.as_ref().map(ThreadId::as_str),
        platform_id,
        word,
        sender: message.sender.map(|id| id.to_string()),
        status: status.as_str(),
        due: due.map(Timestamp::as_millisecond),
        created_at: message.created_at.as_millisecond(),
    }
}

fn journal_row(message: &NewMessage, seq: i64) -> JournalRow<'_> {
    let body = &message.body;
    let fresh_only = body.fresh_only.map(|generation| generation.0);
    (
        message.session.to_string(),
        seq,
        &body.kind,
        body.version,
        &body.payload,
        fresh_only,
    )
}

async fn write_rest(
    conn: &mut SqliteConnection,
    numbers: &Numbers,
    (events, journal): (&[&EventRecord], Vec<JournalRow<'_>>),
) -> sqlx::Result<()> {
    let mut rest = Rest {
        trace: Vec::with_capacity(events.len()),
        dropped: Vec::new(),
        journal,
        sessions: numbers.moved(),
    };
    for event in events {
        rest.trace.push(trace_row(event)?);
        rest.dropped.extend(dropped_row(event));
    }
    if rest.trace.is_empty() && rest.journal.is_empty() {
        return Ok(());
    }
    sqlx::query(REST)
        .bind(to_json(&rest)?)
        .execute(conn)
        .await?;
    Ok(())
}

/// That a platform's message was taken on.
fn trace_row(event: &EventRecord) -> sqlx::Result<TraceRow<'_>> {
    let received = trace::received(event);
    Ok((
        event.received_at.as_millisecond(),
        received.name(),
        event.address.channel.as_str(),
        event.address.chat.as_str(),
        event.message_id.as_str(),
        to_json(&received)?,
    ))
}

/// An event that nobody heard counts once, for the weightiest reason.
fn dropped_row(event: &EventRecord) -> Option<DroppedRow<'_>> {
    let reason = event
        .declined
        .filter(|_| event.outcome == EventOutcome::Declined)?;
    Some((
        event.address.channel.as_str(),
        event.address.chat.as_str(),
        event.sender.as_str(),
        reason.as_str(),
        event.received_at.as_millisecond(),
    ))
}

/// The number of the same message. Where another one stands in its place, nothing is found.
async fn known(conn: &mut SqliteConnection, message: &NewMessage) -> sqlx::Result<i64> {
    let (sql, key): (_, &PlatformMessageId) = match &message.key {
        Key::Platform(id) => (BY_PLATFORM_ID, id),
        Key::Word(word) => (BY_WORD, word),
    };
    sqlx::query_scalar(sql)
        .bind(message.session.to_string())
        .bind(message.address.channel.as_str())
        .bind(message.address.chat.as_str())
        .bind(key.as_str())
        .fetch_one(conn)
        .await
}
/// Ends the context of a session that there is no room for, the newest kept; tells it oldest first.
async fn end_surplus(
    conn: &mut SqliteConnection,
    session: SessionId,
    now: Timestamp,
) -> sqlx::Result<Vec<i64>> {
    let rows = sqlx::query(CONTEXT)
        .bind(session.to_string())
        .fetch_all(&mut *conn)
        .await?;
    let mut room = Room::at(now);
    let mut surplus = Vec::new();
    for row in &rows {
        let fields = Fields::new("messages", row);
        let bytes: usize = fields.number("bytes")?;
        if !room.takes(bytes, fields.time("created_at")?) {
            surplus.push(fields.get("seq")?);
        }
    }
    surplus.reverse();
    for seq in &surplus {
        sqlx::query(END_CONTEXT)
            .bind(session.to_string())
            .bind(seq)
            .bind(now.as_millisecond())
            .execute(&mut *conn)
            .await?;
    }
    Ok(surplus)
}
