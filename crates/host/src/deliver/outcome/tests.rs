//! What follows from each failure.

use anchorhold_channel::Support;

use super::*;

const NOW: Timestamp = Timestamp::constant(1_767_225_600, 0);

fn limited() -> ChannelError {
    limited_of(LimitScope::Instance)
}

fn limited_of(scope: LimitScope) -> ChannelError {
    ChannelError::RateLimited {
        retry_after: Duration::from_secs(7),
        scope,
    }
}

fn transient() -> ChannelError {
    ChannelError::Transient {
        doing: "connecting",
        source: "no route".into(),
    }
}

fn ambiguous() -> ChannelError {
    ChannelError::Ambiguous {
        doing: "sending",
        source: "timeout".into(),
    }
}

fn permanent() -> ChannelError {
    ChannelError::Permanent {
        reason: "no such chat".to_owned(),
    }
}

fn unauthorized() -> ChannelError {
    ChannelError::Unauthorized {
        reason: "the token is wrong".to_owned(),
    }
}

fn retry(after: Duration, why: &str, outcome: AttemptOutcome) -> Settled {
    Settled::Retry {
        next_at: NOW + after,
        why: why.to_owned(),
        outcome,
    }
}

fn dead(why: &str, outcome: AttemptOutcome) -> Settled {
    Settled::Dead {
        why: why.to_owned(),
        outcome,
    }
}

/// Checks what follows from the `failed`-th failure, and for how long the instance waits.
#[track_caller]
fn check(
    (failure, dedupes, failed): (&ChannelError, Support, u32),
    settled: Settled,
    park: Option<Duration>,
) {
    let park = park.map(|wait| (LimitScope::Instance, NOW + wait));
    let expect = Outcome { settled, park };
    let outcome = after_failure(failure, dedupes.is_yes(), failed, NOW, 0);
    assert_eq!(outcome, expect, "{failure:?} {dedupes:?} {failed}");
}

#[test]
fn what_does_not_depend_on_the_platforms_abilities() {
    const WHY_TRANSIENT: &str = "connecting failed for now: no route";
    let seconds = Duration::from_secs;
    for dedupes in [Support::Yes, Support::No] {
        check(
            (&limited(), dedupes, 1),
            retry(
                seconds(7),
                "the platform asks to wait 7s",
                AttemptOutcome::RateLimited,
            ),
            Some(seconds(7)),
        );
        // However often it asks.
        check(
            (&limited(), dedupes, 100_000),
            retry(
                seconds(7),
                "the platform asks to wait 7s",
                AttemptOutcome::RateLimited,
            ),
            Some(seconds(7)),
        );
        for (failed, wait) in [(1, 2), (2, 4), (3, 8), (9, 512), (10, 600), (149, 600)] {
            let expect = retry(seconds(wait), WHY_TRANSIENT, AttemptOutcome::Transient);
            check((&transient(), dedupes, failed), expect, None);
        }
        for failed in [150, 151] {
            let expect = dead(WHY_TRANSIENT, AttemptOutcome::Transient);
            check((&transient(), dedupes, failed), expect, None);
        }
        check(
            (&permanent(), dedupes, 1),
            dead("refused for good: no such chat", AttemptOutcome::Permanent),
            None,
        );
        check(
            (&unauthorized(), dedupes, 1_000),
            retry(
                seconds(300),
                "not authorized: the token is wrong",
                AttemptOutcome::Unauthorized,
            ),
            Some(seconds(300)),
        );
        check((&ChannelError::Absent, dedupes, 1_000), Settled::Park, None);
    }
}

#[test]
fn a_limit_holds_back_what_it_is_about() {
    for scope in [LimitScope::Chat, LimitScope::Instance] {
        let outcome = after_failure(&limited_of(scope), true, 1, NOW, 0);
        assert_eq!(outcome.park, Some((scope, NOW + Duration::from_secs(7))));
    }
}

#[test]
fn a_lost_answer_is_repeated_only_where_nobody_sees_it_twice() {
    const WHY: &str = "sending ended without an answer: timeout";
    let outcome = AttemptOutcome::Ambiguous;
    let wait = Duration::from_secs(2);
    check(
        (&ambiguous(), Support::Yes, 1),
        retry(wait, WHY, outcome),
        None,
    );
    check((&ambiguous(), Support::Yes, 150), dead(WHY, outcome), None);
    let unknown = || Settled::Unknown {
        why: WHY.to_owned(),
        outcome,
    };
    check((&ambiguous(), Support::No, 1), unknown(), None);
    check((&ambiguous(), Support::No, 150), unknown(), None);
}

#[test]
fn what_failed_together_does_not_come_back_together() {
    let wait = |jitter| {
        let outcome = after_failure(&transient(), true, 10, NOW, jitter);
        let Settled::Retry { next_at, .. } = outcome.settled else {
            panic!("{outcome:?}");
        };
        next_at.duration_since(NOW).unsigned_abs()
    };
    assert_eq!(wait(0), Duration::from_mins(10));
    assert_eq!(wait(255), Duration::from_secs(750));
}

#[test]
fn an_attempt_that_was_cut_off_is_repeated_only_where_nobody_sees_it_twice() {
    let why = || "the host ended while it was being sent".to_owned();
    let outcome = AttemptOutcome::Interrupted;
    let unknown = Settled::Unknown {
        why: why(),
        outcome,
    };
    let again = Settled::Retry {
        next_at: NOW,
        why: why(),
        outcome,
    };
    assert_eq!(after_interruption(true, NOW), again);
    assert_eq!(after_interruption(false, NOW), unknown);
}

#[test]
fn there_is_an_end_of_time() {
    assert_eq!(later(NOW, Duration::MAX), Timestamp::MAX);
    assert_eq!(
        later(NOW, Duration::from_millis(5)).as_millisecond(),
        1_767_225_600_005
    );
}
