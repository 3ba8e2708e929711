//! For how long a platform asks to wait.

use std::time::Duration;

use jiff::{Timestamp, fmt::rfc2822};
use reqwest::header::{HeaderMap, RETRY_AFTER};

/// The longest wait that is believed: a platform that asks for more is asked again after this.
pub const LONGEST: Duration = Duration::from_hours(1);

/// The header `Retry-After`: seconds, also with a fraction, or a date (RFC 9110, 10.2.3).
/// `None` where it is not there or says nothing of the kind.
pub fn retry_after(headers: &HeaderMap, now: Timestamp) -> Option<Duration> {
    let text = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
    let wait = match text.parse::<f64>() {
        Ok(seconds) => Duration::try_from_secs_f64(seconds).ok()?,
        Err(_not_a_number) => until(text, now)?,
    };
    Some(wait.min(LONGEST))
}

/// The time until a date; none at all where it is over.
fn until(text: &str, now: Timestamp) -> Option<Duration> {
    let at = rfc2822::DateTimeParser::new().parse_timestamp(text).ok()?;
    Some(Duration::try_from(at.duration_since(now)).unwrap_or_default())
}

#[cfg(test)]
mod tests;
