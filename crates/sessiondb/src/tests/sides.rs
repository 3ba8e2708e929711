use anchorhold_core::inbound::Attachment;
use proptest::prelude::*;

use super::*;
use crate::{
    Claim, HandledRow, HandledState, OutboundRow, OutboxFile, bell,
    progress::{self, Progress},
};

fn texts(rows: &[OutboundRow]) -> Vec<(i64, Option<i64>, &str)> {
    rows.iter()
        .map(|row| {
            let Outbound::Post { text, .. } = &row.op else {
                panic!("no post: {row:?}")
            };
            (row.seq.get(), row.in_reply_to.map(Seq::get), text.as_str())
        })
        .collect()
}

#[test]
fn a_message_goes_in_and_its_answer_comes_out_once() {
    let bench = Bench::new();
    let seq = bench.say("m1", "hello");
    assert_eq!(seq.get(), 2);
    let mut runner = bench.runner(1);
    assert_eq!(runner.settings().unwrap(), settings(0));
    let offer = runner.offer(20, at(2_000)).unwrap();
    assert_eq!(offer.rows.len(), 1);
    assert_eq!(offer.rows[0].payload, Inbound::Chat(chat("hello")));
    runner.claim(&[seq], at(2_000)).unwrap();
    assert_eq!(
        bench.pull().claims,
        [Claim {
            seq,
            generation: Generation(1)
        }]
    );
    runner.finish(&answers(&[seq]), at(3_000)).unwrap();
    assert_eq!(runner.offer(20, at(4_000)).unwrap().rows, []);

    let pulled = bench.pull();
    assert_eq!(texts(&pulled.rows), [(3, Some(2), "re 2")]);
    assert_eq!(
        pulled.handled,
        [HandledRow {
            seq,
            state: HandledState::Done
        }]
    );
    assert_eq!((pulled.claims, pulled.more), (Vec::new(), false));
    let again = bench.host.pull(pulled.cursors, 1_000).unwrap();
    assert_eq!((again.rows, again.handled), (Vec::new(), Vec::new()));
}

#[test]
fn thirty_messages_are_offered_oldest_first_in_batches() {
    let bench = Bench::new();
    let seqs: Vec<Seq> = (0..30).map(|n| bench.say(&format!("m{n}"), "x")).collect();
    let mut runner = bench.runner(1);
    let mut seen = Vec::new();
    loop {
        let offer = runner.offer(20, at(2_000)).unwrap();
        let batch: Vec<Seq> = offer.rows.iter().map(|row| row.seq).collect();
        if batch.is_empty() {
            break;
        }
        runner.claim(&batch, at(2_000)).unwrap();
        runner.finish(&answers(&batch), at(2_000)).unwrap();
        seen.extend(batch);
    }
    assert_eq!(seen, seqs);
}

#[test]
fn context_waits_for_a_message_that_wakes() {
    let bench = Bench::new();
    let context = bench.say_with("m1", "aside", false, &[]);
    let mut runner = bench.runner(1);
    assert_eq!(runner.offer(20, at(2_000)).unwrap().rows, []);
    let trigger = bench.say("m2", "you there?");
    let rows = runner.offer(20, at(2_000)).unwrap().rows;
    let seen: Vec<_> = rows.iter().map(|row| (row.seq, row.triggers)).collect();
    assert_eq!(seen, [(context, false), (trigger, true)]);
}

#[test]
fn context_that_was_in_a_turn_that_died_blocks_nothing() {
    let bench = Bench::new();
    let context = bench.say_with("c1", "aside", false, &[]);
    let trigger = bench.say("m1", "you there?");
    let later = bench.say("m2", "and you?");
    let tried: Vec<_> = [context, trigger, later]
        .map(|seq| (seq, 1, at(1)))
        .to_vec();
    bench.host.reschedule(&tried).unwrap();
    let rows = bench.runner(2).offer(20, at(2_000)).unwrap().rows;
    assert_eq!(
        rows.iter().map(|row| row.seq).collect::<Vec<_>>(),
        [context, trigger]
    );
}

#[test]
fn a_message_that_waits_for_its_next_try_keeps_the_order_and_is_then_tried_alone() {
    let bench = Bench::new();
    let first = bench.say("m1", "one");
    let second = bench.say("m2", "two");
    bench
        .host
        .reschedule(&[(first, 1, at(9_000)), (second, 1, at(9_000))])
        .unwrap();
    let mut runner = bench.runner(2);
    let offer = runner.offer(20, at(8_999)).unwrap();
    assert_eq!((offer.rows, offer.next_due), (Vec::new(), Some(at(9_000))));
    let rows = runner.offer(20, at(9_000)).unwrap().rows;
    assert_eq!(
        rows.iter()
            .map(|row| (row.seq, row.tries))
            .collect::<Vec<_>>(),
        [(first, 1)]
    );
    bench.host.close(&[first]).unwrap();
    assert_eq!(runner.offer(20, at(9_000)).unwrap().rows[0].seq, second);
}

#[test]
fn what_a_dead_sandbox_had_taken_is_found_and_given_back() {
    let bench = Bench::new();
    let seq = bench.say("m1", "hello");
    bench.runner(1).claim(&[seq], at(2_000)).unwrap();
    let recovered = bench
        .host
        .recover(&bench.exited(1), Cursors::default(), 1_000)
        .unwrap();
    assert_eq!(
        recovered.claims,
        [Claim {
            seq,
            generation: Generation(1)
        }]
    );
    assert_eq!(recovered.put_aside, None);
    assert_eq!(
        bench
            .host
            .recover(&bench.exited(1), Cursors::default(), 1_000)
            .unwrap()
            .claims,
        []
    );
    assert_eq!(
        bench.runner(2).offer(20, at(3_000)).unwrap().rows[0].seq,
        seq
    );
}

#[test]
fn an_old_death_does_not_take_a_living_sandboxs_claims() {
    let bench = Bench::new();
    let seq = bench.say("m1", "hello");
    bench.runner(2).claim(&[seq], at(2_000)).unwrap();
    assert_eq!(
        bench
            .host
            .recover(&bench.exited(1), Cursors::default(), 1_000)
            .unwrap()
            .claims,
        []
    );
    assert_eq!(
        bench.pull().claims,
        [Claim {
            seq,
            generation: Generation(2)
        }]
    );
}

#[test]
fn nothing_of_a_turn_is_seen_before_all_of_it() {
    let bench = Bench::new();
    let seq = bench.say("m1", "hello");
    let mut runner = bench.runner(1);
    runner.claim(&[seq], at(2_000)).unwrap();
    // The second message can't be written, so the first, and the completion, are not either.
    let mut finish = answers(&[seq]);
    finish.emit.push(Emit {
        in_reply_to: Some(seq),
        op: post("with a file"),
        files: vec![OutboxFile {
            name: "no/such/folder".to_owned(),
            content: Vec::new(),
        }],
        to: None,
    });
    assert!(runner.finish(&finish, at(3_000)).is_err());
    let pulled = bench.pull();
    assert_eq!((pulled.rows, pulled.handled), (Vec::new(), Vec::new()));
    assert_eq!(pulled.claims.len(), 1);
}

/// Defect 43 of the reference: the next number was read outside of the transaction that used it.
#[test]
fn defect_43_two_writers_never_take_the_same_number() {
    let bench = Bench::new();
    let seqs: Vec<Seq> = (0..8).map(|n| bench.say(&format!("m{n}"), "x")).collect();
    let (left, right) = seqs.split_at(4);
    std::thread::scope(|scope| {
        for half in [left, right] {
            let mut runner = bench.runner(1);
            scope.spawn(move || {
                for seq in half {
                    while let Err(error) = runner.finish(&answers(&[*seq]), at(3_000)) {
                        assert!(error.is_later(), "{error:?}");
                    }
                }
            });
        }
    });
    let rows = bench.pull().rows;
    assert_eq!(rows.len(), 8);
    assert!(rows.windows(2).all(|pair| pair[0].seq < pair[1].seq));
    assert!(rows.iter().all(|row| !row.seq.is_host()));
}

/// Defect 46 of the reference: a lock of the other side froze the host's event loop for seconds.
#[test]
fn defect_46_a_locked_file_means_later_and_never_empty() {
    let bench = Bench::new();
    let seq = bench.say("m1", "hello");
    let mut runner = bench.runner(1);
    runner.finish(&answers(&[seq]), at(3_000)).unwrap();
    #[expect(clippy::disallowed_methods, reason = "plays the sandbox")]
    let locker = rusqlite::Connection::open(bench.outbound_path()).unwrap();
    locker.execute_batch("BEGIN EXCLUSIVE").unwrap();
    let error = bench.host.pull(Cursors::default(), 1_000).unwrap_err();
    assert!(error.is_later(), "{error:?}");
    locker.execute_batch("COMMIT").unwrap();
    assert_eq!(bench.pull().rows.len(), 1);
}

#[test]
fn numbers_go_on_where_they_were_when_the_agents_file_is_made_anew() {
    let bench = Bench::new();
    let seq = bench.say("m1", "hello");
    bench.host.write_settings(&settings(41)).unwrap();
    assert_eq!(
        bench.runner(1).finish(&answers(&[seq]), at(1)).unwrap()[0].get(),
        43
    );
    assert_eq!(bench.say("m2", "more").get(), 44);
}

#[test]
fn files_go_in_and_out() {
    let bench = Bench::new();
    let file = Attachment {
        name: "../../etc/pass wd".to_owned(),
        media_type: Some("text/plain".to_owned()),
        content: b"in".to_vec(),
    };
    let seq = bench.say_with("m1", "look", true, &[file]);
    let mut runner = bench.runner(1);
    let Inbound::Chat(chat) = &runner.offer(1, at(2_000)).unwrap().rows[0].payload else {
        panic!("no chat message")
    };
    assert_eq!(chat.files[0].path, "inbox/2/1-.._.._etc_pass_wd");
    assert_eq!(
        std::fs::read(bench.host.in_dir().join(&chat.files[0].path)).unwrap(),
        b"in"
    );

    let mut finish = answers(&[seq]);
    finish.emit[0].files = vec![OutboxFile {
        name: "report.txt".to_owned(),
        content: b"out".to_vec(),
    }];
    runner.finish(&finish, at(3_000)).unwrap();
    let row = bench.pull().rows.remove(0);
    let Outbound::Post { files, .. } = &row.op else {
        panic!("{row:?}")
    };
    let read = bench.host.read_outbox(row.seq, files).unwrap();
    assert_eq!(
        (read[0].name.as_str(), read[0].content.as_slice()),
        ("report.txt", &b"out"[..])
    );
}

#[test]
fn the_provider_remembers() {
    let bench = Bench::new();
    let mut runner = bench.runner(1);
    let set = |value: Option<&str>| Finish {
        state: vec![("continuation".to_owned(), value.map(str::to_owned))],
        ..Finish::default()
    };
    runner.finish(&set(Some("abc")), at(1)).unwrap();
    assert_eq!(
        bench.runner(2).state("continuation").unwrap().as_deref(),
        Some("abc")
    );
    runner.finish(&set(None), at(2)).unwrap();
    assert_eq!(runner.state("continuation").unwrap(), None);
}

#[test]
fn progress_is_that_of_one_generation() {
    let bench = Bench::new();
    assert_eq!(bench.host.progress(Generation(1)).unwrap(), None);
    let beat = Progress {
        generation: Generation(1),
        beat: 3,
        declared_ms: Some(5),
    };
    progress::write(bench.host.out_dir(), &beat).unwrap();
    assert_eq!(bench.host.progress(Generation(1)).unwrap(), Some(beat));
    assert_eq!(bench.host.progress(Generation(2)).unwrap(), None);
}

/// The runner renames a new file over the old one; a look in that very moment holds a file without a
/// name, which was once taken for an attack and cost a healthy sandbox its life.
#[test]
fn progress_is_read_while_it_is_replaced() {
    let bench = Bench::new();
    let beat = |beat| Progress {
        generation: Generation(1),
        beat,
        declared_ms: None,
    };
    progress::write(bench.host.out_dir(), &beat(0)).unwrap();
    let out_dir = bench.host.out_dir();
    std::thread::scope(|scope| {
        let looks = scope.spawn(|| {
            (0..20_000).all(|_| matches!(bench.host.progress(Generation(1)), Ok(Some(_))))
        });
        for count in 1.. {
            if looks.is_finished() {
                break;
            }
            progress::write(out_dir, &beat(count)).unwrap();
        }
        assert!(looks.join().unwrap());
    });
}

#[test]
fn bells_ring_both_ways_and_a_missing_one_is_no_fault() {
    let bench = Bench::new();
    for dir in [bench.host.in_dir(), bench.host.out_dir()] {
        assert!(!bell::ring(dir));
        let bound = bell::bind(dir).unwrap();
        assert!(bell::ring(dir));
        assert_eq!(bound.recv(&mut [0; 8]).unwrap(), 1);
        let again = bell::bind(dir).unwrap();
        assert!(bell::ring(dir));
        assert_eq!(again.recv(&mut [0; 8]).unwrap(), 1);
    }
}

#[derive(Clone, Copy, Debug)]
enum Step {
    Say,
    Answer,
    Die,
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 12, ..ProptestConfig::default() })]

    /// Whatever the order of messages, answers and deaths: one increasing order over both files,
    /// and each message ends once.
    #[test]
    fn every_message_ends_once_in_one_increasing_order(
        steps in prop::collection::vec(
            prop_oneof![Just(Step::Say), Just(Step::Answer), Just(Step::Die)], 1..14)
    ) {
        let bench = Bench::new();
        let mut order = Vec::new();
        let mut said = 0_u32;
        let mut generation = 1;
        for step in steps.into_iter().chain([Step::Answer]) {
            let mut runner = bench.runner(generation);
            let batch: Vec<Seq> =
                runner.offer(100, at(5_000)).unwrap().rows.iter().map(|row| row.seq).collect();
            match step {
                Step::Say => {
                    order.push(bench.say(&format!("m{said}"), "x"));
                    said += 1;
                }
                Step::Answer if batch.is_empty() => {}
                Step::Answer => {
                    runner.claim(&batch, at(5_000)).unwrap();
                    order.extend(runner.finish(&answers(&batch), at(5_000)).unwrap());
                }
                Step::Die => {
                    runner.claim(&batch, at(5_000)).unwrap();
                    drop(runner);
                    let claims = bench.host.recover(&bench.exited(generation), Cursors::default(), 1_000).unwrap().claims;
                    prop_assert_eq!(claims.iter().map(|c| c.seq).collect::<Vec<_>>(), batch);
                    generation += 1;
                }
            }
        }
        prop_assert!(order.windows(2).all(|pair| pair[0] < pair[1]), "{:?}", order);
        let pulled = bench.pull();
        let answered: Vec<_> = pulled.handled.iter().map(|row| row.seq).collect();
        let asked: Vec<_> = order.iter().copied().filter(|seq| seq.is_host()).collect();
        prop_assert_eq!(answered, asked);
    }
}
