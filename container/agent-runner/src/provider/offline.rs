//! The scripted agent: no model, no network, no cost. `docs/offline-agent.md` is its manual.
//!
//! It proves the whole path from platform to sandbox and back, and shows what a sandbox can do.

mod commands;
mod draft;

use std::future;

use anchorhold_sessiondb::{Chat, Inbound};
use async_trait::async_trait;

use crate::{
    provider::{
        AgentProvider, ProviderCaps, Turn, TurnError, TurnIo, TurnOutcome,
        offline::{
            commands::{COMMANDS_LIMIT, Command, parse},
            draft::Draft,
        },
    },
    report,
    tools::ToolError,
};

const CAPS: ProviderCaps = ProviderCaps {
    name: "offline",
    state_keys: &[],
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
        for message in turn.messages.iter().filter(|message| message.triggers) {
            io.progress(None);
            draft.begin(message.seq);
            let Inbound::Chat(chat) = &message.payload;
            answer(chat, &io, &mut draft).await?;
            draft.end();
        }
        Ok(TurnOutcome {
            emit: draft.emit,
            state: Vec::new(),
        })
    }
}

async fn answer(chat: &Chat, io: &TurnIo, draft: &mut Draft) -> Result<(), TurnError> {
    let mut commands = parse(&chat.text);
    if commands.is_empty() {
        draft.say(&heard(chat));
        return Ok(());
    }
    let excess = commands.len() > COMMANDS_LIMIT;
    commands.truncate(COMMANDS_LIMIT);
    for command in commands {
        act(command, io, draft).await?;
    }
    if excess {
        draft.say(&format!(
            "only the first {COMMANDS_LIMIT} command lines were followed"
        ));
    }
    Ok(())
}

fn heard(chat: &Chat) -> String {
    let mut said =
        vec!["I am the offline agent: I follow a script and understand nothing.".to_owned()];
    let text = chat.text.trim();
    if !text.is_empty() {
        let quote: String = text.chars().take(QUOTE_LIMIT).collect();
        let cut = if quote.len() < text.len() { "…" } else { "" };
        said.push(format!("You wrote: “{quote}{cut}”"));
    }
    match chat.files.len() {
        0 => {}
        1 => said.push("You sent one file.".to_owned()),
        count => said.push(format!("You sent {count} files.")),
    }
    said.join(" ")
}

async fn act(command: Command<'_>, io: &TurnIo, draft: &mut Draft) -> Result<(), TurnError> {
    match command {
        Command::Sh(cmd) => {
            let arguments = serde_json::json!({ "cmd": cmd }).to_string();
            call("sh", &arguments, io, draft).await;
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
        Command::Big(len) => draft.say(&big(len)),
        Command::Exit(code) => return Err(TurnError::Exit { code }),
        Command::Hang => future::pending().await,
        Command::Env => draft.say(&environment(io)),
        Command::Wrong(why) => draft.say(&why),
    }
    Ok(())
}

async fn call(tool: &str, arguments: &str, io: &TurnIo, draft: &mut Draft) {
    match io.call(tool, arguments).await {
        Ok(called) => {
            if let Some(effect) = called.effect {
                draft.emit(effect.op, effect.files);
            }
            draft.say(&called.text);
        }
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
