//! A timeline for people, for agents and for programs.

use anchorhold_admin::request::{FailCode, Reply};
use anchorhold_store::trace::find::{Candidate, Subject};
use jiff::Timestamp;
use serde_json::{Map, Value, json};

use crate::trace::{
    Found,
    timeline::{Owed, Step, Timeline, Which, moment},
};

/// How much of a reason people are shown, in characters.
const WHY_CHARS: usize = 200;

/// The reply to whoever asks over the host's socket or from inside.
pub fn reply(found: &Found) -> Reply {
    match found {
        Found::One(timeline) => Reply::One(fields(timeline)),
        Found::Several(candidates) => Reply::Failed {
            code: FailCode::Conflict,
            what: format!(
                "several messages are called so; give one of: {}",
                names(candidates).join(", ")
            ),
        },
        Found::Nothing => Reply::Failed {
            code: FailCode::NotFound,
            what: "no message is called so, or it is forgotten by now".to_owned(),
        },
        Found::Conversation(why) => Reply::Failed {
            code: FailCode::NotFound,
            what: (*why).to_owned(),
        },
    }
}

/// What each candidate can be asked for by.
pub fn names(candidates: &[Candidate]) -> Vec<String> {
    let name = |one: &Candidate| match &one.subject {
        Subject::Said { channel, chat, id } => {
            format!("{id} --conversation {channel}:{chat}")
        }
        Subject::Word { session, seq } => format!("{session}:{seq}"),
    };
    candidates.iter().map(name).collect()
}

fn fields(timeline: &Timeline) -> Map<String, Value> {
    let steps = timeline.steps.iter().map(|step| {
        json!({
            "at": step.at.as_millisecond(),
            "after": after(step.after_ms),
            "agent": step.agent,
            "step": step.step,
            "what": step.what,
            "why": step.why,
        })
    });
    let owned = timeline.owned.iter().map(|owed| {
        json!({
            "owner": owed.owner,
            "agent": owed.agent,
            "what": owed.what,
            "until": owed.until.map(Timestamp::as_millisecond),
        })
    });
    let mut fields = Map::new();
    fields.insert("message".to_owned(), which(&timeline.message).into());
    fields.insert("over".to_owned(), timeline.owned.is_empty().into());
    fields.insert("steps".to_owned(), steps.collect());
    fields.insert("still".to_owned(), owned.collect());
    fields
}

/// The timeline as lines for a terminal, without anything that acts on one.
pub fn text(timeline: &Timeline) -> String {
    let mut lines = vec![which(&timeline.message)];
    if let Some(first) = timeline.steps.first() {
        lines.push(format!("  from {}", moment(first.at)));
    }
    let named = timeline.steps.iter().filter_map(|step| step.agent.as_ref());
    let width = named.map(|agent| agent.chars().count()).max().unwrap_or(0);
    lines.extend(timeline.steps.iter().map(|step| line(step, width)));
    match timeline.owned.as_slice() {
        [] => lines.push("It is over: nothing of it is under way.".to_owned()),
        owned => {
            lines.push("Still under way:".to_owned());
            lines.extend(owned.iter().map(|owed| format!("  {}", still(owed))));
        }
    }
    lines
        .iter()
        .map(|line| plain(line))
        .collect::<Vec<_>>()
        .join("\n")
}

/// What is under way, in one line.
pub fn still(owed: &Owed) -> String {
    match owed.until {
        Some(until) => format!("{} (until {})", owed.what, moment(until)),
        None => owed.what.clone(),
    }
}

fn line(step: &Step, width: usize) -> String {
    let agent = step.agent.as_deref().unwrap_or_default();
    let why = step.why.as_ref().map_or_else(String::new, |why| {
        let why: String = why.chars().take(WHY_CHARS).collect();
        format!(" [{why}]")
    });
    let (after, word, what) = (after(step.after_ms), step.step, &step.what);
    format!("  {after:>12}  {agent:width$}  {word:<9}  {what}{why}")
}

fn which(message: &Which) -> String {
    match message {
        Which {
            channel: Some(channel),
            chat: Some(chat),
            id: Some(id),
            ..
        } => format!("message {id} in {channel}:{chat}"),
        Which { word, .. } => {
            let word = word.as_deref().unwrap_or("?");
            format!("the host's own word {word}")
        }
    }
}

/// So much after the first step.
fn after(ms: i64) -> String {
    let (seconds, rest) = (ms / 1000, ms.rem_euclid(1000));
    match seconds {
        0..60 => format!("+{seconds}.{rest:03} s"),
        60..3600 => format!("+{} min {:02} s", seconds / 60, seconds % 60),
        _ => format!("+{} h {:02} min", seconds / 3600, seconds / 60 % 60),
    }
}

/// Names and reasons come from anybody: nothing of them may move a cursor.
fn plain(line: &str) -> String {
    line.replace(char::is_control, " ")
}
