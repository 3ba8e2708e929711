//! The cases about platforms that fail, each in the way that it was told to.

use std::{error::Error as StdError, time::Duration};

use super::{
    Chat, ConformanceHarness, Did, Failure, Outcome, Side, Trouble,
    bench::{Bench, check},
    cases::Ended,
};
use crate::error::{ChannelError, LimitScope};

/// Why these cases are skipped.
const UNTROUBLED: Outcome = Outcome::Skipped("the platform can't fail in this way");
/// What is sent while the platform fails: nobody else says it.
const SAID: &str = "a word for one person alone";

/// Sends a text while the platform fails in one way; `None` where it can't.
async fn tried(
    bench: &Bench<'_>,
    harness: &dyn ConformanceHarness,
    trouble: Trouble,
) -> Result<Option<ChannelError>, Failure> {
    tried_as(bench, harness, (trouble, 1)).await
}

/// The same under another key.
async fn tried_as(
    bench: &Bench<'_>,
    harness: &dyn ConformanceHarness,
    (trouble, key): (Trouble, u32),
) -> Result<Option<ChannelError>, Failure> {
    if harness.trouble(Side::Sending, trouble).await? == Did::NotHere {
        return Ok(None);
    }
    match bench.post(Chat::One, SAID, key).await {
        Ok(_sent) => Err(Failure::new(format!(
            "a send counts as sent in spite of {trouble:?}"
        ))),
        Err(error) => Ok(Some(error)),
    }
}

/// A text that was not sent is not seen, and a good one gets through afterwards.
async fn nothing_was_sent(bench: &Bench<'_>) -> Result<(), Failure> {
    bench.post_well(Chat::One, "afterwards", 2).await?;
    bench.sees(Chat::One, &["afterwards"]).await
}

/// A limit is reported with the wait that was asked for and with whom it is about.
pub(super) async fn a_limit_says_whom_it_is_about(harness: &dyn ConformanceHarness) -> Ended {
    let bench = Bench::start(harness).await?;
    bench.arrive(Chat::One).await?;
    let mut any = false;
    for (expect, seconds) in [(LimitScope::Chat, 7), (LimitScope::Instance, 31)] {
        let wait = Duration::from_secs(seconds);
        let Some(error) = tried(&bench, harness, Trouble::Limit(expect, wait)).await? else {
            continue;
        };
        any = true;
        let ChannelError::RateLimited { retry_after, scope } = error else {
            return Err(Failure::new(format!("not `RateLimited`, but: {error}")));
        };
        check(
            (retry_after, scope) == (wait, expect),
            format!("{wait:?} for {expect:?} became {retry_after:?} for {scope:?}"),
        )?;
    }
    nothing_was_sent(&bench).await?;
    bench.stop().await?;
    Ok(if any { Outcome::Passed } else { UNTROUBLED })
}

/// A failure of the platform's own is neither a success nor a refusal.
pub(super) async fn a_server_error_is_no_verdict(harness: &dyn ConformanceHarness) -> Ended {
    let bench = Bench::start(harness).await?;
    bench.arrive(Chat::One).await?;
    let Some(error) = tried(&bench, harness, Trouble::ServerError).await? else {
        bench.stop().await?;
        return Ok(UNTROUBLED);
    };
    check(
        matches!(
            error,
            ChannelError::Transient { .. } | ChannelError::Ambiguous { .. }
        ),
        format!("neither `Transient` nor `Ambiguous`, but: {error}"),
    )?;
    nothing_was_sent(&bench).await?;
    bench.stop().await?;
    Ok(Outcome::Passed)
}

/// What the platform says no to is given up, and what comes after it is not.
pub(super) async fn a_refusal_is_for_good(harness: &dyn ConformanceHarness) -> Ended {
    let bench = Bench::start(harness).await?;
    bench.arrive(Chat::One).await?;
    let Some(error) = tried(&bench, harness, Trouble::Refuse).await? else {
        bench.stop().await?;
        return Ok(UNTROUBLED);
    };
    check(
        matches!(error, ChannelError::Permanent { .. }),
        format!("not `Permanent`, but: {error}"),
    )?;
    nothing_was_sent(&bench).await?;
    bench.stop().await?;
    Ok(Outcome::Passed)
}

/// A lost answer is reported as what it is.
pub(super) async fn a_lost_answer_is_ambiguous(harness: &dyn ConformanceHarness) -> Ended {
    ambiguous(harness, Trouble::LoseAnswer).await
}

/// An answer that can't be read says nothing about what was done.
pub(super) async fn a_garbled_answer_is_ambiguous(harness: &dyn ConformanceHarness) -> Ended {
    ambiguous(harness, Trouble::GarbleAnswer).await
}

async fn ambiguous(harness: &dyn ConformanceHarness, trouble: Trouble) -> Ended {
    let bench = Bench::start(harness).await?;
    bench.arrive(Chat::One).await?;
    let Some(error) = tried(&bench, harness, trouble).await? else {
        bench.stop().await?;
        return Ok(UNTROUBLED);
    };
    check(
        matches!(error, ChannelError::Ambiguous { .. }),
        format!("not `Ambiguous`, but: {error}"),
    )?;
    bench.sees(Chat::One, &[SAID]).await?;
    bench.stop().await?;
    Ok(Outcome::Passed)
}

/// Credentials that are not accepted end `run`, for an operator to act; an outage would not.
pub(super) async fn refused_credentials_are_told_apart(harness: &dyn ConformanceHarness) -> Ended {
    let bench = Bench::start(harness).await?;
    bench.arrive(Chat::One).await?;
    let Some(error) = tried(&bench, harness, Trouble::Unauthorized).await? else {
        bench.stop().await?;
        return Ok(UNTROUBLED);
    };
    let refused = |error: &ChannelError| matches!(error, ChannelError::Unauthorized { .. });
    check(refused(&error), format!("not `Unauthorized`, but: {error}"))?;
    if harness
        .trouble(Side::Receiving, Trouble::Unauthorized)
        .await?
        == Did::NotHere
    {
        bench.stop().await?;
        return Ok(Outcome::Passed);
    }
    let ended = bench.ended().await?;
    check(refused(&ended), format!("`run` ended with: {ended}"))?;
    Ok(Outcome::Passed)
}

/// Whatever goes wrong with receiving, what is said meanwhile arrives.
pub(super) async fn receiving_outlives_an_outage(harness: &dyn ConformanceHarness) -> Ended {
    let bench = Bench::start(harness).await?;
    bench.arrive(Chat::One).await?;
    let mut said = 0;
    for trouble in [
        Trouble::ServerError,
        Trouble::GarbleAnswer,
        Trouble::LoseAnswer,
        Trouble::Limit(LimitScope::Instance, Duration::from_millis(10)),
    ] {
        if harness.trouble(Side::Receiving, trouble).await? == Did::NotHere {
            continue;
        }
        said += 1;
        harness
            .say(Chat::One, &format!("m{said}"), "all the same")
            .await?;
        bench.stored(said).await?;
    }
    bench.stop().await?;
    Ok(if said == 0 {
        UNTROUBLED
    } else {
        Outcome::Passed
    })
}

/// No error, with all that caused it, has a token or a text of people in it.
pub(super) async fn no_error_says_a_secret(harness: &dyn ConformanceHarness) -> Ended {
    let bench = Bench::start(harness).await?;
    bench.arrive(Chat::One).await?;
    let mut secrets = harness.secrets();
    secrets.push(SAID.to_owned());
    let mut any = false;
    // Each under a key of its own: one whose answer got lost may be known to be sent.
    for (key, trouble) in (1..).zip([
        Trouble::Limit(LimitScope::Chat, Duration::from_secs(1)),
        Trouble::ServerError,
        Trouble::Refuse,
        Trouble::LoseAnswer,
        Trouble::GarbleAnswer,
        Trouble::Unauthorized,
    ]) {
        if let Some(error) = tried_as(&bench, harness, (trouble, key)).await? {
            any = true;
            let said = chain(&error);
            let told = secrets.iter().any(|secret| said.contains(secret));
            check(!told, format!("an error says a secret after {trouble:?}"))?;
        }
    }
    bench.stop().await?;
    Ok(if any { Outcome::Passed } else { UNTROUBLED })
}

/// Everything that an error prints, in both ways.
fn chain(error: &ChannelError) -> String {
    let mut said = vec![format!("{error} {error:?}")];
    let mut cause = error.source();
    while let Some(error) = cause {
        said.push(format!("{error} {error:?}"));
        cause = error.source();
    }
    said.join(" ")
}
