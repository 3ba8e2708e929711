//! One operation on its way out: each is one request that does something, and a second one only where the
//! first was certainly not done and Discord has said what would do instead.

use anchorhold_channel::{ChannelError, LimitScope, PartKey, Sent, fit::fits};
use anchorhold_channel_kit::{http::Answer, revision};
use anchorhold_core::{
    address::Address,
    ids::PlatformMessageId,
    outbound::{OutboundFile, OutboundOp, Question, Voice},
};
use reqwest::Method;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::{
    adapter::{DiscordAdapter, TEXT},
    api::{Body, Failed, UNKNOWN_EMOJI, UNKNOWN_MESSAGE},
    buttons,
    decode::id,
    files,
    sent::{is_late, look, nonce},
    text,
    wire::Snowflake,
};

/// What stands before words of the host, which must not pass for the agent's.
const HOST: &str = "⚙ ";
/// Discord does not fetch what an agent links to, for everybody who can see what is asked for:
/// `SUPPRESS_EMBEDS`.
const NO_PREVIEWS: u32 = 1 << 2;
/// Makes an emoji of a character that is also shown as text.
const AS_EMOJI: char = '\u{fe0f}';

/// What is done with an emoji.
const REACTING: &str = "putting a reaction on a message";

/// A message that was made, of which only the id matters.
#[derive(Deserialize)]
struct Made {
    id: Snowflake,
}

/// What goes out as a new message.
struct Letter<'a> {
    params: Value,
    files: &'a [OutboundFile],
}

impl DiscordAdapter {
    /// Carries an operation out.
    pub(crate) async fn carry_out(
        &self,
        to: &Address,
        op: &OutboundOp,
        key: PartKey,
    ) -> Result<Sent, ChannelError> {
        let channel = channel(to)?;
        match op {
            OutboundOp::Post {
                text,
                files,
                reply_to,
                voice,
            } => {
                let mut params = said(text, *voice);
                reply(&mut params, reply_to.as_ref());
                self.post(channel, Letter { params, files }, key).await
            }
            OutboundOp::Ask(question) => {
                let mut params = said(&asked(question), Voice::Agent);
                params["components"] = buttons::rows(question);
                let files = &[];
                self.post(channel, Letter { params, files }, key).await
            }
            OutboundOp::Edit { target, text } => {
                let path = message(channel, target)?;
                let params = said(text, Voice::Agent);
                let body = Body::Json(&params);
                self.done("changing a message", (Method::PATCH, &path), body)
                    .await
            }
            OutboundOp::Delete { target } => {
                let path = message(channel, target)?;
                let doing = "deleting a message";
                let done = self
                    .api
                    .ask(doing, (Method::DELETE, &path), Body::None)
                    .await;
                match done {
                    // It is gone, which is what was wanted.
                    Err(failed) if failed.is(UNKNOWN_MESSAGE) => Ok(Sent { message_id: None }),
                    done => settled(doing, done),
                }
            }
            OutboundOp::React { target, emoji } => {
                let path = message(channel, target)?;
                self.react(&path, emoji).await
            }
            OutboundOp::Typing => {
                if self.is_typing(channel) {
                    return Ok(Sent { message_id: None });
                }
                let path = format!("/channels/{channel}/typing");
                let doing = "showing that it types";
                self.done(doing, (Method::POST, &path), Body::None).await
            }
        }
    }

    /// Sends a new message, once for each key:
    /// <https://discord.com/developers/docs/resources/message#create-message>.
    async fn post(
        &self,
        channel: Snowflake,
        mut letter: Letter<'_>,
        key: PartKey,
    ) -> Result<Sent, ChannelError> {
        const DOING: &str = "sending a message";
        letter.params["nonce"] = nonce(key).into();
        letter.params["enforce_nonce"] = true.into();
        if let Some(sent) = self.sent_before(channel, &letter, key).await? {
            return Ok(self.made(sent, key));
        }
        let path = format!("/channels/{channel}/messages");
        let body = if letter.files.is_empty() {
            Body::Json(&letter.params)
        } else {
            Body::Form(files::form(&letter.params, letter.files)?)
        };
        let answer = self.api.ask(DOING, (Method::POST, &path), body).await;
        let answer = answer.map_err(|failed| failed.into_error(DOING, LimitScope::Chat))?;
        self.has_typed(channel);
        let made: Made = answer.json(DOING)?;
        Ok(self.made(made.id, key))
    }

    /// The message that an earlier try of the same has made, where Discord may have forgotten that.
    async fn sent_before(
        &self,
        channel: Snowflake,
        letter: &Letter<'_>,
        key: PartKey,
    ) -> Result<Option<Snowflake>, ChannelError> {
        if let Some(sent) = self.sent(|sent| sent.of(key)) {
            return Ok(Some(sent));
        }
        let Some(since) = is_late(key, self.clock.now()) else {
            return Ok(None);
        };
        let me = self.me().await?.id;
        let (params, files) = (&letter.params, letter.files.len());
        let found = look(&self.api, (channel, since), (me, params), files).await?;
        let ours = |message: &Snowflake| !self.sent(|sent| sent.is_of_another(*message, key));
        Ok(found.into_iter().find(ours))
    }

    /// The host's id of a message that was sent. One that can't be an id is left out: it was sent.
    fn made(&self, message: Snowflake, key: PartKey) -> Sent {
        self.sent(|sent| sent.note(key, message));
        Sent {
            message_id: id(message).ok(),
        }
    }

    async fn done(
        &self,
        doing: &'static str,
        route: (Method, &str),
        body: Body<'_>,
    ) -> Result<Sent, ChannelError> {
        settled(doing, self.api.ask(doing, route, body).await)
    }

    async fn react(&self, path: &str, emoji: &str) -> Result<Sent, ChannelError> {
        if emoji.trim().is_empty() {
            return Err(refused("there is no emoji to react with"));
        }
        let mut done = self.put(path, emoji).await;
        let alone = emoji.chars().count() == 1;
        if alone && matches!(&done, Err(failed) if failed.is(UNKNOWN_EMOJI)) {
            // A heart is a letter of some fonts until it is said to be an emoji.
            done = self.put(path, &format!("{emoji}{AS_EMOJI}")).await;
        }
        settled(REACTING, done)
    }

    /// <https://discord.com/developers/docs/resources/message#create-reaction>
    async fn put(&self, path: &str, emoji: &str) -> Result<Answer, Failed> {
        let path = format!("{path}/reactions/{}/@me", encoded(emoji));
        let route = (Method::PUT, path.as_str());
        self.api.ask(REACTING, route, Body::None).await
    }

    /// Tells a person that the host refused what they said.
    pub(crate) async fn tell(
        &self,
        channel: Snowflake,
        why: &str,
        about: &PlatformMessageId,
    ) -> Result<(), ChannelError> {
        const DOING: &str = "telling that a message was refused";
        let mut params = said(&format!("This message was not taken: {why}"), Voice::Host);
        reply(&mut params, Some(about));
        let path = format!("/channels/{channel}/messages");
        let body = Body::Json(&params);
        self.done(DOING, (Method::POST, &path), body)
            .await
            .map(|_sent| ())
    }
}

/// The channel or the thread that an address leads to.
fn channel(to: &Address) -> Result<Snowflake, ChannelError> {
    let id = to.thread.as_ref().map_or(to.chat.as_str(), |t| t.as_str());
    Snowflake::parse(id).ok_or_else(|| refused("Discord has no channel with such an id"))
}

/// Where a message is that the host means.
fn message(channel: Snowflake, target: &PlatformMessageId) -> Result<String, ChannelError> {
    let number = number(target).ok_or_else(|| refused("Discord has no message with such an id"))?;
    Ok(format!("/channels/{channel}/messages/{number}"))
}

fn number(target: &PlatformMessageId) -> Option<Snowflake> {
    Snowflake::parse(revision::message(target))
}

/// A text as it is sent. Nobody is notified but who is named in it, and by the host nobody:
/// <https://discord.com/developers/docs/resources/message#allowed-mentions-object>.
fn said(source: &str, voice: Voice) -> Value {
    let (content, named) = match voice {
        Voice::Agent => (text::shown(source), text::named(source)),
        Voice::Host => {
            let marked = format!("{HOST}{source}");
            let fitting = if fits(&marked, TEXT) {
                marked
            } else {
                source.to_owned()
            };
            (fitting, Vec::new())
        }
    };
    json!({
        "content": content,
        "flags": NO_PREVIEWS,
        "allowed_mentions": { "parse": [], "users": named, "replied_user": false },
    })
}

/// Makes a message an answer to another one, if that is still there.
fn reply(params: &mut Value, to: Option<&PlatformMessageId>) {
    if let Some(number) = to.and_then(number) {
        params["message_reference"] = json!({
            "message_id": number,
            "fail_if_not_exists": false,
        });
    }
}

/// A question in words; its options are buttons.
fn asked(question: &Question) -> String {
    if question.text.is_empty() {
        format!("**{}**", question.title)
    } else {
        format!("**{}**\n\n{}", question.title, question.text)
    }
}

/// An emoji as a part of a path, of which it must not leave the place.
fn encoded(emoji: &str) -> String {
    let mut path = String::new();
    for byte in emoji.bytes() {
        if byte.is_ascii_alphanumeric() || byte == b'_' {
            path.push(char::from(byte));
        } else {
            path.extend(["%", &format!("{byte:02X}")]);
        }
    }
    path
}

fn settled<T>(doing: &'static str, done: Result<T, Failed>) -> Result<Sent, ChannelError> {
    done.map(|_done| Sent { message_id: None })
        .map_err(|failed| failed.into_error(doing, LimitScope::Chat))
}

fn refused(reason: &str) -> ChannelError {
    ChannelError::Permanent {
        reason: reason.to_owned(),
    }
}
