//! What the host sees of sandboxes, and what it forgets.

use anchorhold_sessiondb::Seq;
use jiff::Timestamp;

use super::*;

const SECOND: Duration = Duration::from_secs(1);

fn session() -> SessionId {
    SessionId::mint(Timestamp::UNIX_EPOCH, [1; 10])
}

#[expect(
    clippy::disallowed_methods,
    reason = "an `Instant` can be had in no other way; only spans between two of them are seen"
)]
fn start() -> Instant {
    Instant::now()
}

/// A sandbox of this generation that began to run at `now`.
fn running(generation: u32, now: Instant) -> Live {
    let live = Live::default();
    let generation = Generation(generation);
    live.begin(session(), generation, now);
    live.started(session(), generation, now);
    live
}

fn progress(beat: u64, declared_ms: Option<u64>) -> Progress {
    Progress {
        generation: Generation(1),
        beat,
        declared_ms,
        taken: Vec::new(),
        ends: 0,
    }
}

fn claim(seq: i64) -> Claim {
    Claim {
        seq: Seq::new(seq).unwrap(),
        generation: Generation(1),
    }
}

#[test]
fn progress_is_when_the_counter_moves_and_not_what_it_says() {
    let t0 = start();
    let live = running(1, t0);
    let seen = |after: u32| live.observe(session(), t0 + SECOND * after).unwrap();
    assert_eq!(
        (seen(1).since_start, seen(1).since_progress),
        (SECOND, None)
    );

    live.note_read(session(), Some(progress(7, Some(9_000))), &[], t0 + SECOND);
    assert_eq!(seen(3).since_progress, Some(SECOND * 2));
    assert_eq!(seen(3).declared, Some(SECOND * 9));
    // The same beat again is no progress, and what it declares now changes nothing.
    live.note_read(session(), Some(progress(7, None)), &[], t0 + SECOND * 3);
    assert_eq!(seen(3).since_progress, Some(SECOND * 2));
    assert_eq!(seen(3).declared, Some(SECOND * 9));
    // Any other one is, also a lower one.
    live.note_read(session(), Some(progress(2, None)), &[], t0 + SECOND * 3);
    assert_eq!(seen(3).since_progress, Some(Duration::ZERO));
    assert_eq!(seen(3).declared, None);
    // A file that is not there says nothing.
    live.note_read(session(), None, &[], t0 + SECOND * 4);
    assert_eq!(seen(4).since_progress, Some(SECOND));
}

#[test]
fn the_oldest_claim_is_timed_from_when_it_was_first_seen() {
    let t0 = start();
    let live = running(1, t0);
    let read = |claims: &[Claim], after: u32| {
        let now = t0 + SECOND * after;
        live.note_read(session(), None, claims, now);
        live.observe(session(), now).unwrap().since_claim
    };
    assert_eq!(read(&[], 1), None);
    assert_eq!(read(&[claim(4), claim(2)], 2), Some(Duration::ZERO));
    assert_eq!(read(&[claim(2), claim(6)], 5), Some(SECOND * 3));
    // The oldest ended: the next one counts from now.
    assert_eq!(read(&[claim(4)], 6), Some(Duration::ZERO));
    assert_eq!(read(&[], 7), None);
}

#[test]
fn work_is_due_from_the_first_sight_and_from_each_end() {
    let t0 = start();
    let live = running(1, t0);
    let due = |after: u32| {
        live.observe(session(), t0 + SECOND * after)
            .unwrap()
            .since_due
    };
    let idle = |after: u32| live.idle(session(), t0 + SECOND * after);
    assert_eq!((due(2), idle(2)), (None, Some(SECOND * 2)));
    live.note_work(session(), true, t0 + SECOND * 2);
    live.note_work(session(), true, t0 + SECOND * 3);
    assert_eq!((due(4), idle(4)), (Some(SECOND * 2), None));
    live.note_end(session(), t0 + SECOND * 4);
    assert_eq!((due(5), idle(5)), (Some(SECOND), None));
    live.note_work(session(), false, t0 + SECOND * 5);
    live.note_work(session(), false, t0 + SECOND * 6);
    assert_eq!((due(7), idle(7)), (None, Some(SECOND * 2)));
    // An end without work makes none.
    live.note_end(session(), t0 + SECOND * 7);
    assert_eq!(due(7), None);
}

#[test]
fn a_file_that_can_not_be_read_is_timed_until_it_can() {
    let t0 = start();
    let live = running(1, t0);
    live.note_unreadable(session(), t0);
    live.note_unreadable(session(), t0 + SECOND);
    assert_eq!(
        live.unreadable(session(), t0 + SECOND * 2),
        Some(SECOND * 2)
    );
    live.note_read(session(), None, &[], t0 + SECOND * 2);
    assert_eq!(live.unreadable(session(), t0 + SECOND * 3), None);
}

#[test]
fn nc_pr_2151_nothing_is_judged_before_it_runs() {
    let t0 = start();
    let live = Live::default();
    live.begin(session(), Generation(2), t0);
    assert_eq!(live.observe(session(), t0 + SECOND), None);
    live.started(session(), Generation(1), t0 + SECOND);
    assert_eq!(live.observe(session(), t0 + SECOND), None);
    live.started(session(), Generation(2), t0 + SECOND * 2);
    live.started(session(), Generation(2), t0 + SECOND * 3);
    let seen = live.observe(session(), t0 + SECOND * 3).unwrap();
    assert_eq!(seen.since_start, SECOND);
}

#[test]
fn the_first_reason_to_end_it_stays() {
    let live = running(1, start());
    assert_eq!(live.ending(session()), None);
    live.condemn(session(), Ending::Judged(Verdict::Stalled));
    live.condemn(session(), Ending::Untrusted);
    live.condemn_all();
    assert_eq!(
        live.ending(session()),
        Some(Ending::Judged(Verdict::Stalled))
    );
    let other = running(1, start());
    other.condemn_all();
    other.condemn(session(), Ending::Untrusted);
    assert_eq!(other.ending(session()), Some(Ending::Asked));
}

#[test]
fn the_end_of_an_older_sandbox_takes_nothing_of_the_present_one() {
    let live = running(2, start());
    assert!(live.end(session(), Some(Generation(1))).is_none());
    assert_eq!(live.sessions(), [(session(), Generation(2))]);
    let ended = live.end(session(), Some(Generation(2))).unwrap();
    assert_eq!(ended.generation, Generation(2));
    assert_eq!(live.sessions(), []);
    assert!(live.end(session(), None).is_none());
}

#[test]
fn defect_36_a_new_sandbox_begins_with_nothing_of_the_last_one() {
    let t0 = start();
    let live = running(1, t0);
    live.note_read(
        session(),
        Some(progress(7, Some(7_200_000))),
        &[claim(2)],
        t0,
    );
    live.note_work(session(), true, t0);
    live.condemn(session(), Ending::Untrusted);
    live.begin(session(), Generation(2), t0 + SECOND);
    live.started(session(), Generation(2), t0 + SECOND);
    let seen = live.observe(session(), t0 + SECOND).unwrap();
    let expect = Observation {
        since_start: Duration::ZERO,
        since_progress: None,
        declared: None,
        since_due: None,
        since_claim: None,
    };
    assert_eq!(seen, expect);
    assert_eq!(live.ending(session()), None);
}

#[test]
fn failed_starts_wait_longer_each_time_until_a_message_is_taken_up() {
    let t0 = start();
    let live = running(1, t0);
    let held = |ms: u64| live.is_held(session(), t0 + Duration::from_millis(ms));
    assert!(!held(0));
    for (failed, wait_ms) in [(1, 1_000), (2, 2_000), (3, 4_000), (4, 8_000)] {
        assert_eq!(live.hold_back(session(), t0, 0), failed);
        assert!(held(wait_ms - 1), "{failed}");
        assert!(!held(wait_ms), "{failed}");
    }
    for _ in 0..10 {
        live.hold_back(session(), t0, 0);
    }
    assert!(held(59_999) && !held(60_000));
    // Coming up is not enough: whatever ends it may come right after.
    live.note_read(session(), Some(progress(1, None)), &[], t0);
    assert!(held(0));
    live.note_read(session(), Some(progress(2, None)), &[claim(2)], t0);
    assert!(!held(0));
    assert_eq!(live.hold_back(session(), t0, 0), 1);
    live.note_end(session(), t0);
    assert!(!held(0));
    live.hold_back(session(), t0, 0);
    live.release_all();
    assert!(!held(0));
}

#[test]
fn nothing_of_a_session_that_has_no_sandbox_is_noted() {
    let live = Live::default();
    let now = start();
    live.note_work(session(), true, now);
    live.note_read(session(), Some(progress(1, None)), &[claim(2)], now);
    live.note_unreadable(session(), now);
    live.condemn(session(), Ending::Untrusted);
    live.look(session());
    assert_eq!(live.observe(session(), now), None);
    assert_eq!(live.idle(session(), now), None);
    assert_eq!(live.ending(session()), None);
    assert_eq!(live.sessions(), []);
}

#[test]
fn who_works_is_looked_after_and_who_is_idle_is_not() {
    let t0 = start();
    let live = running(1, t0);
    assert_eq!(live.restless(), []);
    live.note_work(session(), true, t0);
    assert_eq!(live.restless(), [session()]);
    live.note_work(session(), false, t0 + SECOND);
    assert_eq!(live.restless(), []);
    // A claim, files that can't be read and an end that is due are no rest either.
    live.note_read(session(), None, &[claim(2)], t0 + SECOND);
    assert_eq!(live.restless(), [session()]);
    live.note_read(session(), None, &[], t0 + SECOND);
    live.note_unreadable(session(), t0 + SECOND);
    assert_eq!(live.restless(), [session()]);
    live.note_read(session(), None, &[], t0 + SECOND);
    assert_eq!(live.restless(), []);
    live.condemn(session(), Ending::Untrusted);
    assert_eq!(live.restless(), [session()]);
}

#[tokio::test]
async fn work_and_a_start_that_has_to_wait_shorten_the_sleep() {
    let t0 = start();
    let live = running(1, t0);
    let sooner = live.sooner();
    live.note_work(session(), true, t0);
    sooner.notified().await;
    // More of it says nothing new.
    live.note_work(session(), true, t0);
    assert_eq!(live.next_release(t0), None);
    live.hold_back(session(), t0, 0);
    sooner.notified().await;
    let release = live.next_release(t0).unwrap();
    assert_eq!(release.saturating_duration_since(t0), STARTS.first);
    assert_eq!(live.next_release(release), None);
}

#[test]
fn what_was_tried_of_the_bells_is_told() {
    let check = |rings: &[bool], heard: bool, expected: &str| {
        let live = running(1, start());
        live.note_ring(session(), false);
        assert_eq!(live.doorbell(), "not tried yet: no sandbox has run");
        live.note_read(session(), Some(progress(1, None)), &[], start());
        for taken in rings {
            live.note_ring(session(), *taken);
        }
        if heard {
            live.note_heard();
        }
        assert_eq!(live.doorbell(), expected);
    };
    check(&[], false, "not tried yet: no sandbox has run");
    check(&[false], false, "poll");
    check(&[true], false, "datagram socket, in; out not heard yet");
    check(&[], true, "datagram socket, out; in not tried yet");
    check(&[false], true, "datagram socket, out; in: poll");
    // One that was stopping at that moment says nothing about the others.
    check(&[false, true], true, "datagram socket, in and out");
}
