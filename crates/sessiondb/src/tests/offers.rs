//! What is offered to a turn, to a running turn, and what never is.

use super::*;
use crate::{Answer, Control, HandledState, Note, Offer, Task};

const STOP: Inbound = Inbound::Control(Control::Stop);
const COMPACT: Inbound = Inbound::Control(Control::Compact);

fn note(text: &str) -> Inbound {
    Inbound::Note(Note {
        text: text.to_owned(),
    })
}

fn seqs(offer: &Offer) -> Vec<Seq> {
    offer.rows.iter().map(|row| row.seq).collect()
}

fn still_open(bench: &Bench) -> Vec<Seq> {
    bench.host.open_messages(1_000).unwrap()
}

/// Defect 25 of the reference: of a backlog the newest were taken first.
#[test]
fn defect_25_backlogs_are_taken_oldest_first() {
    let bench = Bench::new();
    let all: Vec<Seq> = (0..50).map(|n| bench.say(&format!("m{n}"), "x")).collect();
    let mut runner = bench.runner(1);
    for batch in all.chunks(20) {
        let offer = runner.offer(20, at(2_000)).unwrap();
        assert_eq!(seqs(&offer), batch);
        runner.finish(&answers(batch), at(2_000)).unwrap();
    }
    assert_eq!(runner.offer(20, at(2_000)).unwrap(), Offer::default());
}

/// Defect 27 of the reference: context that was pushed engaged an agent that was still warm.
#[test]
fn defect_27_context_does_not_engage_a_warm_agent() {
    let bench = Bench::new();
    let first = bench.say("m1", "hello");
    let mut runner = bench.runner(1);
    runner.claim(&[first]).unwrap();
    let aside = bench.overhear("c1", "aside", at(1_000));
    let nothing = Offer::default();
    assert_eq!(runner.follow_ups(20, at(2_000)).unwrap(), nothing);
    runner.finish(&answers(&[first]), at(2_000)).unwrap();
    assert_eq!(runner.offer(20, at(2_000)).unwrap(), nothing);
    // It comes with the next message that does.
    let next = bench.say("m2", "and?");
    assert_eq!(seqs(&runner.offer(20, at(2_000)).unwrap()), [aside, next]);
}

/// Defect 29 of the reference: an answer after the question's turn was due for ever, and woke a
/// sandbox again and again.
#[test]
fn defect_29_a_late_answer_is_consumed_once() {
    let bench = Bench::new();
    let answer = Inbound::Answer(Answer {
        question_seq: Seq::new(3).unwrap(),
        title: "Go on?".to_owned(),
        option: 1,
        text: "No".to_owned(),
        channel: "cli".to_owned(),
        sender: "local".to_owned(),
        sender_name: None,
        answered_at: at(900),
    });
    let seq = bench.tell("answer-3", &answer, None);
    let again = bench.row("answer-3", seq, &answer);
    bench.host.feed(&[again], &[]).unwrap();
    let mut runner = bench.runner(1);
    let offer = runner.offer(20, at(2_000)).unwrap();
    assert_eq!((offer.rows.len(), &offer.rows[0].payload), (1, &answer));
    runner.claim(&[seq]).unwrap();
    runner.finish(&answers(&[seq]), at(2_000)).unwrap();
    assert_eq!(runner.offer(20, at(2_000)).unwrap(), Offer::default());
    assert_eq!(
        bench.runner(2).offer(20, at(2_000)).unwrap(),
        Offer::default()
    );
}

#[test]
fn what_is_for_a_fresh_sandbox_is_not_seen_by_the_old_one_and_blocks_nothing() {
    let bench = Bench::new();
    let restarted = bench.tell("r1", &note("you were restarted"), Some(4));
    let said = bench.say("m1", "hello");
    for generation in [3, 4] {
        let offer = bench.runner(generation).offer(20, at(2_000)).unwrap();
        assert_eq!(seqs(&offer), [said], "{generation}");
    }
    let mut old = bench.runner(4);
    old.claim(&[said]).unwrap();
    assert_eq!(old.follow_ups(20, at(2_000)).unwrap(), Offer::default());
    old.finish(&answers(&[said]), at(2_000)).unwrap();
    assert_eq!(old.offer(20, at(2_000)).unwrap(), Offer::default());
    let offer = bench.runner(5).offer(20, at(2_000)).unwrap();
    assert_eq!(seqs(&offer), [restarted]);
    assert_eq!(still_open(&bench), [restarted, said]);
}

#[test]
fn an_offer_bounds_context_that_the_host_left() {
    let bench = Bench::new();
    let context: Vec<Seq> = (0..130)
        .map(|n| bench.overhear(&format!("c{n}"), "aside", at(1_000)))
        .collect();
    let trigger = bench.say("m1", "you there?");
    let offer = bench.runner(1).offer(20, at(2_000)).unwrap();
    assert_eq!(offer.surplus, context[..30]);
    assert_eq!(seqs(&offer), [&context[30..], &[trigger]].concat());
}

#[test]
fn a_running_turn_is_offered_what_came_since_and_not_what_it_has() {
    let bench = Bench::new();
    let first = bench.say("m1", "one");
    let mut runner = bench.runner(1);
    runner.claim(&[first]).unwrap();
    assert_eq!(runner.follow_ups(20, at(2_000)).unwrap(), Offer::default());
    let aside = bench.overhear("c1", "aside", at(1_000));
    let more: Vec<Seq> = (0..3).map(|n| bench.say(&format!("f{n}"), "x")).collect();
    let offer = runner.follow_ups(2, at(2_000)).unwrap();
    assert_eq!(seqs(&offer), [aside, more[0], more[1]]);
    runner.claim(&seqs(&offer)).unwrap();
    let offer = runner.follow_ups(2, at(2_000)).unwrap();
    assert_eq!(seqs(&offer), [more[2]]);
    // What was taken and given to nobody is offered again after the turn.
    runner.finish(&answers(&[first]), at(3_000)).unwrap();
    let offer = runner.offer(20, at(3_000)).unwrap();
    assert_eq!(seqs(&offer), [aside, more[0], more[1], more[2]]);
}

#[test]
fn a_running_turn_is_not_offered_what_has_to_wait_nor_anything_after_it() {
    let tried: fn(&Bench) -> Seq = |bench| {
        let seq = bench.say("tried", "again");
        bench.host.reschedule(&[(seq, 1, at(1_500))]).unwrap();
        seq
    };
    let waits: fn(&Bench) -> Seq = |bench| {
        let seq = bench.say("waits", "later");
        bench.host.reschedule(&[(seq, 0, at(9_000))]).unwrap();
        seq
    };
    let compact: fn(&Bench) -> Seq = |bench| bench.tell("compact", &COMPACT, None);
    let stop: fn(&Bench) -> Seq = |bench| bench.tell("stop", &STOP, None);
    for (name, barrier) in [
        ("tried", tried),
        ("waits", waits),
        ("compact", compact),
        ("stop", stop),
    ] {
        let bench = Bench::new();
        let first = bench.say("m1", "one");
        let mut runner = bench.runner(1);
        runner.claim(&[first]).unwrap();
        let before = bench.say("before", "x");
        barrier(&bench);
        bench.say("after", "x");
        let offer = runner.follow_ups(20, at(2_000)).unwrap();
        assert_eq!(seqs(&offer), [before], "{name}");
    }
}

#[test]
fn defect_19_follow_ups_of_a_turn_that_died_are_given_back_with_it() {
    let bench = Bench::new();
    let first = bench.say("m1", "one");
    let mut runner = bench.runner(1);
    runner.claim(&[first]).unwrap();
    let second = bench.say("m2", "two");
    runner.claim(&[second]).unwrap();
    drop(runner);
    let recovered = bench
        .host
        .recover(&bench.exited(1), Cursors::default(), 1_000)
        .unwrap();
    let claimed: Vec<Seq> = recovered.claims.iter().map(|claim| claim.seq).collect();
    assert_eq!(claimed, [first, second]);
}

#[test]
fn a_stop_comes_before_everything_and_ends_what_died_before_it() {
    let bench = Bench::new();
    let died = bench.say("m1", "one");
    let fresh = bench.say("m2", "two");
    bench.host.reschedule(&[(died, 1, at(9_000))]).unwrap();
    let stop = bench.tell("stop", &STOP, None);
    let after = bench.say("m3", "three");
    bench.host.reschedule(&[(after, 1, at(9_000))]).unwrap();
    let mut runner = bench.runner(2);
    assert_eq!(runner.stops().unwrap(), [stop]);
    let expect = Offer {
        stops: vec![stop],
        stopped: vec![died],
        ..Offer::default()
    };
    assert_eq!(runner.offer(20, at(2_000)).unwrap(), expect);
    let finish = Finish {
        handled: vec![(died, Handled::Stopped), (stop, Handled::Done)],
        ..Finish::default()
    };
    runner.finish(&finish, at(2_000)).unwrap();
    assert_eq!(runner.stops().unwrap(), vec![]);
    assert_eq!(seqs(&runner.offer(20, at(2_000)).unwrap()), [fresh]);
    let ends: Vec<_> = bench
        .pull()
        .handled
        .into_iter()
        .map(|row| (row.seq, row.state))
        .collect();
    assert_eq!(
        ends,
        [(died, HandledState::Stopped), (stop, HandledState::Done)]
    );
}

#[test]
fn a_compaction_waits_for_what_was_said_before_it_and_holds_back_what_was_said_after() {
    let bench = Bench::new();
    bench.overhear("c1", "aside", at(1_000));
    let before = bench.say("m1", "one");
    let compact = bench.tell("compact", &COMPACT, None);
    let after = bench.say("m2", "two");
    let mut runner = bench.runner(1);
    let offer = runner.offer(20, at(2_000)).unwrap();
    assert_eq!((offer.rows.len(), offer.compact), (2, None));
    runner.finish(&answers(&[before]), at(2_000)).unwrap();
    let offer = runner.offer(20, at(2_000)).unwrap();
    assert_eq!((offer.rows, offer.compact), (vec![], Some(compact)));
    runner.finish(&answers(&[compact]), at(2_000)).unwrap();
    let offer = runner.offer(20, at(2_000)).unwrap();
    assert_eq!(
        (offer.rows.last().map(|row| row.seq), offer.compact),
        (Some(after), None)
    );
}

/// A run that joined others would share their fate and their answers; its script could not say no.
#[test]
fn a_task_is_a_turn_by_itself() {
    let bench = Bench::new();
    let first = bench.say("m1", "hello");
    let aside = bench.overhear("c1", "aside", at(1_000));
    let due = bench.tell("t1", &task(), None);
    let last = bench.say("m2", "and?");
    let mut runner = bench.runner(1);
    assert_eq!(seqs(&runner.offer(20, at(2_000)).unwrap()), [first]);
    runner.claim(&[first]).unwrap();
    assert_eq!(seqs(&runner.follow_ups(20, at(2_000)).unwrap()), []);
    runner.finish(&answers(&[first]), at(2_000)).unwrap();
    assert_eq!(seqs(&runner.offer(20, at(2_000)).unwrap()), [due]);
    runner.finish(&answers(&[due]), at(2_000)).unwrap();
    assert_eq!(seqs(&runner.offer(20, at(2_000)).unwrap()), [aside, last]);
}

fn task() -> Inbound {
    Inbound::Task(Box::new(Task {
        id: "1".to_owned(),
        name: "report".to_owned(),
        run: 1,
        prompt: "write".to_owned(),
        script: None,
        due_at: at(5),
        zone: "UTC".to_owned(),
        offset_s: 0,
        missed: 0,
        found: None,
    }))
}
