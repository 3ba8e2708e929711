//! One operation on its way out: each is one call, and a second one only where the first was certainly
//! not done and Telegram has said what would do instead.

use anchorhold_channel::{ChannelError, LimitScope, Sent, fit::fits};
use anchorhold_core::{
    address::Address,
    ids::PlatformMessageId,
    outbound::{OutboundOp, Question, Voice},
};
use serde_json::{Value, json};

use crate::{
    adapter::{CAPTION, TEXT, TelegramAdapter},
    api::{Failed, No},
    callback,
    html::html,
    moves, reactions,
    upload::Upload,
    wire::Message,
};

/// What stands before words of the host, which must not pass for the agent's.
const HOST: &str = "⚙ ";

/// A chat as Telegram knows it, and the topic in it.
#[derive(Clone, Debug)]
pub(crate) struct Place {
    /// The id that the host knows it by.
    first: i64,
    pub(crate) chat: i64,
    pub(crate) thread: Option<i64>,
}

impl Place {
    /// Where an address leads to.
    pub(crate) fn of(adapter: &TelegramAdapter, address: &Address) -> Result<Self, ChannelError> {
        let number = |text: &str| {
            text.parse::<i64>()
                .map_err(|_not_a_number| refused("Telegram has no chat or topic with such an id"))
        };
        let first = number(address.chat.as_str())?;
        let thread = address
            .thread
            .as_ref()
            .map(|thread| number(thread.as_str()));
        Ok(Self {
            first,
            chat: adapter.moves(|moves| moves.current(first)),
            thread: thread.transpose()?,
        })
    }

    /// The message that the host means, which has to be in this chat. What was said in a group before
    /// it became a supergroup is out of reach.
    fn target(&self, id: &PlatformMessageId) -> Result<i64, ChannelError> {
        match moves::target(id, self.first) {
            Some((chat, number)) if chat == self.chat => Ok(number),
            Some(_) => Err(refused("the message is in another chat")),
            None => Err(refused("Telegram has no message with such an id")),
        }
    }

    /// The parameters that say where.
    fn params(&self) -> Value {
        let mut params = json!({ "chat_id": self.chat });
        if let Some(thread) = self.thread {
            params["message_thread_id"] = thread.into();
        }
        params
    }
}

/// A text as it is sent, and how it is sent if Telegram can't read that.
struct Wording {
    html: Option<String>,
    plain: String,
}

impl Wording {
    /// Markup where it stays within `limit`, else the source as it is, which does.
    fn of(source: &str, voice: Voice, limit: anchorhold_channel::TextLimit) -> Self {
        let source = match voice {
            Voice::Agent => source.to_owned(),
            Voice::Host => {
                let marked = format!("{HOST}{source}");
                if fits(&marked, limit) {
                    marked
                } else {
                    source.to_owned()
                }
            }
        };
        let rendered = html(&source);
        let seen = !rendered.visible.trim().is_empty() && fits(&rendered.visible, limit);
        let html = seen.then_some(rendered.marked);
        Self {
            html,
            plain: source,
        }
    }

    /// Puts the text into `params` under `key`.
    fn put(&self, params: &mut Value, key: &str, marked: bool) {
        match &self.html {
            Some(html) if marked => {
                params[key] = html.as_str().into();
                params["parse_mode"] = "HTML".into();
            }
            Some(_) | None => {
                params[key] = self.plain.as_str().into();
                // Not `null`, which the Bot API takes for a mode of that name.
                if let Some(params) = params.as_object_mut() {
                    params.remove("parse_mode");
                }
            }
        }
    }
}

impl TelegramAdapter {
    /// Carries an operation out.
    pub(crate) async fn carry_out(
        &self,
        to: &Address,
        op: &OutboundOp,
    ) -> Result<Sent, ChannelError> {
        let place = Place::of(self, to)?;
        match self.once(&place, op).await {
            Err(Failed::No(No {
                moved_to: Some(now),
                ..
            })) => {
                // Nothing was done, and it was said where it can be: the host's chat stays the same.
                self.moves(|moves| moves.note(place.chat, now));
                let moved = Place { chat: now, ..place };
                let again = self.once(&moved, op).await;
                again.map_err(|failed| self.failed(moved.chat, failed))
            }
            done => done.map_err(|failed| self.failed(place.chat, failed)),
        }
    }

    /// What a failure means, which for a limit depends on which chats have met one.
    fn failed(&self, chat: i64, failed: Failed) -> ChannelError {
        let scope = match &failed {
            Failed::No(No {
                code: 429,
                retry_after,
                ..
            }) => {
                let (wait, now) = (retry_after.unwrap_or_default(), self.clock.mono());
                self.limits(|limits| limits.meet(chat, wait, now))
            }
            Failed::No(_) | Failed::NoAnswer(_) => LimitScope::Instance,
        };
        failed.into_error("sending", scope)
    }

    async fn once(&self, place: &Place, op: &OutboundOp) -> Result<Sent, Failed> {
        match op {
            OutboundOp::Post {
                text,
                files,
                reply_to,
                voice,
            } => {
                let mut params = place.params();
                reply(&mut params, place, reply_to.as_ref());
                match files.as_slice() {
                    [] => {
                        let wording = Wording::of(text, *voice, TEXT);
                        self.say(params, &wording).await
                    }
                    [file] => {
                        let wording = Wording::of(text, *voice, CAPTION);
                        let caption = (!text.is_empty()).then_some(wording);
                        self.share(params, caption, Upload::of(file)).await
                    }
                    _ => Err(no("one message takes one file")),
                }
            }
            OutboundOp::Ask(question) => {
                let wording = Wording::of(&asked(question), Voice::Agent, TEXT);
                let mut params = place.params();
                params["reply_markup"] = callback::keyboard(question);
                self.say(params, &wording).await
            }
            OutboundOp::Edit { target, text } => {
                let number = place.target(target).map_err(Failed::NoAnswer)?;
                self.edit(place, number, text).await
            }
            OutboundOp::Delete { target } => {
                let number = place.target(target).map_err(Failed::NoAnswer)?;
                let params = json!({ "chat_id": place.chat, "message_id": number });
                let done = self.api.call::<Value>("deleteMessage", &params).await;
                done_already(done, "message to delete not found")
            }
            OutboundOp::React { target, emoji } => {
                let number = place.target(target).map_err(Failed::NoAnswer)?;
                self.react(place, number, emoji).await
            }
            OutboundOp::Typing => {
                let mut params = place.params();
                params["action"] = "typing".into();
                let shown = self.api.call::<Value>("sendChatAction", &params).await;
                shown.map(|_true| Sent { message_id: None })
            }
        }
    }

    /// Sends a text: <https://core.telegram.org/bots/api#sendmessage>.
    async fn say(&self, mut params: Value, wording: &Wording) -> Result<Sent, Failed> {
        // Telegram would fetch what an agent links to, for everybody who can see what is asked for.
        params["link_preview_options"] = json!({ "is_disabled": true });
        wording.put(&mut params, "text", true);
        let mut sent = self.api.call::<Message>("sendMessage", &params).await;
        if unreadable(&sent) {
            wording.put(&mut params, "text", false);
            sent = self.api.call("sendMessage", &params).await;
        }
        Ok(self.sent(&sent?))
    }

    /// Sends a file with its caption: <https://core.telegram.org/bots/api#sending-files>.
    async fn share(
        &self,
        mut params: Value,
        caption: Option<Wording>,
        upload: Upload<'_>,
    ) -> Result<Sent, Failed> {
        let put = |params: &mut Value, marked| {
            if let Some(caption) = &caption {
                caption.put(params, "caption", marked);
            }
        };
        put(&mut params, true);
        let mut upload = upload;
        let mut sent = self.upload(&upload, &params).await;
        if let Err(Failed::No(no)) = &sent
            && no.code == 400
            && !no.is_about_markup()
            && no.moved_to.is_none()
            && let Some(plainer) = upload.as_document()
        {
            // It is not what it seemed, e.g. a picture of a size that Telegram shows no pictures of.
            upload = plainer;
            sent = self.upload(&upload, &params).await;
        }
        if unreadable(&sent) {
            put(&mut params, false);
            sent = self.upload(&upload, &params).await;
        }
        Ok(self.sent(&sent?))
    }

    async fn upload(&self, upload: &Upload<'_>, params: &Value) -> Result<Message, Failed> {
        let form = upload.form(params).map_err(Failed::NoAnswer)?;
        self.api.upload(upload.method(), form).await
    }

    /// Gives a message another text, or a file another caption.
    async fn edit(&self, place: &Place, number: i64, text: &str) -> Result<Sent, Failed> {
        let params = |key: &str, wording: &Wording, marked| {
            let mut params = json!({ "chat_id": place.chat, "message_id": number });
            wording.put(&mut params, key, marked);
            if key == "text" {
                params["link_preview_options"] = json!({ "is_disabled": true });
            }
            params
        };
        let mut way = (
            "editMessageText",
            "text",
            Wording::of(text, Voice::Agent, TEXT),
        );
        let mut done = self
            .api
            .call::<Value>(way.0, &params(way.1, &way.2, true))
            .await;
        if matches!(&done, Err(Failed::No(no)) if no.says("no text in the message to edit")) {
            let caption = Wording::of(text, Voice::Agent, CAPTION);
            way = ("editMessageCaption", "caption", caption);
            done = self.api.call(way.0, &params(way.1, &way.2, true)).await;
        }
        if unreadable(&done) {
            done = self.api.call(way.0, &params(way.1, &way.2, false)).await;
        }
        done_already(done, "message is not modified")
    }

    async fn react(&self, place: &Place, number: i64, emoji: &str) -> Result<Sent, Failed> {
        let reaction = match reactions::allowed(emoji) {
            Some(allowed) => json!([{ "type": "emoji", "emoji": allowed }]),
            None if emoji.is_empty() => json!([]),
            None => return Err(no("Telegram has no such reaction")),
        };
        let params = json!({
            "chat_id": place.chat,
            "message_id": number,
            "reaction": reaction,
        });
        let shown = self.api.call::<Value>("setMessageReaction", &params).await;
        shown.map(|_true| Sent { message_id: None })
    }

    /// The host's id of a message that was sent. One that can't be an id is left out: it was sent.
    fn sent(&self, message: &Message) -> Sent {
        let (chat, number) = (message.chat.id, message.message_id);
        self.has_sent(chat, number);
        let message_id = self.moves(|moves| moves::id(moves, chat, number).ok());
        Sent { message_id }
    }

    /// Tells a person that the host refused what they said.
    pub(crate) async fn tell(
        &self,
        place: &Place,
        why: &str,
        about: &PlatformMessageId,
    ) -> Result<(), ChannelError> {
        let mut params = place.params();
        reply(&mut params, place, Some(about));
        let text = format!("This message was not taken: {why}");
        let wording = Wording {
            html: None,
            plain: format!("{HOST}{text}"),
        };
        let told = self.say(params, &wording).await;
        told.map(|_sent| ())
            .map_err(|failed| self.failed(place.chat, failed))
    }
}

/// Makes a message an answer to another one, if that is still there.
fn reply(params: &mut Value, place: &Place, to: Option<&PlatformMessageId>) {
    if let Some(Ok(number)) = to.map(|to| place.target(to)) {
        params["reply_parameters"] = json!({
            "message_id": number,
            "allow_sending_without_reply": true,
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

fn unreadable<T>(done: &Result<T, Failed>) -> bool {
    matches!(done, Err(Failed::No(no)) if no.is_about_markup())
}

/// What was done before is done.
fn done_already(done: Result<Value, Failed>, says: &str) -> Result<Sent, Failed> {
    match done {
        Err(Failed::No(no)) if no.code == 400 && no.says(says) => {}
        Err(failed) => return Err(failed),
        Ok(_) => {}
    }
    Ok(Sent { message_id: None })
}

fn refused(reason: &str) -> ChannelError {
    ChannelError::Permanent {
        reason: reason.to_owned(),
    }
}

fn no(reason: &str) -> Failed {
    Failed::NoAnswer(refused(reason))
}
