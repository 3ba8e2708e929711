//! Long polling: <https://core.telegram.org/bots/api#getupdates>.
//!
//! Telegram forgets an update once a later one is asked for. So the offset moves only past what the host
//! has accepted; what it has not stays where it is, and everything behind it waits.

use std::time::Duration;

use anchorhold_channel::{ChannelContext, ChannelError, IntakeError, LimitScope};
use anchorhold_channel_kit::http::harmless;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tokio::time::sleep;
use tracing::warn;

use crate::{
    adapter::TelegramAdapter,
    album::{self, Key, PARTS_LIMIT},
    api::Failed,
    moves::Moves,
    receive::Later,
    wire::{Message, Numbered, Update, User},
};

/// So often another poll may end ours before it is no remnant of an earlier run any more.
const CONFLICTS_LIMIT: u32 = 4;

/// What outlives a run.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Kept {
    /// The first update that was not accepted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) offset: Option<i64>,
    /// The groups that became supergroups.
    #[serde(default)]
    pub(crate) moved: Moves,
}

impl Kept {
    /// What an earlier run has left.
    pub(crate) async fn read(cx: &ChannelContext) -> Self {
        let text = match cx.cursor.get().await {
            Ok(text) => text.unwrap_or_else(|| "{}".to_owned()),
            Err(error) => {
                // Telegram itself knows where it is.
                warn!(%error, "the place in the updates is not known");
                return Self::default();
            }
        };
        serde_json::from_str(&text).unwrap_or_else(|_not_ours| {
            warn!("the place in the updates can't be read");
            Self::default()
        })
    }

    /// Writes it down; without that the next run reads a little again.
    pub(crate) async fn write(&self, cx: &ChannelContext) -> bool {
        let written = match serde_json::to_string(self) {
            Ok(text) => cx
                .cursor
                .set(&text)
                .await
                .map_err(|error| error.to_string()),
            Err(error) => Err(error.to_string()),
        };
        if let Err(error) = &written {
            warn!(%error, "the place in the updates is not written down");
        }
        written.is_ok()
    }
}

struct Polling<'a> {
    adapter: &'a TelegramAdapter,
    cx: &'a ChannelContext,
    me: User,
    offset: Option<i64>,
    written: Kept,
    /// Was there an answer in this run?
    answered: bool,
    failed: u32,
    conflicts: u32,
    /// The album that is waited for, and how many parts of it there were.
    album: Option<(Key, usize)>,
}

/// Receives until something ends it for good.
pub(crate) async fn run(
    adapter: &TelegramAdapter,
    cx: &ChannelContext,
) -> Result<(), ChannelError> {
    let me = adapter.me().await?;
    let written = Kept::read(cx).await;
    adapter.moves(|moves| moves.restore(written.moved.clone()));
    // With one, Telegram answers no poll. What waits for it is kept.
    let params = json!({ "drop_pending_updates": false });
    adapter.api.asked::<Value>("deleteWebhook", &params).await?;
    let mut polling = Polling {
        adapter,
        cx,
        me,
        offset: written.offset,
        written,
        answered: false,
        failed: 0,
        conflicts: 0,
        album: None,
    };
    loop {
        polling.once().await?;
        polling.write().await;
    }
}

impl Polling<'_> {
    /// One poll, and all that came with it.
    async fn once(&mut self) -> Result<(), ChannelError> {
        // After a failure an answer is wanted soon: it shows that the connection is back.
        let at_once = !self.answered || self.failed > 0 || self.album.is_some();
        let wait = if at_once {
            Duration::ZERO
        } else {
            self.adapter.waits.poll
        };
        let values = match self.adapter.api.get_updates(self.offset, wait).await {
            Ok(values) => values,
            Err(failed) => return self.not_answered(failed).await,
        };
        let count = values.len();
        let updates: Vec<_> = values.into_iter().filter_map(Numbered::read).collect();
        if updates.len() < count {
            warn!(
                left = count - updates.len(),
                "updates without a number are ignored"
            );
        }
        if updates.is_empty() && count > 0 {
            let nothing = ChannelError::Transient {
                doing: "getUpdates",
                source: "no update has a number".into(),
            };
            return self.pause_after(nothing).await;
        }
        self.answered = true;
        self.failed = 0;
        self.conflicts = 0;
        self.cx.health.connected();
        self.cx.health.inbound();
        self.take_all(&updates).await;
        Ok(())
    }

    /// Takes updates in their order, up to an album that may have more parts.
    async fn take_all(&mut self, updates: &[Numbered]) {
        let mut taken = Vec::new();
        for (at, numbered) in updates.iter().enumerate() {
            let key = album::part(numbered).and_then(Key::of);
            match (key, &numbered.update) {
                _ if taken.contains(&numbered.number) => {}
                (Some(key), _) => {
                    let (_, from_here) = updates.split_at(at);
                    let parts = album::parts(from_here, &key);
                    if !self.is_complete(&key, parts.len()) {
                        sleep(self.adapter.waits.album).await;
                        return;
                    }
                    let (numbers, messages): (Vec<i64>, Vec<&Message>) = parts.into_iter().unzip();
                    self.take_album(&messages).await;
                    taken = numbers;
                }
                (None, Some(update)) => self.take(update).await,
                (None, None) => warn!(update = numbered.number, "update can't be read, ignored"),
            }
            self.offset = Some(numbered.number.saturating_add(1));
        }
        self.album = None;
    }

    /// Has an album all its parts? It has when a look later there were no more.
    fn is_complete(&mut self, key: &Key, parts: usize) -> bool {
        let seen = self.album.replace((key.clone(), parts));
        let complete = parts >= PARTS_LIMIT || seen == self.album;
        if complete {
            self.album = None;
        }
        complete
    }

    async fn take(&mut self, update: &Update) {
        for failed in 0_u32.. {
            let taken = self.adapter.take(self.cx, update, (&self.me, failed)).await;
            if self.is_taken(taken, failed).await {
                return;
            }
        }
    }

    async fn take_album(&mut self, parts: &[&Message]) {
        for failed in 0_u32.. {
            let heard = self
                .adapter
                .hear(self.cx, (parts, false), (&self.me, failed));
            let taken = heard.await;
            if self.is_taken(taken, failed).await {
                return;
            }
        }
    }

    /// Was an update taken? If not, there is a pause before it is offered again.
    async fn is_taken(&self, taken: Result<(), Later>, failed: u32) -> bool {
        match taken {
            Ok(()) => return true,
            // The token of this run is about to fire.
            Err(Later::Host(IntakeError::Stopping)) => std::future::pending::<()>().await,
            Err(later) => {
                warn!(error = %later, "an update is not taken yet");
                let pace = self.adapter.waits.pace;
                sleep(pace.pause(failed.saturating_add(1)).unwrap_or(pace.longest)).await;
            }
        }
        false
    }

    /// What follows from a poll without updates in its answer.
    async fn not_answered(&mut self, failed: Failed) -> Result<(), ChannelError> {
        if let Failed::No(no) = &failed
            && no.code == 409
        {
            self.conflicts += 1;
            if self.conflicts >= CONFLICTS_LIMIT {
                return Err(ChannelError::Permanent {
                    reason: "another program receives what is said to this bot: stop it, or give \
                             it a bot and a token of its own"
                        .to_owned(),
                });
            }
        }
        let conflict = matches!(&failed, Failed::No(no) if no.code == 409);
        let error = harmless(failed.into_error("getUpdates", LimitScope::Instance));
        match error {
            ChannelError::Permanent { .. } if conflict => self.pause_after(error).await,
            ChannelError::Transient { .. } => self.pause_after(error).await,
            ChannelError::RateLimited { .. }
            | ChannelError::Ambiguous { .. }
            | ChannelError::Permanent { .. }
            | ChannelError::Unauthorized { .. }
            | ChannelError::Absent => Err(error),
        }
    }

    /// Waits before the next poll; too many failures in a row are a lost connection.
    async fn pause_after(&mut self, error: ChannelError) -> Result<(), ChannelError> {
        self.failed += 1;
        let Some(pause) = self.adapter.waits.pace.pause(self.failed) else {
            return Err(error);
        };
        warn!(%error, failed = self.failed, "a poll was not answered");
        self.cx.health.reconnecting(&error.to_string());
        sleep(pause).await;
        Ok(())
    }

    /// Writes down how far it came, where that has changed.
    async fn write(&mut self) {
        let now = Kept {
            offset: self.offset,
            moved: self.adapter.moves(|moves| moves.clone()),
        };
        if now != self.written && now.write(self.cx).await {
            self.written = now;
        }
    }
}

#[cfg(test)]
mod tests;
