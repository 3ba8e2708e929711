use std::time::Duration;

use crate::turn_failure::{
    FailureClass, InTurn, LONGEST_WAIT, Mended, OnRecord, Past, Patience, in_turn, on_record,
};

const SECOND: Duration = Duration::from_secs(1);
const MINUTE: Duration = Duration::from_mins(1);
const PATIENCE: Patience = Patience {
    waits: Duration::from_hours(6),
    tries: 3,
};

fn check_in_turn(class: FailureClass, asked: Option<Duration>, failures: u32, expect: InTurn) {
    let decided = in_turn(class, asked, Mended::default(), failures);
    assert_eq!(decided, expect, "{class:?} {asked:?} {failures}");
}

#[test]
fn what_can_be_mended_at_once_is_tried_once() {
    let fresh = Mended {
        afresh: true,
        compacted: false,
    };
    let compacted = Mended {
        afresh: false,
        compacted: true,
    };
    check_in_turn(FailureClass::ContinuationLost, None, 0, InTurn::Afresh);
    check_in_turn(FailureClass::ContextFull, None, 0, InTurn::Compact);
    for (class, mended, expect) in [
        (FailureClass::ContinuationLost, fresh, InTurn::Surface),
        (FailureClass::ContextFull, compacted, InTurn::Surface),
        (FailureClass::ContextFull, fresh, InTurn::Compact),
        (FailureClass::ContinuationLost, compacted, InTurn::Afresh),
        (FailureClass::Rejected, Mended::default(), InTurn::Surface),
    ] {
        assert_eq!(in_turn(class, None, mended, 0), expect, "{class:?}");
    }
}

#[test]
fn waits_grow_and_what_the_provider_asks_for_is_honoured() {
    let later = |secs| InTurn::Later(Duration::from_secs(secs));
    let asked = |secs| Some(Duration::from_secs(secs));
    let (rate, transient) = (FailureClass::RateLimited, FailureClass::Transient);
    check_in_turn(rate, asked(7), 0, later(7));
    check_in_turn(rate, asked(7), 9, later(7));
    check_in_turn(rate, None, 0, later(1));
    check_in_turn(rate, None, 3, later(8));
    check_in_turn(rate, Some(Duration::ZERO), 3, later(1));
    check_in_turn(rate, asked(u64::MAX), 0, InTurn::Later(LONGEST_WAIT));
    check_in_turn(transient, None, 0, later(1));
    check_in_turn(transient, None, 2, later(4));
    check_in_turn(transient, None, u32::MAX, later(300));
    check_in_turn(transient, asked(60), 0, later(60));
    check_in_turn(FailureClass::OutOfBudget, None, 0, later(60));
    check_in_turn(FailureClass::Unauthorised, None, 99, later(900));
}

fn check_on_record(class: FailureClass, past: (u32, Duration), wait: Duration, expect: OnRecord) {
    let past = Past {
        failures: past.0,
        age: past.1,
    };
    let decided = on_record(class, wait, past, PATIENCE, 0);
    assert_eq!(decided, expect, "{class:?} {past:?} {wait:?}");
}

#[test]
fn the_host_waits_as_long_as_it_has_patience() {
    let wait = |wait, tell| OnRecord::Wait { wait, tell };
    let (rate, transient) = (FailureClass::RateLimited, FailureClass::Transient);
    let hours = Duration::from_hours;
    check_on_record(rate, (0, Duration::ZERO), SECOND, wait(SECOND, false));
    check_on_record(rate, (50, hours(5)), SECOND, wait(SECOND, false));
    check_on_record(rate, (50, hours(6)), SECOND, OnRecord::GiveUp);
    check_on_record(rate, (1_000, hours(1)), SECOND, OnRecord::GiveUp);
    check_on_record(
        rate,
        (0, Duration::ZERO),
        2 * MINUTE,
        wait(2 * MINUTE, true),
    );
    check_on_record(transient, (2, hours(9)), SECOND, wait(SECOND, false));
    check_on_record(transient, (3, SECOND), SECOND, OnRecord::GiveUp);
    for class in [FailureClass::OutOfBudget, FailureClass::Unauthorised] {
        check_on_record(class, (9, hours(5)), SECOND, wait(SECOND, true));
        check_on_record(class, (9, hours(6)), SECOND, OnRecord::GiveUp);
    }
}

#[test]
fn a_wish_from_inside_is_bounded() {
    let long = Duration::MAX;
    let told = OnRecord::Wait {
        wait: LONGEST_WAIT,
        tell: true,
    };
    check_on_record(FailureClass::RateLimited, (0, Duration::ZERO), long, told);
    let short = OnRecord::Wait {
        wait: SECOND,
        tell: false,
    };
    check_on_record(FailureClass::Transient, (0, MINUTE), Duration::ZERO, short);
    // What is not for waiting is not waited for, whoever asks.
    for class in [
        FailureClass::ContinuationLost,
        FailureClass::ContextFull,
        FailureClass::Rejected,
    ] {
        check_on_record(class, (0, Duration::ZERO), SECOND, OnRecord::GiveUp);
    }
}

#[test]
fn jitter_adds_at_most_a_quarter() {
    for (jitter, millis) in [(0, 8_000), (255, 10_000)] {
        let class = FailureClass::RateLimited;
        let decided = on_record(class, 8 * SECOND, Past::default(), PATIENCE, jitter);
        let wait = Duration::from_millis(millis);
        assert_eq!(decided, OnRecord::Wait { wait, tell: false });
    }
}
