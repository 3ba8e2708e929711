//! What was not delivered: looked at, sent again, or done with. Only the operator gets here.

use anchorhold_admin::request::{FailCode, Reply};
use anchorhold_core::ids::OutboundId;
use anchorhold_store::{
    attempts::AttemptOutcome,
    ends::{Attempt, Retried},
    views::View,
};
use jiff::Timestamp;
use serde_json::{Value, json};

use crate::{
    admin::{lookup::Lookup, reads, refusal::Refusal},
    deliver::Deliver,
};

/// The most tries that are shown, the latest of them.
const ATTEMPTS_LIMIT: u32 = 200;

/// Shows one delivery with each try to send it. Its text is shown to nobody.
pub(super) async fn show(lookup: &Lookup<'_>) -> Result<Reply, Refusal> {
    let id = lookup.parsed("id", OutboundId::parse)?;
    let mut fields = reads::row(lookup, View::Deadletters).await?;
    let store = &lookup.base.store;
    let attempts = store.attempts_of(id, ATTEMPTS_LIMIT).await?;
    let attempts = attempts.iter().map(shown).collect();
    fields.insert("attempts".to_owned(), Value::Array(attempts));
    Ok(Reply::One(fields))
}

/// Sends one again or takes it off the list.
pub(super) async fn change(
    lookup: &Lookup<'_>,
    id: OutboundId,
    deliver: &Deliver,
) -> Result<Reply, Refusal> {
    let (store, now) = (&lookup.base.store, lookup.base.now());
    let conflict = |what: &str| Err(Refusal::said(FailCode::Conflict, what));
    let what = if lookup.checked.verb() == "discard" {
        if store.discard_delivery(id, now).await? {
            "discarded; it is not sent any more and stays on record"
        } else {
            return match store.delivery(id).await? {
                Some(_) => conflict("it is not on the list"),
                None => Err(lookup.absent("delivery", "id")),
            };
        }
    } else {
        let even = lookup.checked.flag("even-if-it-arrived");
        match store.retry_delivery(id, even, now).await? {
            Retried::Due => "it is sent again now; `deadletters list` has it again if it fails",
            Retried::MayHaveArrived => {
                return conflict(
                    "nobody can say whether it arrived, so it may come twice; \
                     to send it all the same, add --even-if-it-arrived",
                );
            }
            Retried::NotFailed => return conflict("it has not failed: it is sent or on its way"),
            Retried::Missing => return Err(lookup.absent("delivery", "id")),
        }
    };
    deliver.nudge();
    Ok(Reply::Done {
        what: what.to_owned(),
        id: Some(id.to_string()),
    })
}

fn shown(attempt: &Attempt) -> Value {
    json!({
        "number": attempt.number,
        "part": attempt.part,
        "began_at": attempt.began_at.as_millisecond(),
        "ended_at": attempt.ended_at.map(Timestamp::as_millisecond),
        "outcome": attempt.outcome.map(AttemptOutcome::as_str),
        "why": attempt.detail,
    })
}
