//! The cases about operations beside plain text.

use anchorhold_core::{ids::PlatformMessageId, outbound::OutboundOp};

use super::{
    Chat, ConformanceHarness, Failure, Outcome,
    bench::{Bench, any_question, check, post},
    cases::Ended,
    people::file,
};
use crate::{
    caps::{FilesOut, Questions, Support},
    error::ChannelError,
};

/// A file is seen, and so is the text that goes with it.
pub(super) async fn files_are_seen_with_their_text(harness: &dyn ConformanceHarness) -> Ended {
    let bench = Bench::start(harness).await?;
    if bench.adapter.caps().files == FilesOut::None {
        bench.stop().await?;
        return Ok(Outcome::Skipped("the platform takes no files"));
    }
    bench.arrive(Chat::One).await?;
    let mut op = post("here it is");
    if let OutboundOp::Post { files, .. } = &mut op {
        files.push(file("report.txt", b"all is well"));
    }
    bench.send_well(Chat::One, &op, 1).await?;
    bench.sees(Chat::One, &["here it is"]).await?;
    let seen = harness.files(Chat::One).await?;
    check(
        seen == [file("report.txt", b"all is well")],
        "another file is seen than was sent",
    )?;
    bench.stop().await?;
    Ok(Outcome::Passed)
}

/// Posts a text and gives its id.
async fn posted(bench: &Bench<'_>, text: &str) -> Result<PlatformMessageId, Failure> {
    let id = bench.post_well(Chat::One, text, 1).await?;
    id.ok_or_else(|| Failure::new("a message that can be changed has no id"))
}

/// A sent message can be given another text.
pub(super) async fn a_message_can_be_changed(harness: &dyn ConformanceHarness) -> Ended {
    let bench = Bench::start(harness).await?;
    if !bench.adapter.caps().edits.is_yes() {
        bench.stop().await?;
        return Ok(Outcome::Skipped("messages stay as they are"));
    }
    bench.arrive(Chat::One).await?;
    let target = posted(&bench, "before").await?;
    let text = "after".to_owned();
    let edit = OutboundOp::Edit { target, text };
    bench.send_well(Chat::One, &edit, 2).await?;
    bench.sees(Chat::One, &["after"]).await?;
    // Done twice it is what it is when done once.
    bench.send_well(Chat::One, &edit, 2).await?;
    bench.sees(Chat::One, &["after"]).await?;
    bench.stop().await?;
    Ok(Outcome::Passed)
}

/// A sent message can be taken back.
pub(super) async fn a_message_can_be_taken_back(harness: &dyn ConformanceHarness) -> Ended {
    let bench = Bench::start(harness).await?;
    if !bench.adapter.caps().deletes.is_yes() {
        bench.stop().await?;
        return Ok(Outcome::Skipped("messages stay"));
    }
    bench.arrive(Chat::One).await?;
    let target = posted(&bench, "too much").await?;
    let delete = OutboundOp::Delete { target };
    bench.send_well(Chat::One, &delete, 2).await?;
    bench.post_well(Chat::One, "enough", 3).await?;
    bench.sees(Chat::One, &["enough"]).await?;
    bench.stop().await?;
    Ok(Outcome::Passed)
}

/// A reaction on a person's message is seen.
pub(super) async fn a_reaction_is_seen(harness: &dyn ConformanceHarness) -> Ended {
    let bench = Bench::start(harness).await?;
    if !bench.adapter.caps().reactions.is_yes() {
        bench.stop().await?;
        return Ok(Outcome::Skipped("the platform has no reactions"));
    }
    bench.arrive(Chat::One).await?;
    harness.say(Chat::One, "m1", "is it done?").await?;
    bench.stored(1).await?;
    for event in bench.intake.events() {
        let react = OutboundOp::React {
            target: event.message_id,
            emoji: "👍".to_owned(),
        };
        bench.send_well(Chat::One, &react, 1).await?;
    }
    bench.sees_reactions(Chat::One, &["👍"]).await?;
    bench.stop().await?;
    Ok(Outcome::Passed)
}

/// That an answer is being made can be shown, again and again.
pub(super) async fn typing_is_taken(harness: &dyn ConformanceHarness) -> Ended {
    let bench = Bench::start(harness).await?;
    if !bench.adapter.caps().typing.is_yes() {
        bench.stop().await?;
        return Ok(Outcome::Skipped("nobody sees who types"));
    }
    bench.arrive(Chat::One).await?;
    for key in 1..=2 {
        bench.send_well(Chat::One, &OutboundOp::Typing, key).await?;
    }
    bench.sees(Chat::One, &[]).await?;
    bench.stop().await?;
    Ok(Outcome::Passed)
}

/// What the platform can't do is refused, and never counts as done.
pub(super) async fn what_is_not_there_is_refused_for_good(
    harness: &dyn ConformanceHarness,
) -> Ended {
    let bench = Bench::start(harness).await?;
    bench.arrive(Chat::One).await?;
    let target = posted_or_made_up(&bench).await?;
    let mut wanting = Vec::new();
    let caps = bench.adapter.caps();
    let (text, emoji) = ("other".to_owned(), "👍".to_owned());
    let to = || target.clone();
    for (support, op) in [
        (caps.edits, OutboundOp::Edit { target: to(), text }),
        (caps.deletes, OutboundOp::Delete { target: to() }),
        (
            caps.reactions,
            OutboundOp::React {
                target: to(),
                emoji,
            },
        ),
        (caps.typing, OutboundOp::Typing),
    ] {
        if support == Support::No {
            wanting.push(op);
        }
    }
    if caps.questions == Questions::Text {
        wanting.push(OutboundOp::Ask(any_question(1, 2)));
    }
    let all = wanting.is_empty();
    for op in wanting {
        let refused = bench.send(Chat::One, &op, 2).await;
        check(
            matches!(refused, Err(ChannelError::Permanent { .. })),
            format!("{} is not there and was not refused", op.name()),
        )?;
    }
    bench.stop().await?;
    Ok(if all {
        Outcome::Skipped("the platform can do everything")
    } else {
        Outcome::Passed
    })
}

async fn posted_or_made_up(bench: &Bench<'_>) -> Result<PlatformMessageId, Failure> {
    let id = bench.post_well(Chat::One, "something", 1).await?;
    let made_up = || PlatformMessageId::parse("1").map_err(|error| Failure::new(error.to_string()));
    id.map_or_else(made_up, Ok)
}
