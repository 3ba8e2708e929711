use jiff::{SignedDuration, Timestamp};

use super::*;

fn at(ms: i64) -> Timestamp {
    Timestamp::from_millisecond(ms).unwrap()
}

/// Asked for these sizes and ages, from the newest to the oldest, so many have room.
fn check(asked: impl IntoIterator<Item = (usize, Timestamp)>, now: Timestamp, kept: usize) {
    let mut room = Room::at(now);
    let answers: Vec<bool> = asked
        .into_iter()
        .map(|(bytes, created_at)| room.takes(bytes, created_at))
        .collect();
    assert_eq!(answers.iter().filter(|takes| **takes).count(), kept);
    // What is kept has no gaps.
    assert!(
        answers.is_sorted_by(|newer, older| newer >= older),
        "{answers:?}"
    );
}

#[test]
fn the_newest_context_is_kept_without_gaps() {
    let now = at(1_000);
    check((0..130).map(|_| (10, now)), now, CONTEXT_ROWS_LIMIT);
    let half = CONTEXT_BYTES_LIMIT / 2;
    check([(half, now), (half, now), (1, now)], now, 2);
    check([(CONTEXT_BYTES_LIMIT + 1, now), (1, now)], now, 0);
    check([(1, now), (half, now), (half, now), (1, now)], now, 2);
}

#[test]
fn context_is_kept_for_a_week() {
    let week = SignedDuration::try_from(CONTEXT_AGE_LIMIT).unwrap();
    let now = at(1_000) + week;
    check([(1, now), (1, at(1_000)), (1, at(999))], now, 2);
}
