//! The cases about questions that the platform asks itself.

use anchorhold_core::{inbound::InboundAnswer, outbound::Question};

use super::{
    Chat, ConformanceHarness, Failure, Outcome, PATIENCE, QUIET,
    bench::{Bench, Memory, check},
    cases::Ended,
};
use crate::{fake::IntakeAnswer, inbox::Answered};

/// Why these cases are skipped.
const AS_TEXT: Outcome = Outcome::Skipped("the platform asks questions as text");

/// A click on an option reaches the host once: which question, which option, by whom and where.
pub(super) async fn a_click_answers_its_question_once(harness: &dyn ConformanceHarness) -> Ended {
    let bench = Bench::start(harness).await?;
    let (Some(first), Some(second)) = (bench.question(1), bench.question(2)) else {
        bench.stop().await?;
        return Ok(AS_TEXT);
    };
    bench.arrive(Chat::One).await?;
    let person = bench.handle(Chat::One).await?;
    bench.ask_well(Chat::One, &[&first, &second]).await?;
    let last = second.options.len().saturating_sub(1);
    harness.click(Chat::One, 1, last).await?;
    bench.answered(1).await?;
    let refusal = Answered::Refused("scripted".into());
    bench.intake.set_answered(refusal);
    harness.click(Chat::One, 0, 0).await?;
    bench.answered(2).await?;
    let again = bench.intake.until(QUIET, |now| now.answers.len() > 2);
    check(!again.await, "one click became two")?;
    for (answer, expect) in bench
        .intake
        .answers()
        .iter()
        .zip([(&second, last), (&first, 0)])
    {
        check_answer(answer, expect)?;
        check(
            answer.sender.handle == person,
            "a click came from somebody else",
        )?;
        check(
            answer.address == harness.address(Chat::One),
            "a click came from the wrong chat",
        )?;
    }
    check(bench.runs() == 1, "a refused click ended `run`")?;
    bench.stop().await?;
    Ok(Outcome::Passed)
}

fn check_answer(
    answer: &InboundAnswer,
    (question, option): (&Question, usize),
) -> Result<(), Failure> {
    check(
        answer.question == question.id,
        "a click answered another question",
    )?;
    check(
        answer.option == option,
        "a click chose another option than was clicked",
    )
}

/// A click that the host can't judge now is offered again, or can be made again.
pub(super) async fn a_failed_click_does_not_end_run(harness: &dyn ConformanceHarness) -> Ended {
    let bench = Bench::start(harness).await?;
    let Some(question) = bench.question(1) else {
        bench.stop().await?;
        return Ok(AS_TEXT);
    };
    bench.arrive(Chat::One).await?;
    bench.ask_well(Chat::One, &[&question]).await?;
    bench.intake.answer_next(IntakeAnswer::Unavailable);
    harness.click(Chat::One, 0, 0).await?;
    let offered = bench.intake.until(PATIENCE, |now| now.clicks >= 1);
    check(offered.await, "a click was not offered in time")?;
    harness.click(Chat::One, 0, 0).await?;
    for answer in bench.answered(1).await? {
        check_answer(&answer, (&question, 0))?;
    }
    check(bench.runs() == 1, "a failed click ended `run`")?;
    bench.stop().await?;
    Ok(Outcome::Passed)
}

/// A question that was asked before a restart can still be answered after it.
pub(super) async fn a_question_outlives_a_restart(harness: &dyn ConformanceHarness) -> Ended {
    let memory = Memory::new();
    let first = Bench::start_with(harness, &memory).await?;
    let Some(question) = first.question(1) else {
        first.stop().await?;
        return Ok(AS_TEXT);
    };
    first.arrive(Chat::One).await?;
    first.ask_well(Chat::One, &[&question]).await?;
    first.stop().await?;
    let second = Bench::start_with(harness, &memory).await?;
    second.arrive(Chat::One).await?;
    harness.click(Chat::One, 0, 0).await?;
    for answer in second.answered(1).await? {
        check_answer(&answer, (&question, 0))?;
    }
    second.stop().await?;
    Ok(Outcome::Passed)
}
