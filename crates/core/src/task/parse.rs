//! Times and zones as people and agents write them.

use std::time::Duration;

use jiff::{Span, Timestamp, Zoned, civil::DateTime, tz::TimeZone};

/// A schedule that can't be. For whoever wrote it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadSchedule {
    /// The expression is none.
    #[error(
        "that is no cron expression of five fields (minute hour day month weekday), e.g. \
         `30 9 * * 1-5`: {why}"
    )]
    Cron {
        /// What is wrong with it.
        why: String,
    },
    /// Its times come too close.
    #[error("it would run too often: at least {} minutes have to be between two runs", apart.as_secs() / 60)]
    TooOften {
        /// How long has to be between two runs.
        apart: Duration,
    },
    /// Its times never come.
    #[error("it would never run")]
    Never,
    /// The time is over.
    #[error("that time is past")]
    Past,
    /// The time is too far in the future.
    #[error("that is more than ten years ahead")]
    TooFar,
    /// The text is no time.
    #[error(
        "that is no time: write `2026-12-24 18:30`, or with its offset `2026-12-24T18:30:00+01:00`"
    )]
    Time,
    /// The text is no span of time.
    #[error("that is no span of time: write e.g. `20 minutes` or `2h 30m`")]
    Wait,
    /// No such zone is known.
    #[error(
        "there is no such time zone: write its name in the IANA database, e.g. `Europe/Berlin`"
    )]
    Zone,
}

/// The zone that has this name in the IANA database.
pub fn zone_named(name: &str) -> Result<TimeZone, BadSchedule> {
    // silent: only whether there is one matters to whoever wrote it
    TimeZone::get(name).map_err(|_unknown| BadSchedule::Zone)
}

/// The moment that `text` names; without an offset of its own it is local time in `zone`. A time that
/// comes twice there is its first coming, one that doesn't exist comes as much later as clocks jump.
pub fn time(text: &str, zone: &TimeZone) -> Result<Timestamp, BadSchedule> {
    let text = text.trim();
    if let Ok(zoned) = text.parse::<Zoned>() {
        return Ok(zoned.timestamp());
    }
    if let Ok(at) = text.parse::<Timestamp>() {
        return Ok(at);
    }
    // A date alone would be its midnight, which few mean.
    let local = text.contains(':').then(|| text.parse::<DateTime>().ok());
    let local = local.flatten().ok_or(BadSchedule::Time)?;
    // silent: a time beyond all calendars
    let zoned = local
        .to_zoned(zone.clone())
        .map_err(|_beyond| BadSchedule::Time)?;
    Ok(zoned.timestamp())
}

/// The moment that is so long after `now`; days are those of the calendar in `zone`.
pub fn wait(text: &str, zone: &TimeZone, now: Timestamp) -> Result<Timestamp, BadSchedule> {
    let span: Span = text.trim().parse().map_err(|_none| BadSchedule::Wait)?;
    let at = now.to_zoned(zone.clone()).checked_add(span);
    at.map(|at| at.timestamp())
        .map_err(|_beyond| BadSchedule::TooFar)
}
