//! `anchorhold chat`: a conversation on the terminal, or line by line from a pipe.

use std::{io::IsTerminal, process::ExitCode, time::Duration};

use anchorhold_channel_cli::{
    client::Client,
    config::default_socket,
    error::ClientError,
    wire::{AcceptedStatus, ServerLine},
};
use anchorhold_core::{ids::QuestionId, outbound::Voice};
use anyhow::bail;
use camino::Utf8PathBuf;
use clap::Args;
use tokio::{
    io::{AsyncBufReadExt, BufReader, Lines, Stdin},
    time::{sleep, timeout},
};

use crate::{
    app::World,
    cli::{Common, NoHost},
    output,
};

/// After the last answer, more of it is waited for this long.
const MORE: Duration = Duration::from_millis(300);
/// How often, and how long apart, a host that went away is looked for.
const RECONNECT_TRIES: u32 = 240;
const RECONNECT_WAIT: Duration = Duration::from_millis(500);

/// Which conversation.
#[derive(Debug, Args)]
pub struct Where {
    /// The conversation's name
    #[arg(long, default_value = "local")]
    name: String,
    /// The channel instance
    #[arg(long, default_value = "cli")]
    channel: String,
    /// The channel's socket, where its table in the configuration names one
    #[arg(long, value_name = "FILE")]
    socket: Option<Utf8PathBuf>,
}

/// Connects to the running host.
pub async fn connect(common: &Common, place: &Where, world: &World) -> anyhow::Result<Client> {
    let default = default_socket(&common.data_dir, &place.channel);
    let path = place.socket.clone().unwrap_or(default);
    let random = world.entropy.bytes();
    match Client::connect(&path, &place.name, random).await {
        Ok(client) => Ok(client),
        Err(ClientError::Connect { path, .. }) => Err(NoHost { path }.into()),
        Err(failure) => Err(failure.into()),
    }
}

/// Chats until the input ends. From a pipe: fails if a line was not answered.
pub async fn run(common: &Common, place: &Where, world: &World) -> anyhow::Result<ExitCode> {
    let mut client = connect(common, place, world).await?;
    let mut input = BufReader::new(tokio::io::stdin()).lines();
    if std::io::stdin().is_terminal() {
        interactive(common, &mut client, &mut input).await?;
        client.close().await?;
        return Ok(ExitCode::SUCCESS);
    }
    let mut all_answered = true;
    while let Some(line) = input.next_line().await? {
        if line.trim().is_empty() {
            continue;
        }
        all_answered &= answer(common, &mut client, &line).await?;
    }
    linger(common, &mut client).await?;
    client.close().await?;
    Ok(if all_answered {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

async fn interactive(
    common: &Common,
    client: &mut Client,
    input: &mut Lines<BufReader<Stdin>>,
) -> anyhow::Result<()> {
    output::note("Write a line to the agent; end with Ctrl-D.");
    loop {
        tokio::select! {
            line = input.next_line() => {
                let Some(line) = line? else { return Ok(()) };
                if !line.trim().is_empty() {
                    client.say(&line, Vec::new()).await?;
                }
            }
            line = client.next() => {
                if let Ok(Some(line)) = line {
                    show(common, &line)?;
                } else {
                    output::note("the host went away; waiting for it");
                    reconnect(client).await?;
                    output::note("the host is back");
                }
            }
        }
    }
}

/// Says one line and prints what comes until it is answered; tells whether the agent did.
///
/// A host that goes away meanwhile is waited for; the line is then said again under the same id,
/// so it is one message however often it is said.
pub async fn answer(common: &Common, client: &mut Client, text: &str) -> anyhow::Result<bool> {
    let said = client.say(text, Vec::new()).await?;
    loop {
        let Ok(Some(line)) = client.next().await else {
            output::note("the host went away; waiting for it");
            reconnect(client).await?;
            client.say_as(&said, text, Vec::new()).await?;
            continue;
        };
        show(common, &line)?;
        match line {
            ServerLine::Message {
                in_reply_to: Some(id),
                voice,
                ..
            } if id == said => return Ok(voice == Voice::Agent),
            ServerLine::Accepted {
                id,
                status: AcceptedStatus::Declined,
                reason,
            } if id == said => {
                output::note(&format!("not taken: {}", reason.unwrap_or_default()));
                return Ok(false);
            }
            ServerLine::Error { id, .. } if id.as_deref().is_none_or(|id| id == said) => {
                return Ok(false);
            }
            ServerLine::Welcome { .. }
            | ServerLine::Accepted { .. }
            | ServerLine::Message { .. }
            | ServerLine::Edit { .. }
            | ServerLine::Delete { .. }
            | ServerLine::React { .. }
            | ServerLine::Question { .. }
            | ServerLine::Answered { .. }
            | ServerLine::Typing
            | ServerLine::Error { .. } => {}
        }
    }
}

/// Prints what still comes: an answer can have several messages.
pub async fn linger(common: &Common, client: &mut Client) -> anyhow::Result<()> {
    while let Ok(Ok(Some(line))) = timeout(MORE, client.next()).await {
        show(common, &line)?;
    }
    Ok(())
}

async fn reconnect(client: &mut Client) -> anyhow::Result<()> {
    for _ in 0..RECONNECT_TRIES {
        if client.reconnect().await.is_ok() {
            return Ok(());
        }
        sleep(RECONNECT_WAIT).await;
    }
    bail!("the host did not come back");
}

/// Prints a line of the host's, as JSON or for a person.
pub fn show(common: &Common, line: &ServerLine) -> anyhow::Result<()> {
    if common.json {
        return Ok(output::json(line)?);
    }
    match line {
        ServerLine::Message {
            text, voice, files, ..
        } => {
            match voice {
                Voice::Agent => output::data(text),
                Voice::Host => output::data(&format!("[anchorhold] {text}")),
            }
            for file in files {
                output::data(&format!("[file {}; --json shows its content]", file.name));
            }
        }
        ServerLine::Edit { text, .. } => output::data(&format!("[changed] {text}")),
        ServerLine::Delete { .. } => output::data("[a message was taken back]"),
        ServerLine::React { emoji, .. } => output::data(&format!("[reaction] {emoji}")),
        ServerLine::Question {
            question,
            title,
            text,
            options,
            ..
        } => output::data(&asked(*question, title, text, options)),
        ServerLine::Answered { text, .. } => output::data(&format!("[anchorhold] {text}")),
        ServerLine::Error { what, .. } => output::note(&format!("error: {what}")),
        ServerLine::Welcome { .. } | ServerLine::Accepted { .. } | ServerLine::Typing => {}
    }
    Ok(())
}

/// A question for a terminal. Each option is one line, whatever is in it: none can pass for two, or
/// for the line that says how to answer.
fn asked(question: QuestionId, title: &str, text: &str, options: &[String]) -> String {
    let mut lines: Vec<String> = Vec::new();
    for part in [title, text] {
        if !part.trim().is_empty() {
            lines.push(part.to_owned());
        }
    }
    for (number, option) in (1..).zip(options) {
        let words: Vec<&str> = option.split_whitespace().collect();
        lines.push(format!("{number}. {}", words.join(" ")));
    }
    lines.push(format!("Answer with: /answer {} <number>", question.code()));
    lines.join("\n")
}

#[cfg(test)]
mod tests;
