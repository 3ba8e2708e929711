//! What calls of models took.

use std::time::Duration;

use anchorhold_admin::request::Reply;
use anchorhold_store::requests_out::SpendBy;
use jiff::Timestamp;

use crate::admin::{lookup::Lookup, reads, refusal::Refusal};

const DAY: Duration = Duration::from_hours(24);
/// So many days where the request doesn't say.
const DAYS: u64 = 30;

/// Answers `spend`.
pub(super) async fn spend(lookup: &Lookup<'_>) -> Result<Reply, Refusal> {
    let by = lookup.choice("by", SpendBy::parse)?.unwrap_or(SpendBy::Day);
    let days = lookup.checked.text("days").map(str::parse);
    let days = days.and_then(Result::ok).unwrap_or(DAYS);
    let group = lookup.optional_group("group").await?;
    let since = first_of(lookup.base.now(), days);
    let limit = lookup.checked.limit();
    let store = &lookup.base.store;
    Ok(reads::rows(store.spend(by, since, group, limit).await?))
}

/// When the first of so many days began that end with the one of `now`, by UTC as all of it.
fn first_of(now: Timestamp, days: u64) -> Timestamp {
    let day_ms = i64::try_from(DAY.as_millis()).unwrap_or(i64::MAX);
    let today_ms = now
        .as_millisecond()
        .div_euclid(day_ms)
        .saturating_mul(day_ms);
    let before = i64::try_from(days.saturating_sub(1)).unwrap_or(i64::MAX);
    let first_ms = today_ms.saturating_sub(before.saturating_mul(day_ms));
    Timestamp::from_millisecond(first_ms).unwrap_or(Timestamp::MIN)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_begin_at_midnight_and_today_is_one_of_them() {
        let check = |now: &str, days, expect: &str| {
            let (now, expect): (Timestamp, Timestamp) =
                (now.parse().unwrap(), expect.parse().unwrap());
            assert_eq!(first_of(now, days), expect);
        };
        check("2026-03-02T13:14:15Z", 1, "2026-03-02T00:00:00Z");
        check("2026-03-02T00:00:00Z", 3, "2026-02-28T00:00:00Z");
        check("1969-12-31T23:59:59Z", 1, "1969-12-31T00:00:00Z");
    }
}
