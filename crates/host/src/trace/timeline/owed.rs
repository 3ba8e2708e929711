//! Who owns what of a message that is not over.

use anchorhold_core::{
    entity::{DeliveryStatus, MessageStatus},
    ids::SessionId,
};
use anchorhold_sessiondb::Claim;
use anchorhold_store::trace::story::{Hearing, Said, Story};
use jiff::Timestamp;
use serde::Serialize;

use crate::trace::timeline::nth;

/// Something that is under way.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Owed {
    /// Whose it is: `host`, `sandbox`, `platform` or `person`.
    pub owner: &'static str,
    /// Of which agent, where it is one's.
    pub agent: Option<String>,
    /// What is waited for, in a sentence.
    pub what: String,
    /// Until when at the most, or when it goes on, where that is known.
    pub until: Option<Timestamp>,
}

pub(super) fn owed(story: &Story, claims: &[(SessionId, Claim)], now: Timestamp) -> Vec<Owed> {
    let mut owed = Vec::new();
    owed.extend(story.held_until.map(|until| Owed {
        owner: "person",
        agent: None,
        what: "waits for somebody's decision".to_owned(),
        until: Some(until),
    }));
    for hearing in &story.hearings {
        owed.extend(of_hearing(hearing, claims, now));
        let said = hearing.said.iter();
        owed.extend(said.filter_map(|said| of_said(story, said, Some(&hearing.agent), now)));
    }
    let by_host = story.by_host.iter();
    owed.extend(by_host.filter_map(|said| of_said(story, said, None, now)));
    owed
}

fn of_hearing(hearing: &Hearing, claims: &[(SessionId, Claim)], now: Timestamp) -> Option<Owed> {
    let agent = &hearing.agent;
    let own = |(session, claim): &&(SessionId, Claim)| {
        *session == hearing.session && claim.seq.get() == hearing.seq
    };
    let claim = claims.iter().find(own).map(|(_, claim)| claim);
    let later = hearing.next_at.filter(|at| *at > now);
    let (owner, what, until) = match (hearing.status, claim) {
        (MessageStatus::Done | MessageStatus::Failed, _) => return None,
        (MessageStatus::Context, _) => (
            "host",
            format!("is kept as context for {agent}'s next turn"),
            None,
        ),
        (MessageStatus::Pending, Some(claim)) => (
            "sandbox",
            format!("is in the hands of {agent}'s sandbox {}", claim.generation),
            None,
        ),
        (MessageStatus::Pending, None) if hearing.tries > 0 => (
            "host",
            format!(
                "waits for {agent}'s sandbox, {} try",
                nth(hearing.tries.saturating_add(1))
            ),
            later,
        ),
        (MessageStatus::Pending, None) => ("host", format!("waits for {agent}'s sandbox"), later),
    };
    Some(Owed {
        owner,
        agent: Some(agent.clone()),
        what,
        until,
    })
}

fn of_said(story: &Story, said: &Said, agent: Option<&String>, now: Timestamp) -> Option<Owed> {
    if said.status != DeliveryStatus::Pending {
        return None;
    }
    let open = said
        .attempts
        .iter()
        .any(|attempt| attempt.ended_at.is_none());
    let kind = &said.kind;
    let channel = said.address.channel.as_str();
    let parked = story.parked.get(channel).copied();
    let absent = "until somebody is there to read it";
    let (owner, what, until) = if open {
        ("platform", format!("a {kind} is being sent"), None)
    } else if said.parked {
        ("host", format!("a {kind} waits {absent}"), None)
    } else if let Some(until) = parked {
        let what = format!("a {kind} waits as all of {channel} does, as its platform has asked");
        ("host", what, Some(until))
    } else if let Some(ahead) = said.behind {
        let behind = format!("a {kind} waits behind an earlier one");
        match (ahead.parked, ahead.next_at > now) {
            (true, _) => ("host", format!("{behind}, which waits {absent}"), None),
            (false, true) => (
                "host",
                format!("{behind}, which waits for its next try"),
                Some(ahead.next_at),
            ),
            (false, false) => ("host", behind, None),
        }
    } else if said.next_at > now {
        let what = format!("a {kind} waits for its next try");
        ("host", what, Some(said.next_at))
    } else {
        let what = format!("a {kind} waits for its turn to be sent");
        ("host", what, None)
    };
    Some(Owed {
        owner,
        agent: agent.cloned(),
        what,
        until,
    })
}
