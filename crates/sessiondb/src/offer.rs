//! What the runner finds to do in `inbound.db`, and in what order.

use anchorhold_core::context::Room;
use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension, Row, params};

use crate::{
    Control, Error, Inbound, RunnerSide, Seq, Settings, Undecodable, layout::INBOUND,
    payload::CONTROL,
};

/// What there is to do. What [`RunnerSide::offer`] gives is one of: something to stop, messages
/// that are not understood, a turn to run, a compaction, nothing.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Offer {
    /// Messages to answer in one turn, oldest first, context included. Empty if nothing wakes.
    pub rows: Vec<InboundRow>,
    /// Context before them that is too much for one turn: to be ended with it, unseen.
    pub surplus: Vec<Seq>,
    /// Messages that this runner does not understand: to be ended as unknown.
    pub unknown: Vec<UnknownRow>,
    /// When the next message that has to wait becomes due.
    pub next_due: Option<Timestamp>,
    /// Commands to stop that came while no turn ran: to be ended as done.
    pub stops: Vec<Seq>,
    /// What was in a turn that died, or waits for its provider, and was then stopped: to be ended
    /// with those commands, as stopped, since what a person has stopped is not tried again.
    pub stopped: Vec<Seq>,
    /// The command to compact, when it is its turn.
    pub compact: Option<Seq>,
}

/// A message to answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InboundRow {
    /// Its number.
    pub seq: Seq,
    /// Does it wake the agent, or is it context?
    pub triggers: bool,
    /// How often it was tried before.
    pub tries: u32,
    /// How often a provider failed with it, which is not counted as a try.
    pub failures: u32,
    /// Where it was said, as one text: those of one conversation and thread have the same.
    pub place: String,
    /// When the host stored it.
    pub created_at: Timestamp,
    /// What it says.
    pub payload: Inbound,
}

/// A message that this runner does not understand.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnknownRow {
    /// Its number.
    pub seq: Seq,
    /// Why it is not understood.
    pub why: String,
}

/// A row of `inbound.db`, for [`read_row`].
pub(crate) const ROW: &str =
    "SELECT seq, triggers, tries, due_at, kind, version, payload, created_at,
         channel || '/' || chat || coalesce('/' || thread, '') FROM messages";

/// What is being looked for.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Look {
    /// Something to do while nothing runs.
    Next,
    /// More for the turn that runs.
    FollowUps,
}

/// How far the agent is with a message.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Standing {
    /// Nobody has taken it, or a sandbox that is gone.
    Waits,
    /// Its provider failed; before `until` it is not tried again.
    Later {
        /// When that was written down.
        at: Timestamp,
        until: Timestamp,
    },
    /// This very sandbox has taken it.
    Taken,
    /// It has ended.
    Ended,
}

/// A message, and how much room it takes as context.
struct Candidate {
    row: InboundRow,
    bytes: usize,
}

impl RunnerSide {
    /// Messages that are due and have not ended, oldest first, at most `limit` that wake.
    ///
    /// A message that waits for its next try holds back the later ones: order comes before speed.
    /// What waits for its provider is offered together again, as it was in the turn that failed.
    /// One that was tried before is the only one of its turn that wakes, and so is a task, which has no
    /// context either.
    /// Context is offered only together with a message after it that wakes, the newest of it.
    /// Commands to stop come before everything else, one to compact where it stands in the order.
    pub fn offer(&mut self, limit: u32, now: Timestamp) -> Result<Offer, Error> {
        let inbound = self.snapshot()?;
        self.offer_in(&inbound, limit, now)
    }

    /// What [`RunnerSide::offer`] gives, as many messages as the host's settings allow, with these.
    pub fn look(&mut self, now: Timestamp) -> Result<(Settings, Offer), Error> {
        let inbound = self.snapshot()?;
        let settings = self.settings_in(&inbound)?;
        let limit = settings.prompt_messages.max(1);
        let offer = self.offer_in(&inbound, limit, now)?;
        Ok((settings, offer))
    }

    /// No command to stop comes between two looks at it.
    fn snapshot(&self) -> Result<Connection, Error> {
        let inbound = self.inbound()?;
        inbound
            .execute_batch("BEGIN")
            .map_err(Error::sql(&self.layout.in_dir.join(INBOUND), "read"))?;
        Ok(inbound)
    }

    fn offer_in(
        &mut self,
        inbound: &Connection,
        limit: u32,
        now: Timestamp,
    ) -> Result<Offer, Error> {
        let stops = self.stops_in(inbound)?;
        if let Some(last) = stops.last() {
            let stopped = self.tried_before(inbound, *last, &stops)?;
            return Ok(Offer {
                stops,
                stopped,
                ..Offer::default()
            });
        }
        self.find(inbound, Look::Next, limit, now)
    }

    /// What came while a turn of this sandbox runs and can join it, oldest first, at most `limit`
    /// that wake; only [`Offer::rows`] and [`Offer::surplus`] are filled.
    ///
    /// What was tried before is not offered, nor a task, nor anything after it or after a command to compact:
    /// these wait for a turn of their own, and the order is kept.
    pub fn follow_ups(&mut self, limit: u32, now: Timestamp) -> Result<Offer, Error> {
        let inbound = self.inbound()?;
        let found = self.find(&inbound, Look::FollowUps, limit, now)?;
        Ok(Offer {
            rows: found.rows,
            surplus: found.surplus,
            ..Offer::default()
        })
    }

    /// Commands to stop that have not ended, oldest first.
    pub fn stops(&self) -> Result<Vec<Seq>, Error> {
        self.stops_in(&self.inbound()?)
    }

    fn stops_in(&self, inbound: &Connection) -> Result<Vec<Seq>, Error> {
        let path = self.layout.in_dir.join(INBOUND);
        let failed = Error::sql(&path, "read");
        let mut statement = inbound
            .prepare(
                "SELECT seq, kind, version, payload FROM messages
                 WHERE status = 'open' AND seq > ?1 AND kind = ?2 ORDER BY seq",
            )
            .map_err(&failed)?;
        let mut rows = statement
            .query(params![self.low_water, CONTROL])
            .map_err(&failed)?;
        let mut stops = Vec::new();
        while let Some(row) = rows.next().map_err(&failed)? {
            let seq = row.get(0).map(Seq::new).map_err(&failed)?;
            let payload = payload(row, 1).map_err(&failed)?;
            if let (Some(seq), Ok(Inbound::Control(Control::Stop))) = (seq, payload)
                && self.standing(seq)?.0 != Standing::Ended
            {
                stops.push(seq);
            }
        }
        Ok(stops)
    }

    /// What was tried or waits for its provider, is older than `stop` and has not ended.
    fn tried_before(
        &self,
        inbound: &Connection,
        stop: Seq,
        stops: &[Seq],
    ) -> Result<Vec<Seq>, Error> {
        let path = self.layout.in_dir.join(INBOUND);
        let tried = inbound
            .prepare(
                "SELECT seq, tries > 0 FROM messages WHERE status = 'open'
                 AND seq > ?1 AND seq < ?2 ORDER BY seq",
            )
            .and_then(|mut statement| {
                let rows = statement.query_map(params![self.low_water, stop.get()], |row| {
                    Ok((row.get::<_, i64>(0)?, row.get::<_, bool>(1)?))
                })?;
                rows.collect::<Result<Vec<_>, _>>()
            })
            .map_err(Error::sql(&path, "read"))?;
        let mut stopped = Vec::new();
        for (raw, tried) in tried {
            let Some(seq) = Seq::new(raw).filter(|seq| !stops.contains(seq)) else {
                continue;
            };
            match self.standing(seq)?.0 {
                Standing::Later { .. } => stopped.push(seq),
                Standing::Waits | Standing::Taken if tried => stopped.push(seq),
                Standing::Waits | Standing::Taken | Standing::Ended => {}
            }
        }
        Ok(stopped)
    }

    fn find(
        &mut self,
        inbound: &Connection,
        look: Look,
        limit: u32,
        now: Timestamp,
    ) -> Result<Offer, Error> {
        self.seen = Some(self.see(inbound)?);
        let path = self.layout.in_dir.join(INBOUND);
        let failed = Error::sql(&path, "read");
        let mut statement = inbound
            .prepare(&format!(
                "{ROW} WHERE status = 'open' AND seq > ?1
                 AND (fresh_only IS NULL OR fresh_only < ?2) ORDER BY seq",
            ))
            .map_err(&failed)?;
        let mut rows = statement
            .query(params![self.low_water, self.generation.0])
            .map_err(&failed)?;
        let mut offer = Offer::default();
        let mut found: Vec<Candidate> = Vec::new();
        let mut all_ended = true;
        let mut waking = 0_u32;
        while waking < limit
            && let Some(row) = rows.next().map_err(&failed)?
        {
            let raw: i64 = row.get(0).map_err(&failed)?;
            let Some(seq) = Seq::new(raw) else { continue };
            let (standing, failures) = self.standing(seq)?;
            all_ended &= standing == Standing::Ended;
            if all_ended {
                self.low_water = raw;
            }
            match (standing, look) {
                (Standing::Ended, _) | (Standing::Taken, Look::FollowUps) => continue,
                // It has a turn of its own, or of its own kind.
                (Standing::Later { .. }, Look::FollowUps) => break,
                (Standing::Waits, _) | (Standing::Taken | Standing::Later { .. }, Look::Next) => {}
            }
            let due = Timestamp::from_millisecond(row.get(3).map_err(&failed)?).unwrap_or(now);
            let due = match standing {
                // What was written in the future was written before the clock was set back.
                Standing::Later { at, until } if at <= now => due.max(until),
                Standing::Later { .. } | Standing::Waits | Standing::Taken | Standing::Ended => due,
            };
            if due > now {
                offer.next_due = Some(due);
                break;
            }
            let candidate = match decode(row, seq, failures).map_err(&failed)? {
                Ok(candidate) => candidate,
                Err(unknown) => {
                    offer.unknown.push(unknown);
                    continue;
                }
            };
            if let Inbound::Control(command) = candidate.row.payload {
                // A turn before it goes first, and what is after it waits for it.
                let its_turn = command == Control::Compact && waking == 0;
                offer.compact = its_turn.then_some(seq);
                break;
            }
            // What was in a turn that died is tried alone, so that it can be found out which
            // message it was, and the others don't share its fate. A task is a turn by itself: whether
            // there is one its script decides.
            let is_task = matches!(candidate.row.payload, Inbound::Task(_));
            let alone = candidate.row.triggers && (candidate.row.tries > 0 || is_task);
            if alone && (waking > 0 || look == Look::FollowUps) {
                break;
            }
            if is_task {
                // What was overheard waits for somebody who speaks.
                found.clear();
            }
            waking += u32::from(candidate.row.triggers);
            found.push(candidate);
            if alone {
                break;
            }
        }
        offer.take(found, now);
        Ok(offer)
    }

    /// Has this message ended, and how often did a provider fail with it?
    pub(crate) fn has_ended(&self, seq: Seq) -> Result<(bool, u32), Error> {
        let (standing, failures) = self.standing(seq)?;
        Ok((standing == Standing::Ended, failures))
    }

    /// How far the agent is with a message, and how often a provider failed with it.
    fn standing(&self, seq: Seq) -> Result<(Standing, u32), Error> {
        let taken = self.beats.has_taken(seq);
        let found = self
            .outbound
            .prepare_cached(
                "SELECT state, coalesce(failures, 0), coalesce(until_at, 0), at
                 FROM handled WHERE seq = ?1",
            )
            .and_then(|mut statement| {
                let row = statement.query_row([seq.get()], |row| {
                    let standing = match row.get_ref(0)?.as_str()? {
                        "claimed" | "later" if taken => Standing::Taken,
                        // By the runner of a sandbox that is gone, and older than this program.
                        "claimed" => Standing::Waits,
                        "later" => Standing::Later {
                            at: Timestamp::from_millisecond(row.get(3)?).unwrap_or_default(),
                            until: Timestamp::from_millisecond(row.get(2)?).unwrap_or_default(),
                        },
                        _ => Standing::Ended,
                    };
                    Ok((standing, row.get::<_, u32>(1)?))
                });
                row.optional()
            })
            .map_err(Error::sql(&self.layout.outbound(), "read"))?;
        let fresh = if taken {
            Standing::Taken
        } else {
            Standing::Waits
        };
        Ok(found.unwrap_or((fresh, 0)))
    }
}

impl Offer {
    /// Takes over what was found, without the context that no message follows yet, and what is
    /// too much of the rest.
    fn take(&mut self, mut found: Vec<Candidate>, now: Timestamp) {
        let through_last = found
            .iter()
            .rposition(|candidate| candidate.row.triggers)
            .map_or(0, |at| at + 1);
        found.truncate(through_last);
        let mut room = Room::at(now);
        for Candidate { row, bytes } in found.into_iter().rev() {
            if row.triggers || room.takes(bytes, row.created_at) {
                self.rows.push(row);
            } else {
                self.surplus.push(row.seq);
            }
        }
        self.rows.reverse();
        self.surplus.reverse();
    }
}

/// Reads kind, version and payload from the columns that begin at `first`.
fn payload(row: &Row<'_>, first: usize) -> Result<Result<Inbound, Undecodable>, rusqlite::Error> {
    let kind = row.get_ref(first)?.as_str()?;
    let text = row.get_ref(first + 2)?.as_str()?;
    Ok(Inbound::decode(kind, row.get(first + 1)?, text))
}

fn decode(
    row: &Row<'_>,
    seq: Seq,
    failures: u32,
) -> Result<Result<Candidate, UnknownRow>, rusqlite::Error> {
    let bytes = row.get_ref(6)?.as_str()?.len();
    Ok(match read_row(row, seq, failures)? {
        Ok(row) => Ok(Candidate { row, bytes }),
        Err(why) => {
            let why = why.to_string();
            Err(UnknownRow { seq, why })
        }
    })
}

/// Reads a row that was found with [`ROW`].
pub(crate) fn read_row(
    row: &Row<'_>,
    seq: Seq,
    failures: u32,
) -> Result<Result<InboundRow, Undecodable>, rusqlite::Error> {
    let payload = match payload(row, 4)? {
        Ok(payload) => payload,
        Err(why) => return Ok(Err(why)),
    };
    Ok(Ok(InboundRow {
        seq,
        triggers: row.get(1)?,
        tries: row.get(2)?,
        failures,
        place: row.get(8)?,
        created_at: Timestamp::from_millisecond(row.get(7)?).unwrap_or_default(),
        payload,
    }))
}
