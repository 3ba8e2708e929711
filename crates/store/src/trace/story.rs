//! All that is on record of one message, with every agent that heard it and every answer.

use std::collections::HashMap;

use anchorhold_core::{
    address::Address,
    entity::{DeliveryStatus, MessageStatus},
    ids::{AgentGroupId, MessageId, OutboundId, PlatformMessageId, SessionId},
};
use jiff::Timestamp;
use sqlx::{SqliteConnection, sqlite::SqliteRow};

use crate::{
    Error, Store,
    deliveries::Origin,
    ends::{Attempt, attempts_in},
    rows::{Fields, opt_thread},
    trace::{Event, find::Subject},
};

/// The most sessions that are told of.
const HEARINGS_LIMIT: u32 = 64;
/// The most answers of one session to one message.
const SAID_LIMIT: u32 = 50;
/// The most tries to send one answer, the latest.
const ATTEMPTS_LIMIT: u32 = 50;
/// The most events of one session or message.
const EVENTS_LIMIT: u32 = 200;

pub(crate) const HEARINGS: &str = "SELECT m.*, s.agent_group_id, s.generation, g.name AS group_name
     FROM messages m JOIN sessions s ON s.id = m.session_id
         JOIN agent_groups g ON g.id = s.agent_group_id
     WHERE m.platform_message_id = ?3 AND m.chat = ?2 AND m.channel = ?1
     ORDER BY m.created_at, m.id LIMIT ?4";

pub(crate) const WORD: &str = "SELECT m.*, s.agent_group_id, s.generation, g.name AS group_name
     FROM messages m JOIN sessions s ON s.id = m.session_id
         JOIN agent_groups g ON g.id = s.agent_group_id
     WHERE m.session_id = ?1 AND m.seq = ?2";

pub(crate) const SAID: &str = "SELECT * FROM deliveries WHERE in_reply_to = ?1
     ORDER BY position LIMIT ?2";

pub(crate) const OF_MESSAGE: &str = "SELECT * FROM trace
     WHERE message_id = ?3 AND chat = ?2 AND channel = ?1 AND message_id IS NOT NULL
     ORDER BY id LIMIT ?4";

pub(crate) const OF_SESSION: &str = "SELECT * FROM trace
     WHERE session_id = ?1 AND at BETWEEN ?2 AND ?3 AND session_id IS NOT NULL
     ORDER BY at LIMIT ?4";

pub(crate) const OF_DELIVERY: &str = "SELECT * FROM trace
     WHERE delivery_id = ?1 AND delivery_id IS NOT NULL ORDER BY id LIMIT ?2";

pub(crate) const OF_HOST: &str = "SELECT * FROM trace
     WHERE what = 'host' AND at BETWEEN ?1 AND ?2 AND id > ?3 ORDER BY at LIMIT ?4";

// The first of its lane, where it is another one: a lane keeps its order.
pub(crate) const AHEAD: &str = "SELECT position, parked, next_at FROM deliveries
     WHERE status = 'pending' AND channel = ?1 AND chat = ?2 AND thread IS ?3
     ORDER BY position LIMIT 1";

const HELD_UNTIL: &str = "SELECT MAX(a.expires_at) AS held_until FROM held_events h
         JOIN approvals a ON a.id = h.approval_id
     WHERE h.message_id = ?3 AND h.chat = ?2 AND h.channel = ?1";

/// All that is on record of one message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Story {
    /// Which.
    pub subject: Subject,
    /// What happened to the message as such, and to the host while it was under way.
    pub events: Vec<Happened>,
    /// Everybody who heard it.
    pub hearings: Vec<Hearing>,
    /// What the host itself said in answer.
    pub by_host: Vec<Said>,
    /// Until when it waits for a person's decision, if it does.
    pub held_until: Option<Timestamp>,
    /// Agents by name, also those whose sessions are gone.
    pub names: HashMap<AgentGroupId, String>,
    /// Instances whose deliveries all wait, and until when.
    pub parked: HashMap<String, Timestamp>,
}

/// One event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Happened {
    /// Its place in the order of all that happened.
    pub id: i64,
    /// When.
    pub at: Timestamp,
    /// Of which message of a session, where it is about one.
    pub seq: Option<i64>,
    /// What.
    pub event: Event,
}

/// The message as one session has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hearing {
    /// The agent.
    pub group: AgentGroupId,
    /// Its name.
    pub agent: String,
    /// Our id of it.
    pub message: MessageId,
    /// The session.
    pub session: SessionId,
    /// Its number there.
    pub seq: i64,
    /// Where it stands.
    pub status: MessageStatus,
    /// How often it was tried in vain.
    pub tries: u32,
    /// When it is tried next; only of a pending one.
    pub next_at: Option<Timestamp>,
    /// What went wrong last.
    pub last_error: Option<String>,
    /// When it was stored.
    pub created_at: Timestamp,
    /// When it ended.
    pub ended_at: Option<Timestamp>,
    /// What happened in its session meanwhile.
    pub events: Vec<Happened>,
    /// What was said in answer, in order.
    pub said: Vec<Said>,
}

/// The first delivery of a lane, for those that wait behind it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ahead {
    /// Does it wait until somebody is there?
    pub parked: bool,
    /// When it is tried next.
    pub next_at: Timestamp,
}

/// One answer on its way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Said {
    /// Its id.
    pub id: OutboundId,
    /// Its number in the session, if the agent said it.
    pub seq: Option<i64>,
    /// Who said it.
    pub origin: Origin,
    /// What kind of operation.
    pub kind: String,
    /// Where to.
    pub address: Address,
    /// Where it stands.
    pub status: DeliveryStatus,
    /// How many of its parts have arrived.
    pub parts_sent: u32,
    /// When it is tried next.
    pub next_at: Timestamp,
    /// Does it wait until somebody is there?
    pub parked: bool,
    /// The one that it waits behind, while it is on its way and not the first of its lane.
    pub behind: Option<Ahead>,
    /// What went wrong last.
    pub last_error: Option<String>,
    /// The platform's id of its first part.
    pub platform_message_id: Option<PlatformMessageId>,
    /// When it came here.
    pub created_at: Timestamp,
    /// When it ended.
    pub ended_at: Option<Timestamp>,
    /// When its end was told, if it was not sent.
    pub told_at: Option<Timestamp>,
    /// The number of the word to the agent about that.
    pub note_seq: Option<i64>,
    /// When the owners were told.
    pub owners_told_at: Option<Timestamp>,
    /// When the operator was done with it.
    pub discarded_at: Option<Timestamp>,
    /// Each try, in order.
    pub attempts: Vec<Attempt>,
    /// What else happened to it.
    pub events: Vec<Happened>,
}

impl Store {
    /// All that is on record of one message up to `now`, read at one moment; with a group, only what
    /// its agents had to do with it. `None` if nothing is.
    pub async fn story(
        &self,
        subject: &Subject,
        group: Option<AgentGroupId>,
        now: Timestamp,
    ) -> Result<Option<Story>, Error> {
        self.story_inner(subject, group, now)
            .await
            .map_err(|source| Error::Story { source })
    }

    async fn story_inner(
        &self,
        subject: &Subject,
        group: Option<AgentGroupId>,
        now: Timestamp,
    ) -> sqlx::Result<Option<Story>> {
        let mut conn = self.reader().await?;
        // One transaction, so that all of it is of one moment.
        let mut tx = sqlx::Connection::begin(&mut *conn).await?;
        let mut story = Story {
            subject: subject.clone(),
            events: Vec::new(),
            hearings: hearings(&mut tx, subject, now).await?,
            by_host: Vec::new(),
            held_until: None,
            names: names(&mut tx).await?,
            parked: parked(&mut tx, now).await?,
        };
        if let Subject::Said { channel, chat, id } = subject {
            let key = (channel.as_str(), chat.as_str(), id.as_str());
            story.events = of_message(&mut tx, key).await?;
            let row = sqlx::query(HELD_UNTIL)
                .bind(key.0)
                .bind(key.1)
                .bind(key.2)
                .fetch_one(&mut *tx)
                .await?;
            story.held_until = Fields::new("approvals", &row).opt_time("held_until")?;
        }
        if let Some(group) = group {
            story.keep_only(group);
        }
        if story.hearings.is_empty() && story.events.is_empty() {
            return Ok(None);
        }
        for answer in story.answers() {
            let row = sqlx::query("SELECT * FROM deliveries WHERE id = ?1")
                .bind(answer.to_string())
                .fetch_optional(&mut *tx)
                .await?;
            if let Some(row) = row {
                story.by_host.push(said(&mut tx, &row).await?);
            }
        }
        if let Some((first, last)) = story.span(now) {
            let hosts = sqlx::query(OF_HOST)
                .bind(first.as_millisecond())
                .bind(last.as_millisecond())
                .bind(story.events.first().map_or(0, |first| first.id))
                .bind(EVENTS_LIMIT)
                .fetch_all(&mut *tx)
                .await?;
            story.events.extend(happened(&hosts)?);
        }
        Ok(Some(story))
    }
}

impl Story {
    /// Leaves what one group's agents had to do with it.
    fn keep_only(&mut self, group: AgentGroupId) {
        self.hearings.retain(|hearing| hearing.group == group);
        for happened in &mut self.events {
            if let Event::Received(receipt) | Event::Replayed(receipt) = &mut happened.event {
                receipt.decisions.retain(|decided| decided.agent == group);
            }
        }
        let decided = |happened: &Happened| {
            let receipt = happened.event.receipt();
            receipt.is_some_and(|receipt| !receipt.decisions.is_empty())
        };
        if self.hearings.is_empty() && !self.events.iter().any(decided) {
            self.events.clear();
        }
        self.names.retain(|known, _| *known == group);
    }

    /// What the host said in answer to it.
    fn answers(&self) -> Vec<OutboundId> {
        let receipts = self.events.iter().filter_map(|one| one.event.receipt());
        let answers = receipts.filter_map(|receipt| receipt.answer);
        answers.collect()
    }

    /// From its first moment to its last; to `now` while anything is under way.
    fn span(&self, now: Timestamp) -> Option<(Timestamp, Timestamp)> {
        let received = self.events.iter().map(|one| one.at);
        let stored = self.hearings.iter().map(|one| one.created_at);
        let first = received.clone().chain(stored).min()?;
        let said = self.hearings.iter().flat_map(|one| &one.said);
        let said: Vec<&Said> = said.chain(&self.by_host).collect();
        let waits = self.held_until.is_some()
            || self
                .hearings
                .iter()
                .any(|one| one.status == MessageStatus::Pending)
            || said.iter().any(|one| one.ended_at.is_none());
        if waits {
            return Some((first, now));
        }
        let ends = self.hearings.iter().filter_map(|one| one.ended_at);
        let sent = said.iter().filter_map(|one| one.ended_at.max(one.told_at));
        let last = received.chain(ends).chain(sent).max();
        Some((first, last.unwrap_or(first)))
    }
}

async fn of_message(
    conn: &mut SqliteConnection,
    (channel, chat, id): (&str, &str, &str),
) -> sqlx::Result<Vec<Happened>> {
    let rows = sqlx::query(OF_MESSAGE)
        .bind(channel)
        .bind(chat)
        .bind(id)
        .bind(EVENTS_LIMIT)
        .fetch_all(conn)
        .await?;
    happened(&rows)
}

async fn hearings(
    conn: &mut SqliteConnection,
    subject: &Subject,
    now: Timestamp,
) -> sqlx::Result<Vec<Hearing>> {
    let found = match subject {
        Subject::Said { channel, chat, id } => {
            let found = sqlx::query(HEARINGS)
                .bind(channel.as_str())
                .bind(chat.as_str())
                .bind(id.as_str())
                .bind(HEARINGS_LIMIT);
            found.fetch_all(&mut *conn).await?
        }
        Subject::Word { session, seq } => {
            let found = sqlx::query(WORD).bind(session.to_string()).bind(*seq);
            found.fetch_all(&mut *conn).await?
        }
    };
    let mut hearings = Vec::with_capacity(found.len());
    for row in &found {
        hearings.push(hearing(conn, row, now).await?);
    }
    Ok(hearings)
}

async fn hearing(
    conn: &mut SqliteConnection,
    row: &SqliteRow,
    now: Timestamp,
) -> sqlx::Result<Hearing> {
    let fields = Fields::new("messages", row);
    let mut hearing = Hearing {
        group: fields.parsed("agent_group_id", AgentGroupId::parse)?,
        agent: fields.get("group_name")?,
        message: fields.parsed("id", MessageId::parse)?,
        session: fields.parsed("session_id", SessionId::parse)?,
        seq: fields.get("seq")?,
        status: fields.value("status", MessageStatus::parse)?,
        tries: fields.number("tries")?,
        next_at: fields.opt_time("next_at")?,
        last_error: fields.get("last_error")?,
        created_at: fields.time("created_at")?,
        ended_at: fields.opt_time("ended_at")?,
        events: Vec::new(),
        said: Vec::new(),
    };
    let rows = sqlx::query(OF_SESSION)
        .bind(hearing.session.to_string())
        .bind(hearing.created_at.as_millisecond())
        .bind(hearing.ended_at.unwrap_or(now).as_millisecond())
        .bind(EVENTS_LIMIT)
        .fetch_all(&mut *conn)
        .await?;
    hearing.events = happened(&rows)?;
    hearing.events.retain(|one| one.concerns(hearing.seq));
    let rows = sqlx::query(SAID)
        .bind(hearing.message.to_string())
        .bind(SAID_LIMIT)
        .fetch_all(&mut *conn)
        .await?;
    for row in &rows {
        hearing.said.push(said(conn, row).await?);
    }
    Ok(hearing)
}

impl Happened {
    /// Has it to do with this message of its session?
    fn concerns(&self, seq: i64) -> bool {
        if let Event::Pulled { ended, refused, .. } = &self.event {
            return !refused.is_empty() || ended.contains(&seq);
        }
        self.seq.is_none_or(|own| own == seq)
    }
}

async fn said(conn: &mut SqliteConnection, row: &SqliteRow) -> sqlx::Result<Said> {
    let fields = Fields::new("deliveries", row);
    let id = fields.parsed("id", OutboundId::parse)?;
    let rows = sqlx::query(OF_DELIVERY)
        .bind(id.to_string())
        .bind(EVENTS_LIMIT)
        .fetch_all(&mut *conn)
        .await?;
    let behind = ahead_of(conn, row).await?;
    Ok(Said {
        id,
        seq: fields.get("seq")?,
        origin: fields.value("origin", Origin::parse)?,
        kind: fields.get("kind")?,
        address: fields.address()?,
        status: fields.value("status", DeliveryStatus::parse)?,
        parts_sent: fields.number("parts_sent")?,
        next_at: fields.time("next_at")?,
        parked: fields.get("parked")?,
        behind,
        last_error: fields.get("last_error")?,
        platform_message_id: fields.opt_parsed("platform_message_id", PlatformMessageId::parse)?,
        created_at: fields.time("created_at")?,
        ended_at: fields.opt_time("ended_at")?,
        told_at: fields.opt_time("told_at")?,
        note_seq: fields.get("note_seq")?,
        owners_told_at: fields.opt_time("owners_told_at")?,
        discarded_at: fields.opt_time("discarded_at")?,
        attempts: attempts_in(conn, id, ATTEMPTS_LIMIT).await?,
        events: happened(&rows)?,
    })
}

/// What a delivery that is on its way waits behind, if anything.
async fn ahead_of(conn: &mut SqliteConnection, row: &SqliteRow) -> sqlx::Result<Option<Ahead>> {
    let fields = Fields::new("deliveries", row);
    if fields.value("status", DeliveryStatus::parse)? != DeliveryStatus::Pending {
        return Ok(None);
    }
    let lane = fields.address()?;
    let first = sqlx::query(AHEAD)
        .bind(lane.channel.as_str())
        .bind(lane.chat.as_str())
        .bind(opt_thread(lane.thread.as_ref()))
        .fetch_optional(conn)
        .await?;
    let Some(first) = first else { return Ok(None) };
    let own: i64 = fields.get("position")?;
    let fields = Fields::new("deliveries", &first);
    if fields.get::<i64>("position")? == own {
        return Ok(None);
    }
    Ok(Some(Ahead {
        parked: fields.get("parked")?,
        next_at: fields.time("next_at")?,
    }))
}

async fn names(conn: &mut SqliteConnection) -> sqlx::Result<HashMap<AgentGroupId, String>> {
    let rows = sqlx::query("SELECT id, name FROM agent_groups")
        .fetch_all(conn)
        .await?;
    let named = rows.iter().map(|row| {
        let fields = Fields::new("agent_groups", row);
        Ok((
            fields.parsed("id", AgentGroupId::parse)?,
            fields.get("name")?,
        ))
    });
    named.collect()
}

async fn parked(
    conn: &mut SqliteConnection,
    now: Timestamp,
) -> sqlx::Result<HashMap<String, Timestamp>> {
    let rows = sqlx::query("SELECT * FROM parked_channels WHERE parked_until > ?1")
        .bind(now.as_millisecond())
        .fetch_all(conn)
        .await?;
    let parked = rows.iter().map(|row| {
        let fields = Fields::new("parked_channels", row);
        Ok((fields.get("channel")?, fields.time("parked_until")?))
    });
    parked.collect()
}

fn happened(rows: &[SqliteRow]) -> sqlx::Result<Vec<Happened>> {
    let parse = |row: &SqliteRow| {
        let fields = Fields::new("trace", row);
        Ok(Happened {
            id: fields.get("id")?,
            at: fields.time("at")?,
            seq: fields.get("seq")?,
            event: fields.json("detail")?,
        })
    };
    rows.iter().map(parse).collect()
}
