//! Keeps what was said in the agent's workspace, a Markdown file a day, to be searched later.

use std::{
    fmt::Write as _,
    fs::{self, OpenOptions},
    io::{self, Write as _},
};

use anchorhold_sessiondb::{Emit, Inbound, InboundRow, Outbound};
use camino::Utf8Path;
use jiff::Timestamp;

use crate::memory::CONVERSATIONS;

/// The longest file of one day, in bytes. What is more is not kept.
const DAY_LIMIT_BYTES: u64 = 16 * 1024 * 1024;
/// The longest text that is kept whole, in bytes.
const TEXT_LIMIT_BYTES: usize = 32 * 1024;

/// One turn, as it is kept.
#[derive(Debug)]
pub(crate) struct Told<'a> {
    /// What was said to the agent.
    pub(crate) heard: &'a [InboundRow],
    /// What it said, in order.
    pub(crate) said: &'a [Emit],
    /// What it is called.
    pub(crate) agent: &'a str,
}

/// Adds a turn to the file of its day. Several sandboxes may do so at once.
pub(crate) fn keep(workspace: &Utf8Path, told: &Told<'_>, now: Timestamp) -> io::Result<()> {
    let text = written(told, now);
    if text.is_empty() {
        return Ok(());
    }
    let folder = workspace.join(CONVERSATIONS);
    fs::create_dir_all(&folder)?;
    let path = folder.join(format!("{}.md", now.strftime("%Y-%m-%d")));
    let mut file = OpenOptions::new().append(true).create(true).open(path)?;
    if file.metadata()?.len() >= DAY_LIMIT_BYTES {
        return Ok(());
    }
    file.write_all(text.as_bytes())
}

fn written(told: &Told<'_>, now: Timestamp) -> String {
    let heard = told.heard.iter();
    let heard: Vec<(&str, String)> = heard
        .filter_map(|row| Some((row.place.as_str(), line(row)?)))
        .collect();
    let Some((place, _)) = heard.last() else {
        return String::new();
    };
    let at = now.strftime("%Y-%m-%d %H:%M UTC");
    let mut text = format!("## {at}, {place}\n\n");
    // Writing into a string can't fail.
    for (_, line) in &heard {
        let _done = write!(text, "{line}\n\n");
    }
    for emit in told.said {
        if let Outbound::Post { text: said, .. } = &emit.op {
            let to = emit.to.as_ref();
            let to = to.map_or_else(String::new, |to| format!(" to {to}"));
            let _done = write!(text, "**{}**{to}: {}\n\n", told.agent, cut(said));
        }
    }
    text
}

/// What was said, and by whom; nothing where it was no word of anybody.
fn line(row: &InboundRow) -> Option<String> {
    if let Inbound::Answer(answer) = &row.payload {
        let who = answer.sender_name.as_deref().unwrap_or(&answer.sender);
        return Some(format!("**{who}** to “{}”: {}", answer.title, answer.text));
    }
    let Inbound::Chat(chat) = &row.payload else {
        return None;
    };
    let who = chat.sender_name.as_deref().unwrap_or(&chat.sender);
    let files = match chat.files.len() {
        0 => String::new(),
        count => format!(" ({count} files)"),
    };
    Some(format!("**{who}**{files}: {}", cut(&chat.text)))
}

fn cut(text: &str) -> &str {
    text.split_at(text.floor_char_boundary(TEXT_LIMIT_BYTES)).0
}
