//! The scripted agent: no model, no network, no cost. `docs/offline-agent.md` is its manual.
//!
//! It proves the whole path from platform to sandbox and back, and shows what a sandbox can do.

mod commands;

use std::{collections::BTreeMap, future, time::Duration};

use anchorhold_sessiondb::{About, Chat, Inbound, Seq, Task};
use async_trait::async_trait;

use crate::{
    provider::{
        AgentProvider, ProviderCaps, Turn, TurnError, TurnIo, TurnOutcome,
        draft::Draft,
        offline::commands::{COMMANDS_LIMIT, Command, parse},
    },
    report,
    tools::ToolError,
};

/// Under this it keeps what it was told to remember.
const MEMORY: &str = "memory";
const CAPS: ProviderCaps = ProviderCaps {
    name: "offline",
    state_keys: &[MEMORY],
    follow_ups: true,
};
/// How much of a message is quoted, in characters.
const QUOTE_LIMIT: usize = 200;
/// How much of the environment is listed, in bytes.
const ENVIRONMENT_LIMIT_BYTES: usize = 64 * 1024;

/// The scripted agent.
#[derive(Clone, Copy, Debug)]
pub struct Offline;

#[async_trait]
impl AgentProvider for Offline {
    fn caps(&self) -> &ProviderCaps {
        &CAPS
    }

    async fn run_turn(&self, turn: Turn, io: TurnIo) -> Result<TurnOutcome, TurnError> {
        let mut draft = Draft::default();
        let mut mind = Mind::of(&turn);
        let mut overheard = 0;
        for message in &turn.messages {
            if !message.triggers {
                overheard += 1;
                continue;
            }
            io.progress(None);
            draft.begin(message.seq);
            match &message.payload {
                Inbound::Chat(chat) => {
                    answer(chat, overheard, &io, (&mut mind, &mut draft)).await?;
                }
                Inbound::Task(task) => {
                    draft.say(&heard_of_task(task));
                    for command in limited(&task.prompt) {
                        act(command, &io, (&mut mind, &mut draft)).await?;
                    }
                }
                told @ (Inbound::Note(_) | Inbound::Answer(_) | Inbound::Control(_)) => {
                    draft.say(&heard_of(told));
                }
            }
            draft.end();
            overheard = 0;
        }
        Ok(TurnOutcome {
            emit: draft.emit,
            state: mind.changed(),
        })
    }

    async fn compact(
        &self,
        state: BTreeMap<String, String>,
        _io: TurnIo,
    ) -> Result<TurnOutcome, TurnError> {
        let mut draft = Draft::default();
        let keep = if state.contains_key(MEMORY) {
            "only one line"
        } else {
            "nothing"
        };
        draft.post(format!(
            "I keep {keep} between turns, so there is nothing to compact."
        ));
        Ok(TurnOutcome {
            emit: draft.emit,
            state: Vec::new(),
        })
    }
}

/// What it knows beside the messages.
struct Mind {
    failures: u32,
    memory: Option<String>,
    /// Was it told something to remember in this turn?
    told: bool,
}

impl Mind {
    fn of(turn: &Turn) -> Self {
        Self {
            failures: turn.failures,
            memory: turn.state.get(MEMORY).cloned(),
            told: false,
        }
    }

    fn changed(self) -> Vec<(String, Option<String>)> {
        let memory = self.memory.filter(|_| self.told);
        let kept = memory.map(|memory| (MEMORY.to_owned(), Some(memory)));
        kept.into_iter().collect()
    }
}

async fn answer(
    chat: &Chat,
    overheard: usize,
    io: &TurnIo,
    (mind, draft): (&mut Mind, &mut Draft),
) -> Result<(), TurnError> {
    let mut commands = parse(&chat.text);
    if commands.is_empty() {
        draft.say(&heard(chat, overheard));
        return Ok(());
    }
    let excess = commands.len() > COMMANDS_LIMIT;
    commands.truncate(COMMANDS_LIMIT);
    for command in commands {
        act(command, io, (mind, draft)).await?;
    }
    if excess {
        draft.say(&format!(
            "only the first {COMMANDS_LIMIT} command lines were followed"
        ));
    }
    Ok(())
}

fn heard(chat: &Chat, overheard: usize) -> String {
    let mut said =
        vec!["I am the offline agent: I follow a script and understand nothing.".to_owned()];
    let written = quoted(&chat.text);
    match chat.about {
        Some(About::Edit { of }) => {
            said.push(format!("You changed {} to: {written}", numbered(of)));
        }
        Some(About::Reaction { to }) => {
            said.push(format!("You reacted to {}: {written}", numbered(to)));
        }
        None if chat.text.trim().is_empty() => {}
        None => said.push(format!("You wrote: {written}")),
    }
    match chat.files.len() {
        0 => {}
        1 => said.push("You sent one file.".to_owned()),
        count => said.push(format!("You sent {count} files.")),
    }
    match overheard {
        0 => {}
        1 => said.push("Before that I overheard one message.".to_owned()),
        count => said.push(format!("Before that I overheard {count} messages.")),
    }
    said.join(" ")
}

fn numbered(seq: Option<Seq>) -> String {
    match seq {
        Some(seq) => format!("message #{}", seq.get()),
        None => "a message that I do not know".to_owned(),
    }
}

/// What is said about something that is not followed as commands.
fn heard_of(payload: &Inbound) -> String {
    match payload {
        Inbound::Chat(chat) => quoted(&chat.text),
        Inbound::Note(note) => format!("note from the host: {}", quoted(&note.text)),
        Inbound::Answer(answer) => {
            let (question, text) = (answer.question_seq, &answer.text);
            format!("answer to question #{question}: {text}")
        }
        Inbound::Task(task) => heard_of_task(task),
        // The loop follows these itself.
        Inbound::Control(_) => String::new(),
    }
}

fn heard_of_task(task: &Task) -> String {
    let (name, run, prompt) = (&task.name, task.run, quoted(&task.prompt));
    let missed = match task.missed {
        0 => String::new(),
        missed => format!(" (missed before: {missed})"),
    };
    let found = task.found.as_deref();
    let found = found.map_or_else(String::new, |found| format!(" (found: {})", quoted(found)));
    format!("task {name}, run {run}: {prompt}{missed}{found}")
}

fn limited(text: &str) -> Vec<Command<'_>> {
    let mut commands = parse(text);
    commands.truncate(COMMANDS_LIMIT);
    commands
}

fn quoted(text: &str) -> String {
    let text = text.trim();
    let quote: String = text.chars().take(QUOTE_LIMIT).collect();
    let cut = if quote.len() < text.len() { "…" } else { "" };
    format!("“{quote}{cut}”")
}

async fn act(
    command: Command<'_>,
    io: &TurnIo,
    (mind, draft): (&mut Mind, &mut Draft),
) -> Result<(), TurnError> {
    match command {
        Command::Sh(cmd) => {
            let arguments = serde_json::json!({ "cmd": cmd }).to_string();
            call("bash", &arguments, io, draft).await;
        }
        Command::Tool { name, arguments } => call(name, arguments, io, draft).await,
        Command::Say { count, text } => {
            for _ in 0..count {
                draft.post(text.to_owned());
            }
        }
        Command::Sleep(span) => {
            io.progress(Some(span));
            tokio::time::sleep(span).await;
            io.progress(None);
            draft.say(&format!("slept {} s", span.as_secs_f64()));
        }
        Command::Listen(span) => listen(span, io, draft).await,
        Command::Big(len) => draft.say(&big(len)),
        Command::Exit(code) => return Err(TurnError::Exit { code }),
        Command::Hang => future::pending().await,
        Command::Env => draft.say(&environment(io)),
        Command::Fail {
            class,
            after,
            times,
        } => {
            if mind.failures < times {
                let detail = format!("failure {} of {times}", mind.failures + 1);
                return Err(TurnError::Provider {
                    class,
                    after,
                    detail,
                });
            }
            draft.say(&format!("answered after {} failures", mind.failures));
        }
        Command::Remember(text) => {
            mind.memory = Some(text.chars().take(QUOTE_LIMIT).collect());
            mind.told = true;
            draft.say("remembered");
        }
        Command::Recall => match &mind.memory {
            Some(memory) => draft.say(&format!("I remember {}", quoted(memory))),
            None => draft.say("I remember nothing"),
        },
        Command::Wrong(why) => draft.say(&why),
    }
    Ok(())
}

/// Each follow-up gets an answer of its own, in the conversation that it came from.
async fn listen(span: Duration, io: &TurnIo, draft: &mut Draft) {
    io.progress(Some(span));
    let mut rows = io.follow_ups(span).await;
    io.progress(None);
    rows.retain(|row| row.triggers);
    for row in &rows {
        draft.post_to(row.seq, format!("follow-up: {}", heard_of(&row.payload)));
    }
    draft.say(&format!("follow-ups taken: {}", rows.len()));
}

async fn call(tool: &str, arguments: &str, io: &TurnIo, draft: &mut Draft) {
    match io.call(tool, arguments).await {
        Ok(text) => draft.say(&text),
        Err(error) => draft.say(&failure(&error)),
    }
}

fn failure(error: &ToolError) -> String {
    format!("error: {}", report(error))
}

/// Digits in their order, so that a gap or a repetition shows.
fn big(len: usize) -> String {
    let mut digits = "0123456789".repeat(len.div_ceil(10));
    digits.truncate(len);
    digits
}

fn environment(io: &TurnIo) -> String {
    let mut listed = String::new();
    for (name, value) in io.environment() {
        let line = format!("{name}={value}\n");
        if listed.len() + line.len() > ENVIRONMENT_LIMIT_BYTES {
            listed.push_str("(there is more)\n");
            break;
        }
        listed.push_str(&line);
    }
    match listed.trim_end() {
        "" => "the environment is empty".to_owned(),
        listed => listed.to_owned(),
    }
}

#[cfg(test)]
mod tests;
