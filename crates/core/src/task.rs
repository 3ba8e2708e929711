//! When tasks run: every decision about a schedule, from the time that is handed in.
//!
//! A schedule is a moment or a cron expression in a time zone. What it says of an hour that the clocks
//! skip or repeat: a time of day that doesn't exist counts as the first moment after the gap, one that
//! comes twice as its first coming, and what runs at any hour (`*` in that field) goes on by the hour: not
//! in one that is skipped, in both where one comes twice.

mod parse;

use std::time::Duration;

use croner::{
    Cron,
    parser::{CronParser, Seconds, Year},
};
use jiff::{
    Span, Timestamp,
    civil::DateTime,
    tz::{AmbiguousOffset, TimeZone},
};

pub use parse::{BadSchedule, time, wait, zone_named};

use crate::retry::{Backoff, Next};

/// A task that failed so often in a row is paused.
pub const FAILURES_LIMIT: u32 = 5;
/// Between the runs of a task that fails; its schedule says when exactly.
const BACKOFF: Backoff = Backoff {
    first: Duration::from_mins(2),
    longest: Duration::from_hours(6),
    tries: FAILURES_LIMIT,
};
/// More runs than this are not counted when they were missed.
const MISSED_LIMIT: u32 = 1_000;
/// How far ahead anything is planned.
const AHEAD_LIMIT: Duration = Duration::from_hours(10 * 366 * 24);
/// So many times in a row can lie in an hour that comes twice, where its first coming is over.
const REPEATED_LIMIT: usize = 2_000;
/// So many runs are looked at to find the two that are closest: each day's are the same minutes, and
/// a day has no more of those that keep the distance of a few minutes.
const APART_LOOK: usize = 300;

/// When a task runs.
#[derive(Clone, Debug)]
pub enum Schedule {
    /// Once, at this time.
    Once(Timestamp),
    /// Again and again.
    Recurring(Box<Recurrence>),
}

/// A cron expression in a time zone.
#[derive(Clone, Debug)]
pub struct Recurrence {
    cron: Cron,
    zone: TimeZone,
    /// Does it run at any hour, and not at certain ones?
    any_hour: bool,
}

/// What is done about a task that is due.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Firing {
    /// So many more runs were due by now; this one stands for them, too.
    pub missed: u32,
    /// When it is due next, if ever.
    pub next_at: Option<Timestamp>,
}

/// How a run ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    /// With an answer, or without one where none was called for.
    Well,
    /// It was not brought to its end.
    Failed,
}

/// Where a task stands after a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Standing {
    /// How many runs in a row have failed.
    pub failures: u32,
    /// What follows.
    pub follows: Follows,
}

/// What follows a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Follows {
    /// The next one, at this time.
    At(Timestamp),
    /// None until somebody resumes the task: it failed too often.
    Paused,
    /// None: the schedule has come to its end.
    Over,
}

impl Schedule {
    /// Once, at `at`, which has to be after `now`.
    pub fn once(at: Timestamp, now: Timestamp) -> Result<Self, BadSchedule> {
        if at <= now {
            return Err(BadSchedule::Past);
        }
        if at > later(now, AHEAD_LIMIT) {
            return Err(BadSchedule::TooFar);
        }
        Ok(Self::Once(at))
    }

    /// Again and again by a cron expression of five fields in `zone`, with at least `apart` between
    /// two runs, and with a first one at all.
    pub fn recurring(
        cron: &str,
        zone: TimeZone,
        apart: Duration,
        now: Timestamp,
    ) -> Result<Self, BadSchedule> {
        let recurrence = Recurrence::parse(cron, zone)?;
        if recurrence.next_after(now).is_none() {
            return Err(BadSchedule::Never);
        }
        if recurrence.shortest(now).is_some_and(|gap| gap < apart) {
            return Err(BadSchedule::TooOften { apart });
        }
        Ok(Self::Recurring(Box::new(recurrence)))
    }

    /// The schedule that is on record: checked when it came there.
    pub fn on_record(
        cron: Option<&str>,
        zone: TimeZone,
        once_at: Timestamp,
    ) -> Result<Self, BadSchedule> {
        match cron {
            Some(cron) => Ok(Self::Recurring(Box::new(Recurrence::parse(cron, zone)?))),
            None => Ok(Self::Once(once_at)),
        }
    }

    /// The first time after `after`.
    pub fn next_after(&self, after: Timestamp) -> Option<Timestamp> {
        match self {
            Self::Once(at) => (*at > after).then_some(*at),
            Self::Recurring(recurrence) => recurrence.next_after(after),
        }
    }

    /// What is done about a task that has been due since `due_at`: one run, however many were missed.
    pub fn fire(&self, due_at: Timestamp, now: Timestamp) -> Firing {
        let Self::Recurring(recurrence) = self else {
            return Firing {
                missed: 0,
                next_at: None,
            };
        };
        let mut missed = 0;
        let mut next_at = recurrence.next_after(due_at);
        while let Some(at) = next_at
            && at <= now
        {
            if missed == MISSED_LIMIT {
                next_at = recurrence.next_after(now);
                break;
            }
            missed += 1;
            next_at = recurrence.next_after(at);
        }
        Firing { missed, next_at }
    }

    /// What follows a run that ended at `now`, of a task whose last `failures` runs had failed and that
    /// is planned for `next_at`. What became due while it ran is left out.
    pub fn follows(
        &self,
        ended: Ended,
        failures: u32,
        next_at: Option<Timestamp>,
        now: Timestamp,
    ) -> Standing {
        let failures = match ended {
            Ended::Well => 0,
            Ended::Failed => failures.saturating_add(1),
        };
        let follows = match self {
            Self::Once(_) => next_at.map_or(Follows::Over, Follows::At),
            Self::Recurring(recurrence) => recurrence.follows(failures, next_at, now),
        };
        Standing { failures, follows }
    }

    /// The next time of a task after the clock was set back to `now`: what a clock that was wrong has
    /// planned too late comes as soon as it should, and what has run already doesn't run again.
    pub fn after_set_back(
        &self,
        next_at: Timestamp,
        last_due: Option<Timestamp>,
        now: Timestamp,
    ) -> Option<Timestamp> {
        let Self::Recurring(recurrence) = self else {
            return Some(next_at);
        };
        let soon = later(now, Duration::from_hours(24));
        let after = last_due.filter(|last| *last <= soon).unwrap_or(now);
        let planned = recurrence.next_after(after.max(now));
        planned.map(|planned| planned.min(next_at))
    }
}

impl Recurrence {
    fn parse(cron: &str, zone: TimeZone) -> Result<Self, BadSchedule> {
        let parser = CronParser::builder()
            .seconds(Seconds::Disallowed)
            .year(Year::Disallowed)
            .build();
        let any_hour = match cron.split_whitespace().nth(1) {
            Some(hours) => hours.contains('*'),
            None => cron.trim().eq_ignore_ascii_case("@hourly"),
        };
        match parser.parse(cron.trim()) {
            Ok(cron) => Ok(Self {
                cron,
                zone,
                any_hour,
            }),
            Err(why) => Err(BadSchedule::Cron {
                why: why.to_string(),
            }),
        }
    }

    fn next_after(&self, after: Timestamp) -> Option<Timestamp> {
        let from = after.to_zoned(self.zone.clone());
        if self.any_hour {
            // silent: an expression whose time never comes has none
            let found = self.cron.find_next_occurrence(&from, false).ok()?;
            return Some(found.timestamp()).filter(|found| *found > after);
        }
        // The calendar as if its clocks were never changed, and then what they really show.
        let mut local = from.datetime().to_zoned(TimeZone::UTC).ok()?;
        for _ in 0..REPEATED_LIMIT {
            local = self.cron.find_next_occurrence(&local, false).ok()?;
            let at = shown(local.datetime(), &self.zone)?;
            if at > after {
                return Some(at);
            }
        }
        None
    }

    /// The shortest time between two runs that come one after the other.
    fn shortest(&self, now: Timestamp) -> Option<Duration> {
        let mut last = self.next_after(now)?;
        let mut shortest: Option<Duration> = None;
        for _ in 0..APART_LOOK {
            let Some(next) = self.next_after(last) else {
                break;
            };
            let gap = next.duration_since(last).unsigned_abs();
            shortest = Some(shortest.map_or(gap, |known| known.min(gap)));
            last = next;
        }
        shortest
    }

    fn follows(&self, failures: u32, next_at: Option<Timestamp>, now: Timestamp) -> Follows {
        let after = match (failures, BACKOFF.next(failures, None, 0)) {
            (0, _) => now,
            (_, Next::After(wait)) => later(now, wait),
            (_, Next::GiveUp) => return Follows::Paused,
        };
        let planned = next_at.filter(|at| *at > after);
        let next = planned.or_else(|| self.next_after(after));
        next.map_or(Follows::Over, Follows::At)
    }
}

/// When clocks in `zone` show `local` first; where they skip it, when they have jumped.
fn shown(local: DateTime, zone: &TimeZone) -> Option<Timestamp> {
    let ambiguous = zone.to_ambiguous_timestamp(local);
    if let AmbiguousOffset::Gap { before, .. } = ambiguous.offset() {
        // As much later as they jump is after the jump in any case.
        let at = before.to_timestamp(local).ok()?;
        let jump = zone
            .preceding(at.checked_add(Span::new().nanoseconds(1)).ok()?)
            .next()?;
        return Some(jump.timestamp());
    }
    ambiguous.earlier().ok()
}

fn later(now: Timestamp, span: Duration) -> Timestamp {
    now.checked_add(span).unwrap_or(Timestamp::MAX)
}

#[cfg(test)]
mod tests;
