use super::*;

const fn secs(n: u64) -> Duration {
    Duration::from_secs(n)
}

const LIMITS: Limits = Limits {
    start: secs(30),
    progress: secs(60),
    turn: secs(1800),
    declared: secs(600),
};

const WORKING: Observation = Observation {
    since_start: secs(1000),
    since_progress: Some(secs(1)),
    declared: None,
    since_due: Some(secs(1000)),
    since_claim: Some(secs(1000)),
};

fn check(change: impl FnOnce(&mut Observation), expect: Verdict) {
    let mut seen = WORKING;
    change(&mut seen);
    assert_eq!(judge(&seen, &LIMITS), expect, "{seen:?}");
}

#[test]
fn a_sandbox_lives_by_its_progress() {
    check(|_| {}, Verdict::Healthy);
    check(|s| s.since_progress = Some(secs(60)), Verdict::Healthy);
    check(|s| s.since_progress = Some(secs(61)), Verdict::Stalled);
}

#[test]
fn an_idle_sandbox_may_be_quiet_for_as_long_as_it_likes() {
    let idle = |s: &mut Observation| {
        s.since_progress = Some(secs(100_000));
        s.since_due = None;
        s.since_claim = None;
    };
    check(idle, Verdict::Healthy);
    // ... and a message that has just come does not make the old silence a fault.
    check(
        |s| {
            idle(s);
            s.since_due = Some(secs(1));
        },
        Verdict::Healthy,
    );
}

#[test]
fn a_message_that_is_never_taken_counts_as_a_stall() {
    check(
        |s| {
            s.since_progress = Some(secs(100));
            s.since_due = Some(secs(61));
            s.since_claim = None;
        },
        Verdict::Stalled,
    );
}

#[test]
fn a_tool_extends_the_allowance_by_its_declared_time_up_to_a_limit() {
    let quiet = |declared: u64, silent: u64| {
        move |s: &mut Observation| {
            s.since_progress = Some(secs(silent));
            s.declared = Some(secs(declared));
        }
    };
    check(quiet(120, 180), Verdict::Healthy);
    check(quiet(120, 181), Verdict::Stalled);
    check(quiet(1_000_000, 661), Verdict::Stalled);
}

/// Defect 49 of the reference: "started" meant only that a command was spawned.
#[test]
fn defect_49_a_sandbox_counts_as_started_only_when_its_runner_shows_life() {
    check(
        |s| {
            s.since_start = secs(31);
            s.since_progress = None;
        },
        Verdict::NeverStarted,
    );
    check(
        |s| {
            s.since_start = secs(30);
            s.since_progress = None;
        },
        Verdict::Healthy,
    );
}

#[test]
fn progress_does_not_buy_an_endless_turn() {
    check(|s| s.since_claim = Some(secs(1801)), Verdict::Overlong);
}
