//! One operation on its way out.

use anchorhold_channel::{ChannelError, LimitScope, PartKey, Sent};
use anchorhold_core::{
    address::Address,
    ids::PlatformMessageId,
    outbound::{OutboundOp, Question, Voice},
};
use serde_json::Value;

use crate::{
    adapter::SlackAdapter,
    api::{Failed, Params},
    blocks, emoji,
    ledger::metadata,
    mrkdwn::{mrkdwn, plain},
    place::{Place, target},
    wire::{Posted, Reacted},
};

/// What stands before words of the host, which must not pass for the agent's.
const HOST: &str = "⚙ ";
/// The longest text that Slack shows without cutting it or making two of it, in characters:
/// <https://docs.slack.dev/reference/methods/chat.postMessage#truncating>.
const MARKED_LIMIT: usize = 4_000;
/// What is shown while an answer is being made.
const STATUS: &str = "is thinking…";

/// A text as Slack has it: with its markup where it stays short enough with that, else as it is.
fn wording(source: &str, voice: Voice) -> String {
    let source = match voice {
        Voice::Agent => source.to_owned(),
        Voice::Host => format!("{HOST}{source}"),
    };
    let rendered = mrkdwn(&source);
    let short = rendered.marked.chars().count() <= MARKED_LIMIT;
    if short && !rendered.visible.trim().is_empty() {
        rendered.marked
    } else {
        plain(&source)
    }
}

/// A text that is posted: what is linked to is fetched by nobody.
fn with_text(params: Params, text: impl Into<String>) -> Params {
    params
        .with("text", text)
        .with("unfurl_links", "false")
        .with("unfurl_media", "false")
}

impl SlackAdapter {
    /// Carries an operation out.
    pub(crate) async fn carry_out(
        &self,
        to: &Address,
        op: &OutboundOp,
        key: PartKey,
    ) -> Result<Sent, ChannelError> {
        let place = Place::of(to);
        match op {
            OutboundOp::Post {
                text, files, voice, ..
            } => {
                if files.is_empty() {
                    let params = with_text(place.params(), wording(text, *voice));
                    return self.post(&place, params, key).await;
                }
                let text = (!text.trim().is_empty()).then(|| wording(text, *voice));
                Box::pin(self.share(&place, (text, files), key)).await
            }
            OutboundOp::Ask(question) => self.ask_for(&place, question, key).await,
            OutboundOp::Edit { target: id, text } => {
                let params = Params::new()
                    .with("channel", &place.chat)
                    .with("ts", target(id)?)
                    .with("text", wording(text, Voice::Agent));
                self.done(&place, "chat.update", &params, &[]).await
            }
            OutboundOp::Delete { target: id } => {
                let params = Params::new()
                    .with("channel", &place.chat)
                    .with("ts", target(id)?);
                let gone = ["message_not_found"];
                self.done(&place, "chat.delete", &params, &gone).await
            }
            OutboundOp::React { target: id, emoji } => self.react(&place, target(id)?, emoji).await,
            OutboundOp::Typing => self.typing(&place).await,
        }
    }

    async fn ask_for(
        &self,
        place: &Place,
        question: &Question,
        key: PartKey,
    ) -> Result<Sent, ChannelError> {
        let words = wording(&blocks::words(question), Voice::Agent);
        let params =
            with_text(place.params(), words).with_json("blocks", &blocks::question(question));
        self.post(place, params, key).await
    }

    /// Posts a message, unless it is there: <https://docs.slack.dev/reference/methods/chat.postMessage>.
    async fn post(
        &self,
        place: &Place,
        params: Params,
        key: PartKey,
    ) -> Result<Sent, ChannelError> {
        const METHOD: &str = "chat.postMessage";
        if let Some(sent) = self.already(place, key).await? {
            return Ok(sent);
        }
        let params = params.with_json("metadata", &metadata(key));
        self.ledger(|ledger| ledger.begin(key, Vec::new()));
        let posted = self.api.call::<Posted>(METHOD, &params).await;
        let posted = posted.map(|posted| {
            self.note_thread(&place.chat, &posted.ts, place.thread.clone());
            // One that can't be an id is left out: it was sent.
            PlatformMessageId::parse(&posted.ts).ok()
        });
        self.settled(place, (METHOD, key), posted)
    }

    /// Notes what became of a key.
    pub(crate) fn settled(
        &self,
        place: &Place,
        (method, key): (&'static str, PartKey),
        done: Result<Option<PlatformMessageId>, Failed>,
    ) -> Result<Sent, ChannelError> {
        match done {
            Ok(message_id) => {
                let sent = Sent { message_id };
                self.ledger(|ledger| ledger.sent(key, sent.clone()));
                Ok(sent)
            }
            Err(failed) => {
                if !failed.is_ambiguous() {
                    self.ledger(|ledger| ledger.nothing(key));
                }
                Err(self.failed(place, method, failed))
            }
        }
    }

    /// What a failure means. Slack limits each method by itself, some in each conversation and some in
    /// the whole workspace, and does not say which: <https://docs.slack.dev/apis/web-api/rate-limits>.
    pub(crate) fn failed(
        &self,
        place: &Place,
        method: &'static str,
        failed: Failed,
    ) -> ChannelError {
        let scope = match &failed {
            Failed::No(no) if no.is_limit() => {
                let wait = no.retry_after.unwrap_or_default();
                let (chat, now) = (place.chat.clone(), self.clock.mono());
                self.limits(method, |limits| limits.meet(chat, wait, now))
            }
            Failed::No(_) | Failed::NoAnswer(_) => LimitScope::Chat,
        };
        failed.into_error(method, scope)
    }

    /// Calls a method that is the same done twice as done once; one of `done` says that it is done.
    async fn done(
        &self,
        place: &Place,
        method: &'static str,
        params: &Params,
        done: &[&str],
    ) -> Result<Sent, ChannelError> {
        match self.api.call::<Value>(method, params).await {
            Err(failed) if !failed.is(done) => Err(self.failed(place, method, failed)),
            Ok(_) | Err(_) => Ok(Sent { message_id: None }),
        }
    }

    /// Puts a reaction on a message, or takes all of ours away:
    /// <https://docs.slack.dev/reference/methods/reactions.add>.
    async fn react(&self, place: &Place, ts: &str, emoji: &str) -> Result<Sent, ChannelError> {
        const METHOD: &str = "reactions.add";
        if emoji.is_empty() {
            return self.take_reactions_back(place, ts).await;
        }
        let names = emoji::names(emoji);
        let on = || {
            Params::new()
                .with("channel", &place.chat)
                .with("timestamp", ts)
        };
        for name in names {
            let put = self
                .api
                .call::<Value>(METHOD, &on().with("name", &name))
                .await;
            match put {
                // Slack may know it by the next one.
                Err(failed) if failed.is(&["invalid_name"]) => {}
                Err(failed) if !failed.is(&["already_reacted"]) => {
                    return Err(self.failed(place, METHOD, failed));
                }
                Ok(_) | Err(_) => return Ok(Sent { message_id: None }),
            }
        }
        Err(ChannelError::Permanent {
            reason: "Slack has no such reaction".to_owned(),
        })
    }

    async fn take_reactions_back(&self, place: &Place, ts: &str) -> Result<Sent, ChannelError> {
        let me = self.me().await?;
        let on = || {
            Params::new()
                .with("channel", &place.chat)
                .with("timestamp", ts)
        };
        let params = on().with("full", "true");
        let reacted: Result<Reacted, _> = self.api.call("reactions.get", &params).await;
        let reacted = reacted.map_err(|failed| self.failed(place, "reactions.get", failed))?;
        let mut reactions = reacted.message.reactions;
        reactions.retain(|reaction| reaction.users.contains(&me.user_id));
        for reaction in reactions {
            let params = on().with("name", &reaction.name);
            self.done(place, "reactions.remove", &params, &["no_reaction"])
                .await?;
        }
        Ok(Sent { message_id: None })
    }

    /// Shows that an answer is being made, which Slack shows in threads alone, until the answer comes:
    /// <https://docs.slack.dev/reference/methods/assistant.threads.setStatus>.
    async fn typing(&self, place: &Place) -> Result<Sent, ChannelError> {
        const METHOD: &str = "assistant.threads.setStatus";
        let Some(thread) = &place.thread else {
            return Ok(Sent { message_id: None });
        };
        let params = Params::new()
            .with("channel_id", &place.chat)
            .with("thread_ts", thread)
            .with("status", STATUS);
        self.done(place, METHOD, &params, &[]).await
    }

    /// Tells a person that the host refused what they said.
    pub(crate) async fn tell(&self, place: &Place, why: &str) -> Result<(), ChannelError> {
        let text = plain(&format!("{HOST}This message was not taken: {why}"));
        let params = with_text(place.params(), text);
        let told = self.api.call::<Value>("chat.postMessage", &params).await;
        told.map(|_posted| ())
            .map_err(|failed| self.failed(place, "chat.postMessage", failed))
    }
}
