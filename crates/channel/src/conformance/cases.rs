//! The cases. Each is a promise of the contract, tried out.

use std::sync::Arc;

use anchorhold_core::ids::{ChatId, Handle};
use tokio::{task::JoinSet, time};

use super::{
    Chat, ConformanceHarness, Failure, Outcome, PATIENCE, QUIET, Told,
    bench::{Bench, Memory, check, post},
};
use crate::{
    caps::Reader,
    error::ChannelError,
    fake::{IntakeAnswer, part_key},
};

pub(super) type Ended = Result<Outcome, Failure>;

/// `probe` says who the bot is, the same each time, and needs no `run`.
pub(super) async fn probe_identifies(harness: &dyn ConformanceHarness) -> Ended {
    let adapter = harness.adapter().await?;
    let failed = |error: ChannelError| Failure::new(format!("`probe` failed: {error}"));
    let first = adapter.probe().await.map_err(failed)?;
    let second = adapter.probe().await.map_err(failed)?;
    check(first == second, "`probe` gave two answers")?;
    Ok(Outcome::Passed)
}

/// Text comes in once, from the right chat.
pub(super) async fn text_in_arrives_once(harness: &dyn ConformanceHarness) -> Ended {
    let bench = Bench::start(harness).await?;
    bench.arrive(Chat::One).await?;
    harness
        .say(Chat::One, "m1", "hello, Grüße, 你好 😀")
        .await?;
    bench.stored(1).await?;
    let again = bench.intake.until(QUIET, |now| now.events.len() > 1);
    check(!again.await, "one message became two")?;
    let events = bench.intake.events();
    let [event] = events.as_slice() else {
        return Err(Failure::new("one event was expected"));
    };
    check(
        event.text == "hello, Grüße, 你好 😀",
        "the text was changed",
    )?;
    check(
        event.address == harness.address(Chat::One),
        "the address is not the chat's",
    )?;
    let message = (Chat::One, "m1");
    let refused = bench.told(message, QUIET, |told| told == Told::NotAccepted);
    check(
        !refused.await?,
        "a stored message was reported as not taken",
    )?;
    bench.stop().await?;
    Ok(Outcome::Passed)
}

/// Text that goes out is seen, in order.
pub(super) async fn text_out_is_seen(harness: &dyn ConformanceHarness) -> Ended {
    let bench = Bench::start(harness).await?;
    bench.arrive(Chat::One).await?;
    let first = bench.post_well(Chat::One, "first 😀", 1).await?;
    let second = bench.post_well(Chat::One, "second", 2).await?;
    bench.sees(Chat::One, &["first 😀", "second"]).await?;
    check(
        first.is_none() || first != second,
        "two messages have one id",
    )?;
    bench.stop().await?;
    Ok(Outcome::Passed)
}

/// A resend with the same key is not a second message, where the platform says so.
pub(super) async fn same_key_is_seen_once(harness: &dyn ConformanceHarness) -> Ended {
    let bench = Bench::start(harness).await?;
    if !bench.adapter.caps().dedupes_by_key.is_yes() {
        bench.stop().await?;
        return Ok(Outcome::Skipped("the platform does not dedupe by key"));
    }
    bench.arrive(Chat::One).await?;
    let first = bench.post_well(Chat::One, "once", 1).await?;
    let again = bench.post_well(Chat::One, "once", 1).await?;
    check(first == again, "a resend has another message id")?;
    bench.post_well(Chat::One, "last", 2).await?;
    bench.sees(Chat::One, &["once", "last"]).await?;
    bench.stop().await?;
    Ok(Outcome::Passed)
}

/// The platform hears of acceptance only after the host has stored the message.
pub(super) async fn nothing_is_acknowledged_before_it_is_stored(
    harness: &dyn ConformanceHarness,
) -> Ended {
    let bench = Bench::start(harness).await?;
    bench.arrive(Chat::One).await?;
    bench.intake.block();
    harness.say(Chat::One, "m1", "slowly").await?;
    bench.offered(1).await?;
    let message = (Chat::One, "m1");
    let early = bench.told(message, QUIET, |told| told == Told::Accepted);
    check(
        !early.await?,
        "a message was acknowledged before it was stored",
    )?;
    bench.intake.unblock();
    bench.stored(1).await?;
    bench.stop().await?;
    Ok(Outcome::Passed)
}

/// A message that can't be stored is offered again, or the person is told.
pub(super) async fn a_failed_intake_is_not_silent(harness: &dyn ConformanceHarness) -> Ended {
    let bench = Bench::start(harness).await?;
    bench.arrive(Chat::One).await?;
    bench.intake.answer_next(IntakeAnswer::Unavailable);
    harness.say(Chat::One, "m1", "try again").await?;
    bench.offered(1).await?;
    if bench.settled((Chat::One, "m1"), 1).await? == Told::NotAccepted {
        harness.say(Chat::One, "m1", "try again").await?;
    }
    bench.stored(1).await?;
    check(bench.runs() == 1, "a failed intake ended `run`")?;
    bench.stop().await?;
    Ok(Outcome::Passed)
}

/// A message that is refused for good does not hold up what comes after it.
pub(super) async fn a_refused_message_does_not_stop_the_next(
    harness: &dyn ConformanceHarness,
) -> Ended {
    let bench = Bench::start(harness).await?;
    bench.arrive(Chat::One).await?;
    let refusal = IntakeAnswer::Refuse("scripted".into());
    bench.intake.answer_next(refusal);
    harness.say(Chat::One, "m1", "never").await?;
    bench.offered(1).await?;
    harness.say(Chat::One, "m2", "next").await?;
    bench.stored(1).await?;
    let texts: Vec<String> = bench.intake.events().into_iter().map(|e| e.text).collect();
    check(texts == ["next"], "a refused message was offered again")?;
    bench.stop().await?;
    Ok(Outcome::Passed)
}

/// The same platform message has the same id each time it comes.
pub(super) async fn the_same_platform_message_is_stored_once(
    harness: &dyn ConformanceHarness,
) -> Ended {
    let bench = Bench::start(harness).await?;
    bench.arrive(Chat::One).await?;
    harness.say(Chat::One, "m1", "same").await?;
    bench.stored(1).await?;
    harness.say(Chat::One, "m1", "same").await?;
    harness.say(Chat::One, "m2", "other").await?;
    bench.stored(2).await?;
    let texts: Vec<String> = bench.intake.events().into_iter().map(|e| e.text).collect();
    check(
        texts == ["same", "other"],
        "a repeated message has another id",
    )?;
    bench.stop().await?;
    Ok(Outcome::Passed)
}

/// Whatever bytes come, `run` goes on and the next message gets through.
pub(super) async fn hostile_input_does_not_end_run(harness: &dyn ConformanceHarness) -> Ended {
    let bench = Bench::start(harness).await?;
    for input in hostile_inputs() {
        harness.hostile(&input).await?;
    }
    bench.arrive(Chat::One).await?;
    harness.say(Chat::One, "after", "still here").await?;
    let here = bench.intake.until(PATIENCE, |now| {
        now.events.iter().any(|event| event.text == "still here")
    });
    check(here.await, "a good message after garbage did not arrive")?;
    check(bench.is_running(), "garbage ended `run`")?;
    check(
        bench.runs() == 1,
        "garbage ended `run`, it had to start again",
    )?;
    bench.stop().await?;
    Ok(Outcome::Passed)
}

fn hostile_inputs() -> Vec<Vec<u8>> {
    let deep = "[".repeat(100_000);
    let message = br#"{"type":"message","id":"x","text":"truncated"#;
    let answer = br#"{"type":"answer","question":"x","option":-1}"#;
    vec![
        Vec::new(),
        b"\n".to_vec(),
        vec![0; 4096],
        (0..=u8::MAX).collect(),
        vec![0xff, 0xfe, 0xfd],
        b"null".to_vec(),
        b"{}".to_vec(),
        b"[]".to_vec(),
        b"\"text\"".to_vec(),
        b"{\"type\":{\"a\":[]}}".to_vec(),
        b"{\"type\":\"message\",\"text\":7}".to_vec(),
        b"{\"text\":\"\\ud800\"}".to_vec(),
        message.to_vec(),
        answer.to_vec(),
        deep.into_bytes(),
        vec![b'a'; 2 * 1024 * 1024],
    ]
}

/// What is said in one chat is never seen in another.
pub(super) async fn chats_are_kept_apart(harness: &dyn ConformanceHarness) -> Ended {
    let bench = Bench::start(harness).await?;
    bench.arrive(Chat::One).await?;
    bench.arrive(Chat::Two).await?;
    harness.say(Chat::One, "m1", "from one").await?;
    bench.stored(1).await?;
    harness.say(Chat::Two, "m1", "from two").await?;
    bench.stored(2).await?;
    for event in bench.intake.events() {
        let chat = match event.text.as_str() {
            "from one" => Chat::One,
            _ => Chat::Two,
        };
        check(
            event.address == harness.address(chat),
            "a message came from the wrong chat",
        )?;
    }
    bench.post_well(Chat::One, "to one", 1).await?;
    bench.post_well(Chat::Two, "to two", 2).await?;
    bench.sees(Chat::One, &["to one"]).await?;
    bench.sees(Chat::Two, &["to two"]).await?;
    bench.stop().await?;
    Ok(Outcome::Passed)
}

/// `run` ends promptly while the host still holds a message, which is then not acknowledged.
pub(super) async fn shutdown_while_receiving_is_prompt(harness: &dyn ConformanceHarness) -> Ended {
    let bench = Bench::start(harness).await?;
    bench.arrive(Chat::One).await?;
    bench.intake.block();
    harness.say(Chat::One, "m1", "in the middle").await?;
    bench.offered(1).await?;
    bench.stop().await?;
    let told = harness.told(Chat::One, "m1").await?;
    check(
        told != Told::Accepted,
        "a message was acknowledged and not stored",
    )?;
    Ok(Outcome::Passed)
}

/// `run` ends promptly while sends are under way, and each send ends as well.
pub(super) async fn shutdown_while_sending_is_prompt(harness: &dyn ConformanceHarness) -> Ended {
    let bench = Bench::start(harness).await?;
    bench.arrive(Chat::One).await?;
    let mut sends = JoinSet::new();
    for number in 0..20 {
        let adapter = Arc::clone(&bench.adapter);
        let to = harness.address(Chat::One);
        let (op, key) = (post("on its way"), part_key(number));
        sends.spawn(async move { drop(adapter.send(&to, &op, key).await) });
    }
    bench.ask_to_stop();
    bench.stop().await?;
    let ended = time::timeout(PATIENCE, async {
        while let Some(ended) = sends.join_next().await {
            check(ended.is_ok(), "a send panicked")?;
        }
        Ok(())
    });
    match ended.await {
        Ok(result) => result.map(|()| Outcome::Passed),
        Err(_elapsed) => Err(Failure::new("a send did not end after the shutdown")),
    }
}

/// A `run` whose future is dropped leaves nothing behind that stops the next one.
pub(super) async fn an_aborted_run_lets_the_next_one_start(
    harness: &dyn ConformanceHarness,
) -> Ended {
    let memory = Memory::new();
    let first = Bench::start_with(harness, &memory).await?;
    first.arrive(Chat::One).await?;
    first.abort().await;
    let second = Bench::start_with(harness, &memory).await?;
    second.arrive(Chat::One).await?;
    harness.say(Chat::One, "m1", "hello again").await?;
    second.stored(1).await?;
    second.stop().await?;
    Ok(Outcome::Passed)
}

/// The bot can write to a person first: in the same chat each time, in which nothing is said before.
/// Without the ability it is refused for good.
pub(super) async fn a_direct_chat_is_opened_in_silence(harness: &dyn ConformanceHarness) -> Ended {
    let bench = Bench::start(harness).await?;
    bench.arrive(Chat::One).await?;
    let person = bench.handle(Chat::One).await?;
    if !bench.adapter.caps().opens_directs.is_yes() {
        let refused = bench.adapter.open_direct(&person).await;
        check(
            matches!(refused, Err(ChannelError::Permanent { .. })),
            "a platform without direct chats did not refuse to open one",
        )?;
        bench.stop().await?;
        return Ok(Outcome::Passed);
    }
    let chat = open(&bench, &person).await?;
    check(
        open(&bench, &person).await? == chat,
        "the direct chat is another one the second time",
    )?;
    check(
        chat == harness.address(Chat::Direct).chat,
        "the direct chat is not the person's",
    )?;
    bench.arrive(Chat::Direct).await?;
    bench.post_well(Chat::Direct, "the first word", 1).await?;
    bench.sees(Chat::Direct, &["the first word"]).await?;
    bench.stop().await?;
    Ok(Outcome::Passed)
}

async fn open(bench: &Bench<'_>, person: &Handle) -> Result<ChatId, Failure> {
    match time::timeout(PATIENCE, bench.adapter.open_direct(person)).await {
        Ok(Ok(chat)) => Ok(chat),
        Ok(Err(error)) => Err(Failure::new(format!("no direct chat was opened: {error}"))),
        Err(_elapsed) => Err(Failure::new("opening a direct chat did not end")),
    }
}

/// With nobody there a send is `Absent`; who comes is reported and gets it then.
pub(super) async fn nobody_there_is_never_sent(harness: &dyn ConformanceHarness) -> Ended {
    let bench = Bench::start(harness).await?;
    if bench.adapter.caps().reader == Reader::ScrollsBack {
        bench.stop().await?;
        return Ok(Outcome::Skipped("people scroll back, nobody is absent"));
    }
    absent(&bench, "waiting", 1).await?;
    bench.arrive(Chat::One).await?;
    bench.post_well(Chat::One, "waiting", 1).await?;
    bench.sees(Chat::One, &["waiting"]).await?;
    harness.leave(Chat::One).await?;
    absent(&bench, "later", 2).await?;
    bench.arrive(Chat::One).await?;
    bench.post_well(Chat::One, "later", 2).await?;
    bench.stop().await?;
    Ok(Outcome::Passed)
}

/// A send to a chat without a reader is `Absent`, and never anything that counts as sent.
async fn absent(bench: &Bench<'_>, text: &str, key: u32) -> Result<(), Failure> {
    match time::timeout(PATIENCE, bench.post(Chat::One, text, key)).await {
        Ok(Err(ChannelError::Absent)) => Ok(()),
        Ok(Ok(_sent)) => Err(Failure::new("a message without a reader counts as sent")),
        Ok(Err(error)) => Err(Failure::new(format!("not `Absent`, but: {error}"))),
        Err(_elapsed) => Err(Failure::new("a send to nobody did not end")),
    }
}

/// What is said while the host is down arrives after its restart, or the person is told.
pub(super) async fn a_restart_is_not_silent(harness: &dyn ConformanceHarness) -> Ended {
    let memory = Memory::new();
    let first = Bench::start_with(harness, &memory).await?;
    first.arrive(Chat::One).await?;
    harness.say(Chat::One, "m1", "before").await?;
    first.stored(1).await?;
    first.stop().await?;
    harness.say(Chat::One, "m2", "between").await?;
    let second = Bench::start_with(harness, &memory).await?;
    second.arrive(Chat::One).await?;
    if second.settled((Chat::One, "m2"), 2).await? == Told::NotAccepted {
        harness.say(Chat::One, "m2", "between").await?;
    }
    second.stored(2).await?;
    harness.say(Chat::One, "m3", "after").await?;
    second.stored(3).await?;
    let events = memory.intake.events();
    let texts: Vec<&str> = events.iter().map(|event| event.text.as_str()).collect();
    check(
        texts == ["before", "between", "after"],
        format!("three messages came as {texts:?}"),
    )?;
    second.stop().await?;
    Ok(Outcome::Passed)
}

/// After a broken connection both directions work again.
pub(super) async fn a_dropped_connection_comes_back(harness: &dyn ConformanceHarness) -> Ended {
    let bench = Bench::start(harness).await?;
    bench.arrive(Chat::One).await?;
    harness.say(Chat::One, "m1", "before").await?;
    bench.stored(1).await?;
    harness.drop_connection().await?;
    bench.arrive(Chat::One).await?;
    harness.say(Chat::One, "m2", "after").await?;
    bench.stored(2).await?;
    bench.post_well(Chat::One, "answer", 1).await?;
    bench.sees(Chat::One, &["answer"]).await?;
    bench.stop().await?;
    Ok(Outcome::Passed)
}
