//! The cases about what people do beside plain talk.

use anchorhold_core::{
    inbound::{ChatKind, InboundEvent, What},
    outbound::OutboundFile,
};

use super::{
    Chat, ConformanceHarness, Did, Failure, Outcome,
    bench::{Bench, check, reply},
    cases::Ended,
};

/// A group is told from a direct chat, and who speaks to the bot there from who does not.
pub(super) async fn a_group_is_told_from_a_direct_chat(harness: &dyn ConformanceHarness) -> Ended {
    let bench = Bench::start(harness).await?;
    bench.arrive(Chat::One).await?;
    harness.say(Chat::One, "m1", "for you").await?;
    bench.stored(1).await?;
    for event in bench.intake.events() {
        check(
            event.chat_kind == ChatKind::Group || event.addressed,
            "in a direct chat the bot is always addressed",
        )?;
    }
    if harness.mention(Chat::Group, "m2", "are you there?").await? == Did::NotHere {
        bench.stop().await?;
        return Ok(Outcome::Skipped("the platform has no groups"));
    }
    bench.stored(2).await?;
    harness.say(Chat::Group, "m3", "among us").await?;
    bench.stored(3).await?;
    let mut addressed = Vec::new();
    for event in bench.intake.events().iter().skip(1) {
        check(
            event.chat_kind == ChatKind::Group,
            "a group was taken for a direct chat",
        )?;
        addressed.push(event.addressed);
    }
    check(
        addressed == [true, false],
        "who speaks to the bot is not told from who does not",
    )?;
    bench.stop().await?;
    Ok(Outcome::Passed)
}

/// What is said in a thread comes from there, and what is answered there is seen there alone.
pub(super) async fn a_thread_is_a_place_of_its_own(harness: &dyn ConformanceHarness) -> Ended {
    let bench = Bench::start(harness).await?;
    if !bench.adapter.caps().threads.is_yes() {
        bench.stop().await?;
        return Ok(Outcome::Skipped("the platform has no threads"));
    }
    bench.arrive(Chat::Thread).await?;
    harness.say(Chat::Thread, "m1", "in the thread").await?;
    bench.stored(1).await?;
    let (thread, group) = (harness.address(Chat::Thread), harness.address(Chat::Group));
    for event in bench.intake.events() {
        check(
            event.address == thread && thread.thread.is_some() && thread.chat == group.chat,
            "a message of a thread has another address",
        )?;
    }
    bench.post_well(Chat::Thread, "the answer", 1).await?;
    bench.sees(Chat::Thread, &["the answer"]).await?;
    bench.sees(Chat::Group, &[]).await?;
    bench.stop().await?;
    Ok(Outcome::Passed)
}

/// The event that came last, of so many.
async fn last(bench: &Bench<'_>, count: usize) -> Result<InboundEvent, Failure> {
    bench.stored(count).await?;
    let mut events = bench.intake.events();
    check(
        events.len() == count,
        "there are more events than were made",
    )?;
    events
        .pop()
        .ok_or_else(|| Failure::new("there is no event"))
}

/// An edit names the message that it changes, and has an id of its own that can be answered.
pub(super) async fn an_edit_is_known_as_one(harness: &dyn ConformanceHarness) -> Ended {
    let bench = Bench::start(harness).await?;
    bench.arrive(Chat::One).await?;
    harness.say(Chat::One, "m1", "helo").await?;
    let said = last(&bench, 1).await?;
    check(said.what == What::Message, "a message is not one")?;
    if harness.revise(Chat::One, "m1", "hello").await? == Did::NotHere {
        bench.stop().await?;
        return Ok(Outcome::Skipped("nobody can change what they said"));
    }
    let first = last(&bench, 2).await?;
    harness.revise(Chat::One, "m1", "hello!").await?;
    let second = last(&bench, 3).await?;
    let edit = What::Edit {
        of: said.message_id.clone(),
    };
    for (event, text) in [(&first, "hello"), (&second, "hello!")] {
        check(event.what == edit, "an edit does not name its message")?;
        check(event.text == text, "an edit has another text")?;
        check(event.address == said.address, "an edit came from elsewhere")?;
    }
    let ids = [&said.message_id, &first.message_id, &second.message_id];
    check(
        ids[0] != ids[1] && ids[1] != ids[2] && ids[0] != ids[2],
        "two events have one id",
    )?;
    let answer = reply("I see", &second.message_id);
    bench.send_well(Chat::One, &answer, 1).await?;
    bench.sees(Chat::One, &["I see"]).await?;
    bench.stop().await?;
    Ok(Outcome::Passed)
}

/// A reaction names the message that it is on.
pub(super) async fn a_reaction_is_known_as_one(harness: &dyn ConformanceHarness) -> Ended {
    let bench = Bench::start(harness).await?;
    bench.arrive(Chat::One).await?;
    harness.say(Chat::One, "m1", "look at this").await?;
    let said = last(&bench, 1).await?;
    if harness.react(Chat::One, "m1", "👍").await? == Did::NotHere {
        bench.stop().await?;
        return Ok(Outcome::Skipped("nobody can react"));
    }
    let reaction = last(&bench, 2).await?;
    let to = said.message_id.clone();
    check(
        reaction.what == What::Reaction { to },
        "a reaction does not name its message",
    )?;
    check(reaction.text == "👍", "a reaction is another one")?;
    check(
        reaction.message_id != said.message_id,
        "a reaction has the id of its message",
    )?;
    bench.stop().await?;
    Ok(Outcome::Passed)
}

/// Files come with the words they were sent with, as one message.
pub(super) async fn files_arrive_with_their_message(harness: &dyn ConformanceHarness) -> Ended {
    let bench = Bench::start(harness).await?;
    bench.arrive(Chat::One).await?;
    let both = [file("notes.txt", b"first"), file("more.txt", b"second")];
    let mut files = both.as_slice();
    let mut shared = harness.share(Chat::One, "m1", "have a look", files).await?;
    if shared == Did::NotHere {
        // There are platforms whose messages have one file each.
        files = &both[..1];
        shared = harness.share(Chat::One, "m1", "have a look", files).await?;
    }
    if shared == Did::NotHere {
        bench.stop().await?;
        return Ok(Outcome::Skipped("nobody can send files"));
    }
    let event = last(&bench, 1).await?;
    check(event.text == "have a look", "the words got lost")?;
    let came = event.attachments.into_iter().map(|came| OutboundFile {
        name: came.name,
        content: came.content,
    });
    check(
        came.collect::<Vec<_>>() == files,
        "other files came than were sent",
    )?;
    harness.say(Chat::One, "m2", "and on").await?;
    bench.stored(2).await?;
    bench.stop().await?;
    Ok(Outcome::Passed)
}

pub(super) fn file(name: &str, content: &[u8]) -> OutboundFile {
    OutboundFile {
        name: name.to_owned(),
        content: content.to_vec(),
    }
}
