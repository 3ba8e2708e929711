//! What the methods do, and what they refuse.

use serde_json::{Value, json};

use super::{
    BOT, BOT_ID, BOT_NAME, CHANNEL, checks, direct,
    params::Params,
    person,
    state::{File, Put, Shown, State},
};
use crate::emoji;

/// What a method comes to: fields beside `ok`, or a word.
pub(super) type Outcome = Result<Value, &'static str>;

impl State {
    /// Does what a method does.
    pub(super) fn call(&mut self, method: &str, params: &Params) -> Outcome {
        match method {
            "auth.test" => Ok(json!({
                "url": "https://fake.slack.com/", "team": "Fake", "team_id": "T0FAKE",
                "user": BOT_NAME, "user_id": BOT, "bot_id": BOT_ID, "is_enterprise_install": false,
            })),
            "apps.connections.open" => {
                let ticket = format!("ticket-{}", self.number());
                let url = format!("ws://{}/link/?ticket={ticket}&app_id=A0FAKE", self.sockets);
                self.tickets.insert(ticket);
                Ok(json!({ "url": url }))
            }
            "chat.postMessage" => self.post(params),
            "chat.update" => self.update(params),
            "chat.delete" => self.delete(params),
            "chat.postEphemeral" => self.whisper(params),
            "reactions.add" => self.add_reaction(params),
            "reactions.remove" => self.remove_reaction(params),
            "reactions.get" => self.get_reactions(params),
            "conversations.open" => match params.text("users") {
                Some(person) if person.starts_with('U') => {
                    Ok(json!({ "channel": { "id": direct(person) }, "already_open": true }))
                }
                _ => Err("user_not_found"),
            },
            "conversations.info" => {
                let chat = Self::chat(params)?;
                Ok(json!({ "channel": { "id": chat, "name": "general" } }))
            }
            "conversations.history" => self.history(params),
            "conversations.replies" => self.replies(params),
            "users.info" => match params.text("user") {
                Some(id) if id.starts_with(['U', 'W']) => Ok(json!({ "user": person(id) })),
                _ => Err("user_not_found"),
            },
            "files.info" => {
                let id = params.text("file").unwrap_or_default();
                let (file, _) = self.files.get(id).ok_or("file_not_found")?;
                Ok(json!({ "file": file }))
            }
            "files.getUploadURLExternal" => self.upload_place(params),
            "files.completeUploadExternal" => self.complete_upload(params),
            "assistant.threads.setStatus" => {
                params.text("channel_id").ok_or("channel_not_found")?;
                params.text("thread_ts").ok_or("invalid_thread_ts")?;
                Ok(json!({}))
            }
            _ => Err("unknown_method"),
        }
    }

    fn chat(params: &Params) -> Result<String, &'static str> {
        let chat = params.text("channel").unwrap_or_default();
        if Self::has_chat(chat) {
            Ok(chat.to_owned())
        } else {
            Err("channel_not_found")
        }
    }

    fn thread(params: &Params) -> Result<Option<String>, &'static str> {
        match params.text("thread_ts") {
            Some(ts) if is_ts(ts) => Ok(Some(ts.to_owned())),
            Some(_) => Err("invalid_thread_ts"),
            None => Ok(None),
        }
    }

    fn post(&mut self, params: &Params) -> Outcome {
        let chat = Self::chat(params)?;
        let thread = Self::thread(params)?;
        let (source, blocks) = checks::content(params, false)?;
        let metadata = params.object("metadata").unwrap_or(Value::Null);
        let whole = metadata["event_type"].is_string() && metadata["event_payload"].is_object();
        if !metadata.is_null() && !whole {
            return Err("invalid_metadata_format");
        }
        let shown = Shown {
            chat,
            thread,
            ts: self.tick(),
            text: checks::visible(&source),
            source,
            buttons: checks::buttons(&blocks),
            blocks,
            files: Vec::new(),
            metadata,
        };
        self.shown.push(shown.clone());
        let message = Self::message(&shown);
        Ok(json!({ "channel": shown.chat, "ts": shown.ts, "message": message }))
    }

    /// The bot's message that a call is about.
    fn found(&mut self, params: &Params) -> Result<usize, &'static str> {
        let chat = Self::chat(params)?;
        let ts = params.text("ts").unwrap_or_default();
        let mut shown = self.shown.iter();
        shown
            .position(|shown| shown.chat == chat && shown.ts == ts)
            .ok_or("message_not_found")
    }

    fn update(&mut self, params: &Params) -> Outcome {
        let at = self.found(params)?;
        let (source, blocks) = checks::content(params, true)?;
        let shown = self.shown.get_mut(at).ok_or("message_not_found")?;
        shown.text = checks::visible(&source);
        (shown.source, shown.blocks) = (source, blocks);
        Ok(json!({ "channel": shown.chat, "ts": shown.ts, "text": shown.source }))
    }

    fn delete(&mut self, params: &Params) -> Outcome {
        let at = self.found(params)?;
        let shown = self.shown.remove(at);
        Ok(json!({ "channel": shown.chat, "ts": shown.ts }))
    }

    fn whisper(&mut self, params: &Params) -> Outcome {
        Self::chat(params)?;
        let (source, _) = checks::content(params, false)?;
        let person = params.text("user").ok_or("user_not_in_channel")?;
        self.whispers
            .push((person.to_owned(), checks::visible(&source)));
        Ok(json!({ "message_ts": self.tick() }))
    }

    /// The message and the reaction that a call is about.
    fn reaction(&self, params: &Params) -> Result<Put, &'static str> {
        let chat = Self::chat(params)?;
        let ts = params.text("timestamp").ok_or("no_item_specified")?;
        let said = self.said(&chat, ts).is_some();
        let shown = self
            .shown
            .iter()
            .any(|one| one.chat == chat && one.ts == ts);
        if !said && !shown {
            return Err("message_not_found");
        }
        let name = params.text("name").unwrap_or_default().to_owned();
        let (ts, by) = (ts.to_owned(), BOT.to_owned());
        Ok(Put { chat, ts, name, by })
    }

    fn add_reaction(&mut self, params: &Params) -> Outcome {
        let put = self.reaction(params)?;
        if emoji::unicode(&put.name).is_none() {
            return Err("invalid_name");
        }
        if self.reactions.contains(&put) {
            return Err("already_reacted");
        }
        self.reactions.push(put);
        Ok(json!({}))
    }

    fn remove_reaction(&mut self, params: &Params) -> Outcome {
        let put = self.reaction(params)?;
        if !self.reactions.contains(&put) {
            return Err("no_reaction");
        }
        self.reactions.retain(|one| *one != put);
        Ok(json!({}))
    }

    fn get_reactions(&mut self, params: &Params) -> Outcome {
        let on = self.reaction(params)?;
        let here = self.reactions.iter();
        let here = here.filter(|put| put.chat == on.chat && put.ts == on.ts);
        let each = here.map(|put| json!({ "name": put.name, "users": [put.by], "count": 1 }));
        let reactions: Vec<Value> = each.collect();
        Ok(json!({ "type": "message", "message": { "ts": on.ts, "reactions": reactions } }))
    }

    /// The messages of a conversation for which `is` holds, in order: by their time stamps and threads.
    fn past(
        &self,
        chat: &str,
        params: &Params,
        is: impl Fn(&str, Option<&str>) -> bool,
    ) -> Vec<Value> {
        let metadata = params.flag("include_all_metadata");
        let mine = self.shown.iter().filter(|shown| shown.chat == chat);
        let mine = mine.map(|shown| {
            let mut message = Self::message(shown);
            if metadata && !shown.metadata.is_null() {
                message["metadata"] = shown.metadata.clone();
            }
            message
        });
        let mut messages: Vec<Value> = self.all_said(chat).chain(mine).collect();
        let oldest = params.text("oldest").unwrap_or_default().to_owned();
        messages.retain(|message| {
            let ts = message["ts"].as_str().unwrap_or_default();
            ts > oldest.as_str() && is(ts, message["thread_ts"].as_str())
        });
        messages.sort_by_key(|message| message["ts"].as_str().map(str::to_owned));
        messages
    }

    fn history(&mut self, params: &Params) -> Outcome {
        let chat = Self::chat(params)?;
        let mut messages = self.past(&chat, params, |ts, thread| {
            thread.is_none_or(|thread| thread == ts)
        });
        messages.reverse();
        messages.truncate(params.number("limit").unwrap_or(100));
        Ok(json!({ "messages": messages, "has_more": false }))
    }

    fn replies(&mut self, params: &Params) -> Outcome {
        let chat = Self::chat(params)?;
        let root = params.text("ts").ok_or("thread_not_found")?;
        let mut messages = self.past(&chat, params, |ts, thread| {
            ts == root || thread == Some(root)
        });
        messages.truncate(params.number("limit").unwrap_or(100));
        if messages.is_empty() && self.said(&chat, root).is_none() {
            return Err("thread_not_found");
        }
        Ok(json!({ "messages": messages, "has_more": false }))
    }

    fn upload_place(&mut self, params: &Params) -> Outcome {
        let name = params.text("filename").ok_or("invalid_arguments")?;
        params.number("length").ok_or("invalid_arguments")?;
        let id = format!("F{:08}", self.number());
        self.uploads.insert(id.clone(), (name.to_owned(), None));
        let url = format!("http://{}/upload/{id}", self.web);
        Ok(json!({ "upload_url": url, "file_id": id }))
    }

    fn complete_upload(&mut self, params: &Params) -> Outcome {
        let listed = params.object("files").unwrap_or(Value::Null);
        let mut files = Vec::new();
        for one in listed.as_array().into_iter().flatten() {
            let id = one["id"].as_str().unwrap_or_default();
            let (name, content) = self.uploads.get(id).cloned().ok_or("file_not_found")?;
            files.push(File {
                id: id.to_owned(),
                name,
                content: content.ok_or("file_not_found")?,
            });
        }
        if files.is_empty() {
            return Err("invalid_arguments");
        }
        let chat = params.text("channel_id").unwrap_or(CHANNEL).to_owned();
        if !Self::has_chat(&chat) {
            return Err("channel_not_found");
        }
        let thread = Self::thread(params)?;
        let source = params
            .text("initial_comment")
            .unwrap_or_default()
            .to_owned();
        let each = files.iter();
        let answer: Vec<Value> = each
            .map(|file| json!({ "id": file.id, "title": file.name }))
            .collect();
        let shown = Shown {
            chat,
            thread,
            ts: self.tick(),
            text: checks::visible(&source),
            source,
            blocks: Value::Null,
            buttons: Vec::new(),
            files,
            metadata: Value::Null,
        };
        self.shown.push(shown);
        Ok(json!({ "files": answer }))
    }
}

fn is_ts(text: &str) -> bool {
    let digits = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
    let parts = text.split_once('.');
    parts.is_some_and(|(seconds, number)| digits(seconds) && digits(number) && number.len() == 6)
}
