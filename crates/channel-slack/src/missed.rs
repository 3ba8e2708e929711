//! What was said while nobody listened. Slack offers each event again for some minutes; what was said
//! before that is read from the conversations.

use anchorhold_channel::{ChannelContext, ChannelError};
use tracing::{info, warn};

use crate::{
    adapter::SlackAdapter,
    api::Params,
    lanes::{Come, Work},
    marks::Mark,
    place::Place,
    receive::Later,
    wire::{Event, Me, Missed},
};

/// How many messages are asked for at once, and how often for one place.
const PAGE: &str = "200";
const PAGES_LIMIT: usize = 10;
/// How often it is tried in one place.
const TRIES: u32 = 5;
/// The lane that it is caught up in; no conversation has such an id.
const LANE: &str = "missed";

impl SlackAdapter {
    /// What is to be caught up with.
    pub(crate) fn missed(&self) -> Vec<Come> {
        let now = self.clock.now();
        let due = self.marks(|marks| marks.due(now));
        due.into_iter().map(Come::of_mark).collect()
    }

    /// Takes what came after a mark; returns `Ok` once all of it is durable.
    pub(crate) async fn catch_up(
        &self,
        cx: &ChannelContext,
        mark: &Mark,
        (me, failed): (&Me, u32),
    ) -> Result<(), Later> {
        let place = mark.place();
        let messages = match self.after(&place, mark.ts()).await {
            Ok(messages) => messages,
            Err(error) => return later(error, failed),
        };
        if !messages.is_empty() {
            info!(left = messages.len(), "what was missed is caught up with");
        }
        for message in messages {
            let replied = message.reply_count > 0 && place.thread.is_none();
            let mut event = message.event;
            event.channel = Some(place.chat.clone());
            let thread = event.ts.clone();
            Box::pin(self.event(cx, &event, (me, failed))).await?;
            if let Some(thread) = thread.filter(|_| replied) {
                self.catch_up_thread(cx, (&place, thread), (me, failed))
                    .await?;
            }
        }
        Ok(())
    }

    /// The answers to a message that was missed itself.
    async fn catch_up_thread(
        &self,
        cx: &ChannelContext,
        (place, thread): (&Place, String),
        (me, failed): (&Me, u32),
    ) -> Result<(), Later> {
        let since = thread.clone();
        let place = Place {
            chat: place.chat.clone(),
            thread: Some(thread),
        };
        let answers = match self.after(&place, &since).await {
            Ok(answers) => answers,
            Err(error) => return later(error, failed),
        };
        for answer in answers {
            let mut event: Event = answer.event;
            event.channel = Some(place.chat.clone());
            Box::pin(self.event(cx, &event, (me, failed))).await?;
        }
        Ok(())
    }

    /// What was said at a place after a time stamp, in order.
    async fn after(&self, place: &Place, ts: &str) -> Result<Vec<Missed>, ChannelError> {
        let mut messages = Vec::new();
        let mut cursor = String::new();
        for _ in 0..PAGES_LIMIT {
            let params = Params::new()
                .with("channel", &place.chat)
                .with("oldest", ts)
                .with("limit", PAGE)
                .with("cursor", &cursor);
            let page: crate::wire::Since = match &place.thread {
                Some(thread) => {
                    let params = params.with("ts", thread);
                    self.api.asked("conversations.replies", &params).await?
                }
                None => self.api.asked("conversations.history", &params).await?,
            };
            messages.extend(page.messages);
            cursor = page.response_metadata.next_cursor;
            if cursor.is_empty() {
                break;
            }
        }
        if !cursor.is_empty() {
            warn!(chat = %place.chat, "so much was said meanwhile that the oldest of it is left out");
        }
        let at = |message: &Missed| message.event.ts.clone().unwrap_or_default();
        // A thread begins with the message that began it, however old that is.
        messages.retain(|message| at(message).as_str() > ts);
        messages.sort_by_key(at);
        Ok(messages)
    }
}

/// What follows from messages that can't be had: what may pass is asked for again, but not for ever.
fn later(error: ChannelError, failed: u32) -> Result<(), Later> {
    let limited = matches!(error, ChannelError::RateLimited { .. });
    // E.g. the app is not there any more.
    let refused = matches!(error, ChannelError::Permanent { .. });
    if limited || (!refused && failed + 1 < TRIES) {
        return Err(Later::Platform(error));
    }
    warn!(%error, "what was missed can't be asked for");
    Ok(())
}

impl Come {
    /// What comes after a mark. It is asked for one place after the other, in a lane of its own: nothing
    /// that is said now waits for it.
    fn of_mark(mark: Mark) -> Self {
        let place = mark.place();
        let id = format!("{} {}", place.chat, place.thread.unwrap_or_default());
        Self::new(id, LANE.to_owned(), Work::Missed(Box::new(mark)))
    }
}
