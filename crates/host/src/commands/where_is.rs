//! What people read who ask in a chat what became of a message.

use std::collections::HashSet;

use anchorhold_core::{
    entity::{DeliveryStatus, MessageStatus},
    ids::{AgentGroupId, SessionId},
};
use anchorhold_sessiondb::Claim;
use anchorhold_store::trace::{
    HeardAs,
    story::{Hearing, Said, Story},
};

use crate::{
    approvals::plain,
    commands::NAME_LIMIT,
    trace::timeline::{moment, nth},
};

/// How much of an error is shown, in characters.
const WHY_LIMIT: usize = 200;

/// One line for each agent of `groups` that has something to do with the message, `called` so.
pub(super) fn lines(
    story: &Story,
    claims: &[(SessionId, Claim)],
    called: &str,
    groups: &HashSet<AgentGroupId>,
) -> Vec<String> {
    let hearings = story.hearings.iter();
    let hearings = hearings.filter(|hearing| groups.contains(&hearing.group));
    let mut lines: Vec<String> = hearings
        .map(|hearing| heard(hearing, claims, called))
        .collect();
    lines.extend(declined(story, called, groups));
    if let Some(until) = story.held_until {
        let until = moment(until);
        lines.push(format!(
            "Somebody has to decide about {called} first, until {until}."
        ));
    }
    lines
}

/// What agents that did not hear it say for themselves.
fn declined<'a>(
    story: &'a Story,
    called: &'a str,
    groups: &'a HashSet<AgentGroupId>,
) -> impl Iterator<Item = String> + 'a {
    let receipts = story.events.iter().filter_map(|one| one.event.receipt());
    let decisions = receipts.flat_map(|receipt| &receipt.decisions);
    decisions
        .filter(|one| one.heard == HeardAs::Declined && groups.contains(&one.agent))
        .filter(|one| story.hearings.iter().all(|heard| heard.group != one.agent))
        .map(move |one| {
            let name = story
                .names
                .get(&one.agent)
                .map_or("An agent", String::as_str);
            let (name, rule) = (plain(name, NAME_LIMIT), plain(&one.rule, WHY_LIMIT));
            format!("{name}: {called} was not heard: {rule}.")
        })
}

fn heard(hearing: &Hearing, claims: &[(SessionId, Claim)], called: &str) -> String {
    let agent = plain(&hearing.agent, NAME_LIMIT);
    let why = hearing.last_error.as_deref();
    let why = plain(why.unwrap_or("no reason is known"), WHY_LIMIT);
    let own = |(session, claim): &&(SessionId, Claim)| {
        *session == hearing.session && claim.seq.get() == hearing.seq
    };
    let taken = claims.iter().any(|claim| own(&claim));
    let state = match hearing.status {
        MessageStatus::Pending if taken => "is being answered".to_owned(),
        MessageStatus::Pending if hearing.tries > 0 => {
            let next = hearing.next_at.map_or_else(String::new, |at| {
                let next = nth(hearing.tries.saturating_add(1));
                format!(" ({next}, at {})", moment(at))
            });
            format!(
                "waits for its next try{next}, after {} that failed: {why}",
                hearing.tries
            )
        }
        MessageStatus::Pending => "waits to be answered".to_owned(),
        MessageStatus::Context => "is kept as context for a later one".to_owned(),
        MessageStatus::Done if hearing.last_error.is_some() => {
            format!("is not answered: {why}")
        }
        MessageStatus::Done => "was taken in".to_owned(),
        MessageStatus::Failed => format!("was given up: {why}"),
    };
    let said = format!("{agent}: {called}, of {}, {state}.", hearing.created_at);
    hearing
        .said
        .iter()
        .map(answer)
        .fold(said, |said, answer| said + answer.as_str())
}

fn answer(said: &Said) -> String {
    let kind = &said.kind;
    let failed = said
        .attempts
        .iter()
        .filter(|attempt| attempt.detail.is_some())
        .count();
    match said.status {
        DeliveryStatus::Pending if said.parked => {
            format!(" Its {kind} waits until somebody is there to read it.")
        }
        DeliveryStatus::Pending if failed > 0 => {
            let why = said.last_error.as_deref().unwrap_or("no reason is known");
            let (why, next) = (plain(why, WHY_LIMIT), moment(said.next_at));
            format!(" Its {kind} is tried again at {next}: {why}.")
        }
        DeliveryStatus::Pending => format!(" Its {kind} is on its way."),
        status @ (DeliveryStatus::Sent | DeliveryStatus::Dead | DeliveryStatus::Unknown) => {
            format!(" Its {kind} is {}.", status.as_str())
        }
    }
}
