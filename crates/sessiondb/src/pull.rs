//! What the host reads from the hostile `outbound.db`, judged row by row.

use anchorhold_core::{order::JUMP_LIMIT, sandbox::Generation, turn_failure::FailureClass};
use jiff::Timestamp;
use rusqlite::{Connection, params, types::ValueRef};
use serde::{Deserialize, Serialize};

use crate::{
    Error, HostSide, Outbound, Seq, Trouble, Undecodable,
    envelope::{Envelope, Opened},
    schema::{self, LATER_SINCE},
};

/// The most rows of each kind that one reading takes.
const ROWS_LIMIT: u32 = 64;
/// The longest detail of a failed message that is kept, in characters.
const DETAIL_LIMIT: usize = 500;

/// How far the host has read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cursors {
    /// The last message taken.
    pub out: i64,
    /// The last end of a message taken.
    pub handled: i64,
}

/// What is wrong with a file that has a number above its ceiling.
pub(crate) const BEYOND: &str = "it has numbers that no agent can have come to";

/// The highest numbers that are believed.
#[derive(Clone, Copy)]
pub(crate) struct Ceilings {
    out: i64,
    handled: i64,
}

impl Ceilings {
    pub(crate) fn above(cursors: Cursors, highest: i64) -> Self {
        let above = |known: i64| known.saturating_add(JUMP_LIMIT).min(Seq::MAX);
        Self {
            out: above(cursors.out.max(highest)),
            handled: above(cursors.handled),
        }
    }

    /// Has the file a number above them?
    pub(crate) fn exceeded(self, connection: &Connection) -> Result<bool, rusqlite::Error> {
        connection.query_row(
            "SELECT EXISTS (SELECT 1 FROM messages WHERE seq > ?1)
                 OR EXISTS (SELECT 1 FROM handled WHERE number > ?2)",
            params![self.out, self.handled],
            |row| row.get(0),
        )
    }
}

/// What one reading found.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Pulled {
    /// How far was read; to be stored together with what was found.
    pub cursors: Cursors,
    /// What the agent says, in order.
    pub rows: Vec<OutboundRow>,
    /// Which messages ended, in order.
    pub handled: Vec<HandledRow>,
    /// Rows that were refused.
    pub rejected: Vec<Rejected>,
    /// Messages that a runner has taken and not ended.
    pub claims: Vec<Claim>,
    /// Is there more to read than one reading takes?
    pub more: bool,
}

/// One thing the agent says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OutboundRow {
    /// Its number.
    pub seq: Seq,
    /// The message it answers. Claimed by the sandbox: check that the session has it.
    pub in_reply_to: Option<Seq>,
    /// What to do.
    pub op: Outbound,
    /// The destination that it names, if it is not for the conversation of what it answers.
    pub to: Option<String>,
    /// Does the sandbox wait to be told what becomes of it?
    pub awaited: bool,
}

/// The end of one message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HandledRow {
    /// Which message. Claimed by the sandbox: check that the session has it.
    pub seq: Seq,
    /// How it ended.
    pub state: HandledState,
}

/// How a message ended inside.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum HandledState {
    /// A turn that saw it ended well.
    Done,
    /// The turn failed, for this reason.
    Failed(String),
    /// The runner did not understand it.
    Unknown(String),
    /// A person stopped the turn that had taken it: it is neither answered nor tried again.
    Stopped,
    /// A turn that saw it ended well, begun again without what its provider had remembered.
    DoneAfresh,
    /// The provider failed, and would again.
    Surfaced(Trouble),
    /// The provider failed; the sandbox means to try again at this time, which is not judged yet.
    Later(Trouble, Timestamp),
}

/// A row that was refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rejected {
    /// Its number, as it stood there.
    pub seq: i64,
    /// Why.
    pub why: String,
}

/// A message that a runner has taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Claim {
    /// Which message.
    pub seq: Seq,
    /// By which sandbox.
    pub generation: Generation,
}

impl HostSide {
    /// Reads what is new since `cursors`. An absent file is an empty one. `highest` is the highest
    /// number that the host itself has given in this session.
    ///
    /// Reading again from the same cursors finds the same rows, so a caller that could not store
    /// them simply reads again.
    pub fn pull(&self, cursors: Cursors, highest: i64) -> Result<Pulled, Error> {
        let path = self.layout.outbound();
        let failed = Error::sql(&path, "read");
        let pulled = self.outbound(|connection| {
            let mut pulled = Pulled {
                cursors,
                ..Pulled::default()
            };
            // One snapshot: an answer and the end of its message are seen together or not at all.
            let snapshot = connection.transaction().map_err(&failed)?;
            let ceilings = Ceilings::above(cursors, highest);
            read_rows(&snapshot, &mut pulled, ceilings.out).map_err(&failed)?;
            read_handled(&snapshot, &mut pulled, ceilings.handled).map_err(&failed)?;
            pulled.claims = read_claims(&snapshot).map_err(&failed)?;
            // What is good is taken first; the next reading then finds nothing but this.
            if pulled.cursors == cursors && ceilings.exceeded(&snapshot).map_err(&failed)? {
                return Err(Error::hostile(&path, BEYOND));
            }
            // Rows that moved no cursor would be found again for ever.
            pulled.more &= pulled.cursors != cursors;
            Ok(pulled)
        })?;
        Ok(pulled.unwrap_or(Pulled {
            cursors,
            ..Pulled::default()
        }))
    }
}

fn read_rows(
    connection: &Connection,
    pulled: &mut Pulled,
    ceiling: i64,
) -> Result<(), rusqlite::Error> {
    let mut statement = connection.prepare_cached(
        "SELECT seq, in_reply_to, kind, version, payload FROM messages
         WHERE seq > ?1 AND seq <= ?2 ORDER BY seq LIMIT ?3",
    )?;
    let mut rows = statement.query(params![pulled.cursors.out, ceiling, ROWS_LIMIT])?;
    let mut count = 0_u32;
    while let Some(row) = rows.next()? {
        count += 1;
        let raw: i64 = row.get(0)?;
        // In a damaged tree rows can come twice or backwards: each is taken once, forwards.
        if raw <= pulled.cursors.out {
            pulled.rejected.push(Rejected {
                seq: raw,
                why: "out of order".to_owned(),
            });
            continue;
        }
        match decode_row(row, raw) {
            Ok(row) => pulled.rows.push(row),
            Err(why) => pulled.rejected.push(Rejected { seq: raw, why }),
        }
        pulled.cursors.out = raw;
    }
    pulled.more |= count == ROWS_LIMIT;
    Ok(())
}

fn decode_row(row: &rusqlite::Row<'_>, raw: i64) -> Result<OutboundRow, String> {
    let seq = Seq::new(raw)
        .filter(|seq| !seq.is_host())
        .ok_or("not a number of an agent")?;
    let in_reply_to = match row.get_ref(1) {
        Ok(ValueRef::Integer(raw)) => Some(Seq::new(raw).ok_or("answers an impossible number")?),
        Ok(ValueRef::Null) => None,
        Ok(_) | Err(_) => return Err("the number it answers is no number".to_owned()),
    };
    let kind = text(row, 2).ok_or("the kind is no text")?;
    let version = row
        .get::<_, i64>(3)
        .map_err(|_not_a_number| "the version is no number")?;
    let payload = text(row, 4).ok_or("the payload is no text")?;
    let Opened { to, awaited, op } =
        Envelope::open(kind, version, payload).map_err(|why: Undecodable| why.to_string())?;
    Ok(OutboundRow {
        seq,
        in_reply_to,
        op,
        to,
        awaited,
    })
}

fn read_handled(
    connection: &Connection,
    pulled: &mut Pulled,
    ceiling: i64,
) -> Result<(), rusqlite::Error> {
    // A sandbox that outlived an update of the host writes the version it began with.
    let later = if schema::version(connection)? < LATER_SINCE {
        "NULL, NULL"
    } else {
        "class, until_at"
    };
    let mut statement = connection.prepare_cached(&format!(
        "SELECT number, seq, state, detail, {later} FROM handled
         WHERE number > ?1 AND number <= ?2 ORDER BY number LIMIT ?3",
    ))?;
    let mut rows = statement.query(params![pulled.cursors.handled, ceiling, ROWS_LIMIT])?;
    let mut count = 0_u32;
    while let Some(row) = rows.next()? {
        count += 1;
        let number: i64 = row.get(0)?;
        let seq: i64 = row.get(1)?;
        // One that waited for its provider and was taken again before it was read: it still has its
        // number, and what becomes of it comes under the next.
        let taken_again = text(row, 2) == Some("claimed");
        let found = Seq::new(seq).filter(|seq| seq.is_host());
        match (found, handled_state(row)) {
            (Some(seq), Some(state)) if number > pulled.cursors.handled => {
                pulled.handled.push(HandledRow { seq, state });
            }
            (Some(_), None) if taken_again => {}
            _ => pulled.rejected.push(Rejected {
                seq,
                why: "not the end of a message".to_owned(),
            }),
        }
        pulled.cursors.handled = pulled.cursors.handled.max(number);
    }
    pulled.more |= count == ROWS_LIMIT;
    Ok(())
}

fn handled_state(row: &rusqlite::Row<'_>) -> Option<HandledState> {
    let detail: String = text(row, 3)
        .unwrap_or_default()
        .chars()
        .take(DETAIL_LIMIT)
        .collect();
    let class = text(row, 4).and_then(FailureClass::parse);
    match (text(row, 2)?, class) {
        ("done", None) => Some(HandledState::Done),
        ("done", Some(_)) => Some(HandledState::DoneAfresh),
        ("failed", None) => Some(HandledState::Failed(detail)),
        ("failed", Some(class)) => Some(HandledState::Surfaced(Trouble { class, detail })),
        ("unknown", _) => Some(HandledState::Unknown(detail)),
        ("stopped", _) => Some(HandledState::Stopped),
        ("later", Some(class)) => {
            let until = Timestamp::from_millisecond(row.get(5).ok()?).ok()?;
            Some(HandledState::Later(Trouble { class, detail }, until))
        }
        _ => None,
    }
}

/// Only what looks like a claim is one; a forged row can at most hide a claim of its own session.
pub(crate) fn read_claims(connection: &Connection) -> Result<Vec<Claim>, rusqlite::Error> {
    let mut statement = connection.prepare_cached(
        "SELECT seq, generation FROM handled WHERE state = 'claimed' ORDER BY seq LIMIT ?1",
    )?;
    let mut rows = statement.query([ROWS_LIMIT])?;
    let mut claims = Vec::new();
    while let Some(row) = rows.next()? {
        let seq = row
            .get::<_, i64>(0)
            .ok()
            .and_then(Seq::new)
            .filter(|seq| seq.is_host());
        let generation = row.get::<_, u32>(1).ok().map(Generation);
        claims.extend(
            seq.zip(generation)
                .map(|(seq, generation)| Claim { seq, generation }),
        );
    }
    Ok(claims)
}

fn text<'a>(row: &'a rusqlite::Row<'_>, index: usize) -> Option<&'a str> {
    match row.get_ref(index) {
        Ok(ValueRef::Text(bytes)) => std::str::from_utf8(bytes).ok(),
        Ok(_) | Err(_) => None,
    }
}
