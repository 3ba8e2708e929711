//! Messages whose provider failed: they wait, and are taken again as they were.

use anchorhold_core::turn_failure::FailureClass;

use super::*;
use crate::{Claim, HandledState, Trouble};

fn trouble() -> Trouble {
    Trouble {
        class: FailureClass::RateLimited,
        detail: "asked too often".to_owned(),
    }
}

fn wait(seqs: &[Seq], until: i64, failures: u32) -> Finish {
    let later = Handled::Later {
        trouble: trouble(),
        until: at(until),
        failures,
    };
    Finish {
        handled: seqs.iter().map(|seq| (*seq, later.clone())).collect(),
        ..Finish::default()
    }
}

fn offered(runner: &mut RunnerSide, now: i64) -> (Vec<(i64, u32)>, Option<Timestamp>) {
    let offer = runner.offer(20, at(now)).unwrap();
    let rows = offer.rows.iter();
    (
        rows.map(|row| (row.seq.get(), row.failures)).collect(),
        offer.next_due,
    )
}

#[test]
fn what_waits_is_offered_whole_when_its_time_comes() {
    let bench = Bench::new();
    let (first, second) = (bench.say("m1", "a"), bench.say("m2", "b"));
    let mut runner = bench.runner(1);
    runner.claim(&[first, second]).unwrap();
    runner
        .finish(&wait(&[first, second], 9_000, 1), at(2_000))
        .unwrap();
    let pulled = bench.pull();
    let waits = HandledState::Later(trouble(), at(9_000));
    let states: Vec<_> = pulled.handled.iter().map(|row| row.state.clone()).collect();
    assert_eq!(
        (states, pulled.claims),
        (vec![waits.clone(), waits], vec![])
    );

    // What comes meanwhile waits behind it, also in another sandbox.
    bench.say("m3", "c");
    let both = (first.get(), second.get());
    let mut runner = bench.runner(2);
    assert_eq!(offered(&mut runner, 8_999), (vec![], Some(at(9_000))));
    let expect = vec![(both.0, 1), (both.1, 1), (6, 0)];
    assert_eq!(offered(&mut runner, 9_000), (expect, None));
    // The host may have it wait for longer.
    bench.host.reschedule(&[(first, 0, at(9_500))]).unwrap();
    assert_eq!(offered(&mut runner, 9_000), (vec![], Some(at(9_500))));
    assert_eq!(offered(&mut runner, 9_500).0.len(), 3);
    bench.host.close(&[first, second]).unwrap();
    assert_eq!(offered(&mut runner, 9_500), (vec![(6, 0)], None));
}

#[test]
fn what_waits_does_not_wait_for_a_clock_that_was_set_back() {
    let bench = Bench::new();
    let seq = bench.say("m1", "a");
    let mut runner = bench.runner(1);
    runner.claim(&[seq]).unwrap();
    runner
        .finish(&wait(&[seq], 9_000_000, 1), at(8_000_000))
        .unwrap();
    assert_eq!(offered(&mut runner, 8_000_000).0, []);
    // The host says when; the time that is in the agent's own file is one of another clock.
    assert_eq!(offered(&mut runner, 5_000).0, [(seq.get(), 1)]);
    bench.host.reschedule(&[(seq, 0, at(6_000))]).unwrap();
    assert_eq!(offered(&mut runner, 5_000), (vec![], Some(at(6_000))));
}

/// Numbers of ends only grow, also where a wait is over before the host has read of it.
#[test]
fn what_is_taken_again_is_a_claim_and_ends_anew() {
    let bench = Bench::new();
    let seq = bench.say("m1", "a");
    let mut runner = bench.runner(1);
    runner.claim(&[seq]).unwrap();
    runner.finish(&wait(&[seq], 3_000, 1), at(2_000)).unwrap();
    runner.claim(&[seq]).unwrap();
    let claim = Claim {
        seq,
        generation: Generation(1),
    };
    let pulled = bench.pull();
    assert_eq!((pulled.handled, pulled.rejected), (vec![], vec![]));
    assert_eq!((pulled.claims, pulled.cursors.handled), (vec![claim], 1));
    assert_eq!(offered(&mut runner, 3_000).0, [(seq.get(), 1)]);
    runner.finish(&answers(&[seq]), at(3_000)).unwrap();
    let ended = bench.host.pull(pulled.cursors, 1_000).unwrap();
    let states: Vec<_> = ended.handled.into_iter().map(|row| row.state).collect();
    assert_eq!(
        (states, ended.cursors.handled),
        (vec![HandledState::Done], 2)
    );
}

#[test]
fn a_claim_of_what_waited_is_taken_back_like_any() {
    let bench = Bench::new();
    let seq = bench.say("m1", "a");
    let mut runner = bench.runner(1);
    runner.claim(&[seq]).unwrap();
    runner.finish(&wait(&[seq], 3_000, 1), at(2_000)).unwrap();
    let cursors = bench.pull().cursors;
    runner.claim(&[seq]).unwrap();
    drop(runner);
    let recover = |host: &HostSide| host.recover(&bench.exited(1), cursors, 1_000).unwrap();
    assert_eq!(recover(&bench.host).claims.len(), 1);
    let floor = Settings {
        floor: cursors,
        ..settings(0)
    };
    bench.host.write_settings(&floor).unwrap();
    let mut runner = bench.runner(2);
    assert_eq!(offered(&mut runner, 3_000).0, [(seq.get(), 1)]);
    runner.finish(&answers(&[seq]), at(3_000)).unwrap();
    let ended = bench.host.pull(cursors, 1_000).unwrap();
    let states: Vec<_> = ended.handled.into_iter().map(|row| row.state).collect();
    assert_eq!(states, [HandledState::Done]);
}

#[test]
fn follow_ups_stop_at_what_waits() {
    let bench = Bench::new();
    let (first, second) = (bench.say("m1", "a"), bench.say("m2", "b"));
    let mut runner = bench.runner(1);
    runner
        .finish(&wait(&[second], 3_000, 1), at(2_000))
        .unwrap();
    runner.claim(&[first]).unwrap();
    bench.say("m3", "c");
    assert_eq!(runner.follow_ups(20, at(4_000)).unwrap().rows, vec![]);
}
