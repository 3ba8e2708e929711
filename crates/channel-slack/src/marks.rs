//! How far each conversation was heard, so that what Slack no longer offers can be asked for.
//!
//! The marks are written down now and then. Where they are older than what was heard, a little is read
//! again, which is known by its id.

use std::time::{Duration, Instant};

use anchorhold_channel::ChannelContext;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use tracing::warn;

use crate::{adapter::SlackAdapter, place::Place};

/// So many conversations and threads are remembered, those that were heard last.
const LIMIT: usize = 200;
/// How long the marks may be older than what was heard.
const WRITE_AFTER: Duration = Duration::from_secs(30);
/// What was last heard longer ago than this is not asked for.
const WINDOW: Duration = Duration::from_hours(7 * 24);

/// How far one place was heard.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Mark {
    chat: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    thread: Option<String>,
    /// The time stamp of the newest message that was taken.
    ts: String,
}

/// All marks, the newest last.
#[derive(Debug, Default)]
pub(crate) struct Marks {
    all: Vec<Mark>,
    changed: bool,
    written: Option<Instant>,
}

impl Mark {
    /// Where it is.
    pub(crate) fn place(&self) -> Place {
        Place {
            chat: self.chat.clone(),
            thread: self.thread.clone(),
        }
    }

    /// What comes after this was not heard.
    pub(crate) fn ts(&self) -> &str {
        &self.ts
    }
}

impl Marks {
    /// Notes a message that was taken. One that begins a thread is one of the conversation, and of the
    /// thread.
    pub(crate) fn note(&mut self, place: &Place, ts: &str) {
        if place.thread.as_deref().is_none_or(|thread| thread == ts) {
            self.set(&place.chat, None, ts);
        }
        if let Some(thread) = &place.thread {
            self.set(&place.chat, Some(thread), ts);
        }
    }

    /// Was anything heard there?
    pub(crate) fn has(&self, place: &Place) -> bool {
        let mut marks = self.all.iter();
        marks.any(|mark| mark.chat == place.chat && mark.thread == place.thread)
    }

    fn set(&mut self, chat: &str, thread: Option<&str>, ts: &str) {
        let here = |mark: &Mark| mark.chat == chat && mark.thread.as_deref() == thread;
        let known = self.all.iter().find(|mark| here(mark));
        if known.is_some_and(|known| !is_later(ts, &known.ts)) {
            return;
        }
        self.all.retain(|mark| !here(mark));
        self.all.push(Mark {
            chat: chat.to_owned(),
            thread: thread.map(str::to_owned),
            ts: ts.to_owned(),
        });
        let excess = self.all.len().saturating_sub(LIMIT);
        self.all.drain(..excess);
        self.changed = true;
    }

    /// What is to be asked for: conversations first, and nothing that has been silent for long.
    pub(crate) fn due(&self, now: Timestamp) -> Vec<Mark> {
        let mut due: Vec<Mark> = self
            .all
            .iter()
            .filter(|mark| {
                let at = crate::ledger::time(&mark.ts);
                at.is_some_and(|at| now.duration_since(at).unsigned_abs() <= WINDOW)
            })
            .cloned()
            .collect();
        due.sort_by_key(|mark| mark.thread.is_some());
        due
    }
}

/// Is one time stamp later than another? Their seconds have the same number of digits for centuries.
fn is_later(one: &str, other: &str) -> bool {
    (one.len(), one) > (other.len(), other)
}

impl SlackAdapter {
    /// Reads what an earlier run has written down; what this one has heard itself counts for more.
    pub(crate) async fn read_marks(&self, cx: &ChannelContext) {
        let text = match cx.cursor.get().await {
            Ok(text) => text.unwrap_or_else(|| "[]".to_owned()),
            Err(error) => {
                warn!(%error, "how far was heard is not known");
                return;
            }
        };
        let Ok(earlier) = serde_json::from_str::<Vec<Mark>>(&text) else {
            warn!("how far was heard can't be read");
            return;
        };
        self.marks(|marks| {
            for mark in earlier {
                marks.set(&mark.chat, mark.thread.as_deref(), &mark.ts);
            }
            marks.changed = false;
        });
    }

    /// Notes a message that was taken, and writes the marks down where that was long ago.
    pub(crate) async fn mark(&self, cx: &ChannelContext, place: &Place, ts: &str) {
        let now = self.clock.mono();
        let due = self.marks(|marks| {
            marks.note(place, ts);
            let last = *marks.written.get_or_insert(now);
            now.duration_since(last) >= WRITE_AFTER
        });
        if due {
            self.write_marks(cx).await;
        }
    }

    /// Writes the marks down, where they have changed.
    pub(crate) async fn write_marks(&self, cx: &ChannelContext) {
        let now = self.clock.mono();
        let marks = self.marks(|marks| {
            marks.written = Some(now);
            std::mem::take(&mut marks.changed).then(|| marks.all.clone())
        });
        let Some(marks) = marks else {
            return;
        };
        let written = match serde_json::to_string(&marks) {
            Ok(text) => cx
                .cursor
                .set(&text)
                .await
                .map_err(|error| error.to_string()),
            Err(error) => Err(error.to_string()),
        };
        if let Err(error) = written {
            warn!(%error, "how far was heard is not written down");
            self.marks(|marks| marks.changed = true);
        }
    }
}

#[cfg(test)]
mod tests;
