//! The agent: does what the message says, word by word, so that each word can be found again.

use std::{collections::BTreeMap, future::pending, time::Duration};

use anchorhold_agent_runner::provider::{
    AgentProvider, ProviderCaps, Turn, TurnError, TurnIo, TurnOutcome,
};
use anchorhold_core::turn_failure::FailureClass;
use anchorhold_sessiondb::{Emit, Inbound, InboundRow, Outbound, Seq};
use async_trait::async_trait;
use tokio::time::sleep;

use crate::plan::{End, Task};

const CAPS: ProviderCaps = ProviderCaps {
    // The name that the configuration accepts.
    name: "offline",
    state_keys: &[],
    follow_ups: true,
};

/// How often the provider of [`End::Waits`] fails, and how long it wants to be left alone then.
const PROVIDER_FAILS: u32 = 2;
const PROVIDER_WAIT: Duration = Duration::from_secs(4);

/// The text of a message that asks for `task`.
pub fn text(number: u32, task: &Task) -> String {
    let end = match task.end {
        End::Well => "well",
        End::Failed => "failed",
        End::Waits => "waits",
        End::Exit => "exit",
    };
    format!(
        "{number} {} {} {} {} {end}",
        task.posts, task.words, task.takes, task.listens
    )
}

fn task(text: &str) -> Option<(u32, Task)> {
    let mut words = text.split(' ');
    let number = words.next()?.parse().ok()?;
    let task = Task {
        posts: words.next()?.parse().ok()?,
        words: words.next()?.parse().ok()?,
        takes: words.next()?.parse().ok()?,
        listens: words.next()?.parse().ok()?,
        end: match words.next()? {
            "well" => End::Well,
            "failed" => End::Failed,
            "waits" => End::Waits,
            "exit" => End::Exit,
            _ => return None,
        },
    };
    Some((number, task))
}

/// The words that answer message `number`: each once, in order.
pub fn words(number: u32, task: &Task) -> Vec<String> {
    let count = task.posts * task.words;
    (0..count).map(|word| format!("m{number}.{word}")).collect()
}

/// The number of a message of which this is a word.
pub fn of_word(word: &str) -> Option<u32> {
    let (number, _) = word.strip_prefix('m')?.split_once('.')?;
    number.parse().ok()
}

/// The scripted agent.
#[derive(Clone, Copy, Debug)]
pub struct Script;

impl Script {
    async fn answer(row: &InboundRow, io: &TurnIo) -> Result<Vec<Emit>, TurnError> {
        let Inbound::Chat(chat) = &row.payload else {
            // The host's words about what was not delivered.
            return Ok(Vec::new());
        };
        let Some((number, task)) = task(&chat.text) else {
            return Ok(vec![post(row.seq, format!("what is {}", chat.text.len()))]);
        };
        io.progress(Some(Duration::from_millis(task.takes + task.listens)));
        sleep(Duration::from_millis(task.takes)).await;
        match task.end {
            End::Well => {}
            End::Failed => {
                let why = format!("message {number} asked for it");
                return Err(TurnError::Failed { why });
            }
            End::Exit => return Err(TurnError::Exit { code: 3 }),
            End::Waits if row.failures < PROVIDER_FAILS => {
                return Err(TurnError::Provider {
                    class: FailureClass::RateLimited,
                    after: Some(PROVIDER_WAIT),
                    detail: "asked too often".to_owned(),
                });
            }
            End::Waits => {}
        }
        let words = words(number, &task);
        let each = usize::try_from(task.words).unwrap_or(1).max(1);
        Ok(words
            .chunks(each)
            .map(|words| post(row.seq, words.join(" ")))
            .collect())
    }

    async fn answer_all(
        rows: &[InboundRow],
        io: &TurnIo,
        emit: &mut Vec<Emit>,
    ) -> Result<u64, TurnError> {
        let mut listens = 0;
        for row in rows.iter().filter(|row| row.triggers) {
            emit.extend(Self::answer(row, io).await?);
            if let Inbound::Chat(chat) = &row.payload
                && let Some((_, task)) = task(&chat.text)
            {
                listens = listens.max(task.listens);
            }
        }
        Ok(listens)
    }
}

fn post(seq: Seq, text: String) -> Emit {
    let files = Vec::new();
    Emit {
        to: None,
        in_reply_to: Some(seq),
        op: Outbound::Post { text, files },
        files: Vec::new(),
    }
}

#[async_trait]
impl AgentProvider for Script {
    fn caps(&self) -> &ProviderCaps {
        &CAPS
    }

    async fn run_turn(&self, turn: Turn, io: TurnIo) -> Result<TurnOutcome, TurnError> {
        let mut emit = Vec::new();
        let listens = Self::answer_all(&turn.messages, &io, &mut emit).await?;
        if listens > 0 {
            let more = io.follow_ups(Duration::from_millis(listens)).await;
            Self::answer_all(&more, &io, &mut emit).await?;
        }
        Ok(TurnOutcome {
            emit,
            state: Vec::new(),
        })
    }

    async fn compact(
        &self,
        _state: BTreeMap<String, String>,
        _io: TurnIo,
    ) -> Result<TurnOutcome, TurnError> {
        // Nobody here asks for it.
        pending().await
    }
}

#[cfg(test)]
mod tests;
