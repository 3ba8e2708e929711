//! What the methods do, and what they refuse.

use serde_json::{Value, json};

use super::{
    markup::visible,
    params::Params,
    server::{Outcome, Refusal},
    state::{Shown, State},
};
use crate::reactions;

/// A text and a caption have at most so many UTF-16 units.
const TEXT_LIMIT: usize = 4096;
const CAPTION_LIMIT: usize = 1024;
/// The data of a button has at most so many bytes.
const DATA_LIMIT_BYTES: usize = 64;

impl State {
    /// Does what a method does, but for polls.
    pub(super) fn call(&mut self, method: &str, params: &Params) -> Outcome {
        match method {
            "getMe" => Ok(Self::bot()),
            "deleteWebhook" => {
                self.webhook = None;
                Ok(true.into())
            }
            "setWebhook" => {
                let url = params.text("url").unwrap_or_default();
                if !url.starts_with("https://") {
                    return Err(Refusal::bad("bad webhook: An HTTPS URL must be provided"));
                }
                self.webhook = Some(url.to_owned());
                Ok(true.into())
            }
            "getWebhookInfo" => Ok(json!({
                "url": self.webhook.clone().unwrap_or_default(),
                "has_custom_certificate": false,
                "pending_update_count": self.updates.len(),
            })),
            "sendMessage" => self.send(params, None),
            "sendPhoto" => self.send(params, Some("photo")),
            "sendAnimation" => self.send(params, Some("animation")),
            "sendVideo" => self.send(params, Some("video")),
            "sendAudio" => self.send(params, Some("audio")),
            "sendVoice" => self.send(params, Some("voice")),
            "sendDocument" => self.send(params, Some("document")),
            "editMessageText" => self.edit(params, false),
            "editMessageCaption" => self.edit(params, true),
            "editMessageReplyMarkup" => self.edit_keyboard(params),
            "deleteMessage" => self.delete(params),
            "setMessageReaction" => self.react_as_bot(params),
            "sendChatAction" => {
                self.place(params)?;
                match params.text("action") {
                    Some("typing") => Ok(true.into()),
                    _ => Err(Refusal::bad("wrong parameter action in request")),
                }
            }
            "answerCallbackQuery" => match params.text("callback_query_id") {
                Some(_) => Ok(true.into()),
                None => Err(Refusal::bad(
                    "query is too old and response timeout expired",
                )),
            },
            "getFile" => self.get_file(params),
            "getChat" => {
                let (chat, _) = self.place(params)?;
                Ok(self.chat(chat))
            }
            _ => Err(Refusal::of(404, "Not Found")),
        }
    }

    /// Where a call leads to.
    fn place(&self, params: &Params) -> Result<(i64, Option<i64>), Refusal> {
        let chat = params.number("chat_id").unwrap_or_default();
        if let Some(now) = self.moved.get(&chat) {
            let mut refusal = Refusal::bad("group chat was upgraded to a supergroup chat");
            refusal.parameters = json!({ "migrate_to_chat_id": now });
            return Err(refusal);
        }
        if chat == 0 || !self.has_chat(chat) {
            return Err(Refusal::bad("chat not found"));
        }
        let topic = params.number("message_thread_id");
        let forum = self.chat(chat)["is_forum"] == true;
        match topic {
            Some(topic) if !forum || topic == 1 => {
                Err(Refusal::bad(format!("message thread not found: {topic}")))
            }
            topic => Ok((chat, topic)),
        }
    }

    /// What people read of a text, with the text as it was sent.
    fn text(params: &Params, key: &str, limit: usize) -> Result<(String, String), Refusal> {
        let source = params.text(key).unwrap_or_default();
        let seen = match params.text("parse_mode") {
            Some("HTML") => visible(source)
                .map_err(|why| Refusal::bad(format!("can't parse entities: {why}")))?,
            Some(other) => {
                return Err(Refusal::bad(format!("unsupported parse_mode {other}")));
            }
            None => source.to_owned(),
        };
        let seen = seen.trim().to_owned();
        if seen.encode_utf16().count() > limit {
            let what = if key == "text" {
                "message"
            } else {
                "message caption"
            };
            return Err(Refusal::bad(format!("{what} is too long")));
        }
        if seen.is_empty() && key == "text" {
            return Err(Refusal::bad("message text is empty"));
        }
        Ok((seen, source.to_owned()))
    }

    fn send(&mut self, params: &Params, kind: Option<&str>) -> Outcome {
        let (chat, topic) = self.place(params)?;
        let (key, limit) = match kind {
            None => ("text", TEXT_LIMIT),
            Some(_) => ("caption", CAPTION_LIMIT),
        };
        if params.text("parse_mode").is_some() && std::mem::take(&mut self.markup_refused) {
            return Err(Refusal::bad("can't parse entities: scripted"));
        }
        let (text, source) = Self::text(params, key, limit)?;
        let file = match kind {
            None => None,
            Some(kind) => {
                let file = params.files.iter().find(|file| file.kind == kind);
                let file =
                    file.ok_or_else(|| Refusal::bad(format!("there is no {kind} in the request")))?;
                if kind == "photo" && file.content.len() < 64 {
                    return Err(Refusal::bad("PHOTO_INVALID_DIMENSIONS"));
                }
                Some(file.clone())
            }
        };
        let keyboard = params.object("reply_markup");
        check_keyboard(&keyboard)?;
        let reply_to = params.object("reply_parameters")["message_id"].as_i64();
        let shown = Shown {
            chat,
            topic,
            number: self.number(chat),
            text,
            source,
            file,
            keyboard,
            reply_to,
        };
        self.shown.push(shown.clone());
        Ok(self.message(&shown))
    }

    fn found(&mut self, params: &Params, what: &str) -> Result<usize, Refusal> {
        let (chat, _) = self.place(params)?;
        let number = params.number("message_id");
        let mut shown = self.shown.iter();
        shown
            .position(|shown| shown.chat == chat && Some(shown.number) == number)
            .ok_or_else(|| Refusal::bad(format!("message to {what} not found")))
    }

    fn edit(&mut self, params: &Params, caption: bool) -> Outcome {
        let at = self.found(params, "edit")?;
        let is_file = self.shown.get(at).is_some_and(|shown| shown.file.is_some());
        let (text, source) = match (caption, is_file) {
            (false, true) => {
                return Err(Refusal::bad("there is no text in the message to edit"));
            }
            (true, false) => {
                return Err(Refusal::bad("there is no caption in the message to edit"));
            }
            (false, false) => Self::text(params, "text", TEXT_LIMIT)?,
            (true, true) => Self::text(params, "caption", CAPTION_LIMIT)?,
        };
        let Some(shown) = self.shown.get_mut(at) else {
            return Err(Refusal::bad("message to edit not found"));
        };
        if shown.source == source {
            return Err(Refusal::bad(
                "message is not modified: specified new message content and reply markup are \
                 exactly the same as a current content and reply markup of the message",
            ));
        }
        (shown.text, shown.source) = (text, source);
        let shown = shown.clone();
        Ok(self.message(&shown))
    }

    fn edit_keyboard(&mut self, params: &Params) -> Outcome {
        let at = self.found(params, "edit")?;
        let keyboard = params.object("reply_markup");
        check_keyboard(&keyboard)?;
        let Some(shown) = self.shown.get_mut(at) else {
            return Err(Refusal::bad("message to edit not found"));
        };
        shown.keyboard = keyboard;
        let shown = shown.clone();
        Ok(self.message(&shown))
    }

    fn delete(&mut self, params: &Params) -> Outcome {
        let at = self.found(params, "delete")?;
        self.shown.remove(at);
        Ok(true.into())
    }

    fn react_as_bot(&mut self, params: &Params) -> Outcome {
        let (chat, _) = self.place(params)?;
        let number = params.number("message_id").unwrap_or_default();
        let kinds = params.object("reaction");
        let emoji: Vec<String> = kinds
            .as_array()
            .into_iter()
            .flatten()
            .filter_map(|kind| kind["emoji"].as_str().map(str::to_owned))
            .collect();
        if emoji
            .iter()
            .any(|emoji| reactions::allowed(emoji) != Some(emoji))
        {
            return Err(Refusal::bad("REACTION_INVALID"));
        }
        self.reactions.insert((chat, number), emoji);
        Ok(true.into())
    }

    fn get_file(&mut self, params: &Params) -> Outcome {
        let id = params.text("file_id").unwrap_or_default();
        let (path, content) = self
            .files
            .get(id)
            .ok_or_else(|| Refusal::bad("wrong file_id or the file is temporarily unavailable"))?;
        if content.len() > 20 * 1024 * 1024 {
            return Err(Refusal::bad("file is too big"));
        }
        Ok(json!({
            "file_id": id,
            "file_unique_id": id,
            "file_size": content.len(),
            "file_path": path,
        }))
    }
}

fn check_keyboard(keyboard: &Value) -> Result<(), Refusal> {
    let rows = keyboard["inline_keyboard"].as_array();
    for button in rows
        .into_iter()
        .flatten()
        .filter_map(Value::as_array)
        .flatten()
    {
        let data = button["callback_data"].as_str().unwrap_or_default();
        let label = button["text"].as_str().unwrap_or_default();
        if data.is_empty() || data.len() > DATA_LIMIT_BYTES || label.is_empty() {
            return Err(Refusal::bad("BUTTON_DATA_INVALID"));
        }
    }
    Ok(())
}
