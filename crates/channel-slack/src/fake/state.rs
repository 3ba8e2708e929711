//! What the workspace knows: people, messages, and what the app has not acknowledged yet.

use std::{
    collections::{HashMap, HashSet, VecDeque},
    net::SocketAddr,
    time::Duration,
};

use anchorhold_channel::conformance::{Side, Trouble};
use serde_json::{Value, json};

use super::{BOT, BOT_ID, BOT_NAME, CHANNEL, THREAD};
use crate::adapter::SCOPES;

/// A file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct File {
    /// Its id.
    pub id: String,
    /// Its name.
    pub name: String,
    /// Its content.
    pub content: Vec<u8>,
}

/// A button.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Button {
    /// What it says.
    pub label: String,
    /// What it stands for.
    pub action: String,
}

/// A message of the bot, as people see it.
#[derive(Clone, Debug, PartialEq)]
pub struct Shown {
    /// Where.
    pub chat: String,
    /// In which thread.
    pub thread: Option<String>,
    /// Its time stamp.
    pub ts: String,
    /// What is read, without what links hide.
    pub text: String,
    /// As it was sent.
    pub source: String,
    /// Its blocks as they are now.
    pub blocks: Value,
    /// The buttons that it was posted with.
    pub buttons: Vec<Button>,
    /// Its files.
    pub files: Vec<File>,
    /// Its metadata.
    pub metadata: Value,
}

/// A reaction on a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Put {
    pub(super) chat: String,
    pub(super) ts: String,
    pub(super) name: String,
    pub(super) by: String,
}

/// What is not acknowledged.
#[derive(Clone, Debug)]
pub(super) struct Pending {
    pub(super) envelope: String,
    pub(super) kind: &'static str,
    pub(super) payload: Value,
    /// Over which websocket it was offered.
    pub(super) link: Option<u64>,
}

impl Pending {
    /// As a call has it: its media type and its body.
    pub(super) fn body(&self) -> (&'static str, Vec<u8>) {
        if self.kind == "events_api" {
            return ("application/json", self.payload.to_string().into_bytes());
        }
        let mut form = form_urlencoded::Serializer::new(String::new());
        form.append_pair("payload", &self.payload.to_string());
        (
            "application/x-www-form-urlencoded",
            form.finish().into_bytes(),
        )
    }
}

/// All of it.
#[derive(Debug)]
pub(super) struct State {
    pub(super) web: SocketAddr,
    pub(super) sockets: SocketAddr,
    pub(super) pending: VecDeque<Pending>,
    pub(super) acknowledged: HashSet<String>,
    /// The envelopes about each message.
    told: HashMap<(String, String), Vec<String>>,
    said: HashMap<(String, String), Value>,
    pub(super) shown: Vec<Shown>,
    pub(super) whispers: Vec<(String, String)>,
    pub(super) reactions: Vec<Put>,
    pub(super) files: HashMap<String, (Value, Vec<u8>)>,
    pub(super) uploads: HashMap<String, (String, Option<Vec<u8>>)>,
    pub(super) calls: Vec<(String, Value)>,
    pub(super) troubles: Vec<(Side, Trouble)>,
    pub(super) garbage: VecDeque<Vec<u8>>,
    pub(super) goodbyes: Vec<String>,
    pub(super) tickets: HashSet<String>,
    /// Websockets of an earlier one are broken.
    pub(super) generation: u64,
    pub(super) connections: usize,
    pub(super) patience: Duration,
    pub(super) silent: bool,
    pub(super) scopes: Vec<String>,
    pub(super) revoked: bool,
    numbers: u64,
    pub(super) seconds: u64,
}

impl State {
    pub(super) fn new(web: SocketAddr, sockets: SocketAddr) -> Self {
        let mut state = Self {
            web,
            sockets,
            pending: VecDeque::new(),
            acknowledged: HashSet::new(),
            told: HashMap::new(),
            said: HashMap::new(),
            shown: Vec::new(),
            whispers: Vec::new(),
            reactions: Vec::new(),
            files: HashMap::new(),
            uploads: HashMap::new(),
            calls: Vec::new(),
            troubles: Vec::new(),
            garbage: VecDeque::new(),
            goodbyes: Vec::new(),
            tickets: HashSet::new(),
            generation: 0,
            connections: 0,
            patience: Duration::from_secs(3),
            silent: false,
            scopes: SCOPES
                .iter()
                .map(|(scope, _)| (*scope).to_owned())
                .collect(),
            revoked: false,
            numbers: 0,
            seconds: 1_767_225_600,
        };
        let root = json!({ "type": "message", "user": "U0BOB", "text": "a thread", "ts": THREAD });
        let at = (CHANNEL.to_owned(), THREAD.to_owned());
        state.said.insert(at, root);
        state
    }

    /// A number that was not there before.
    pub(super) fn number(&mut self) -> u64 {
        self.numbers += 1;
        self.numbers
    }

    /// Time goes on by a second with each thing that happens.
    pub(super) fn tick(&mut self) -> String {
        self.seconds += 1;
        format!("{}.{:06}", self.seconds, 100 + self.numbers % 1_000)
    }

    pub(super) fn has_chat(chat: &str) -> bool {
        chat == CHANNEL || (chat.starts_with('D') && chat.len() > 2)
    }

    /// The app is told something; gives the envelope.
    fn offer(&mut self, kind: &'static str, payload: Value) -> String {
        let envelope = format!("env-{}", self.number());
        self.pending.push_back(Pending {
            envelope: envelope.clone(),
            kind,
            payload,
            link: None,
        });
        envelope
    }

    pub(super) fn event(&mut self, event: &Value) {
        let payload = json!({
            "token": "unused", "team_id": "T0FAKE", "api_app_id": "A0FAKE",
            "event": event, "type": "event_callback",
            "event_id": format!("Ev{:08}", self.number()),
            "event_time": self.seconds, "is_ext_shared_channel": false,
            "authorizations": [{ "team_id": "T0FAKE", "user_id": BOT, "is_bot": true }],
        });
        let envelope = self.offer("events_api", payload);
        let text = |key: &str| event[key].as_str().map(str::to_owned);
        if let (Some(chat), Some(ts)) = (text("channel"), text("ts")) {
            self.told.entry((chat, ts)).or_default().push(envelope);
        }
    }

    pub(super) fn say(&mut self, chat: &str, person: &str, fields: Value) -> String {
        let ts = self.tick();
        let direct = chat.starts_with('D');
        let mut message = json!({
            "type": "message", "channel": chat, "user": person, "ts": ts, "event_ts": ts,
            "team": "T0FAKE", "text": "", "client_msg_id": format!("msg-{}", self.numbers),
            "channel_type": if direct { "im" } else { "channel" },
        });
        merge(&mut message, fields);
        let at = (chat.to_owned(), ts.clone());
        self.said.insert(at, message);
        self.repeat(chat, &ts);
        ts
    }

    pub(super) fn repeat(&mut self, chat: &str, ts: &str) {
        let at = (chat.to_owned(), ts.to_owned());
        let Some(message) = self.said.get(&at).cloned() else {
            return;
        };
        self.event(&message);
        let names = |message: &Value| {
            let text = message["text"].as_str().unwrap_or_default();
            text.contains(&format!("<@{BOT}>"))
        };
        if !chat.starts_with('D') && names(&message) {
            let mut mention = message;
            mention["type"] = "app_mention".into();
            if let Some(mention) = mention.as_object_mut() {
                mention.remove("channel_type");
            }
            self.event(&mention);
        }
    }

    pub(super) fn said(&self, chat: &str, ts: &str) -> Option<&Value> {
        self.said.get(&(chat.to_owned(), ts.to_owned()))
    }

    /// What people have said in a conversation, as histories have it.
    pub(super) fn all_said(&self, chat: &str) -> impl Iterator<Item = Value> {
        let here = self.said.iter().filter(move |((at, _), _)| at == chat);
        here.map(|((_, ts), message)| {
            let mut message = message.clone();
            if let Some(message) = message.as_object_mut() {
                message.remove("channel");
                message.remove("channel_type");
            }
            let answers =
                |(_, other): &(&(String, String), &Value)| other["thread_ts"] == *ts.as_str();
            let count = self.said.iter().filter(answers).count();
            if count > 0 {
                message["reply_count"] = count.into();
                message["thread_ts"] = ts.as_str().into();
            }
            message
        })
    }

    pub(super) fn revise(&mut self, chat: &str, ts: &str, fields: Value) {
        let Some(before) = self.said(chat, ts).cloned() else {
            return;
        };
        let at = self.tick();
        let mut now = before.clone();
        merge(&mut now, fields);
        now["edited"] = json!({ "user": now["user"], "ts": at });
        let key = (chat.to_owned(), ts.to_owned());
        self.said.insert(key, now.clone());
        if let Some(now) = now.as_object_mut() {
            now.remove("channel");
            now.remove("channel_type");
        }
        self.event(&json!({
            "type": "message", "subtype": "message_changed", "hidden": true, "channel": chat,
            "channel_type": if chat.starts_with('D') { "im" } else { "channel" },
            "ts": at, "event_ts": at, "message": now, "previous_message": before,
        }));
    }

    pub(super) fn react(
        &mut self,
        chat: &str,
        ts: &str,
        person: &str,
        (name, added): (&str, bool),
    ) {
        let at = self.tick();
        let put = Put {
            chat: chat.to_owned(),
            ts: ts.to_owned(),
            name: name.to_owned(),
            by: person.to_owned(),
        };
        self.reactions.retain(|one| *one != put);
        if added {
            self.reactions.push(put);
        }
        let mine = self
            .shown
            .iter()
            .any(|shown| shown.chat == chat && shown.ts == ts);
        let whose = self.said(chat, ts).map(|said| said["user"].clone());
        self.event(&json!({
            "type": if added { "reaction_added" } else { "reaction_removed" },
            "user": person, "reaction": name, "event_ts": at,
            "item": { "type": "message", "channel": chat, "ts": ts },
            "item_user": if mine { json!(BOT) } else { json!(whose) },
        }));
    }

    pub(super) fn press(&mut self, chat: &str, ts: &str, person: &str, action: &str) {
        let here = |shown: &&Shown| shown.chat == chat && shown.ts == ts;
        let Some(shown) = self.shown.iter().find(here).cloned() else {
            return;
        };
        let button = shown.buttons.iter().find(|button| button.action == action);
        let label = button
            .map(|button| button.label.clone())
            .unwrap_or_default();
        let at = self.tick();
        let mut container = json!({
            "type": "message", "message_ts": ts, "channel_id": chat, "is_ephemeral": false,
        });
        if let Some(thread) = &shown.thread {
            container["thread_ts"] = thread.as_str().into();
        }
        let payload = json!({
            "type": "block_actions", "api_app_id": "A0FAKE", "token": "unused",
            "user": { "id": person, "username": "person", "name": "person", "team_id": "T0FAKE" },
            "trigger_id": format!("trigger.{}", self.number()),
            "team": { "id": "T0FAKE", "domain": "fake" },
            "container": container, "channel": { "id": chat, "name": "somewhere" },
            "message": Self::message(&shown),
            "response_url": format!("http://{}/respond", self.web),
            "actions": [{
                "type": "button", "action_id": action, "block_id": "b1", "action_ts": at,
                "text": { "type": "plain_text", "text": label, "emoji": false },
            }],
        });
        self.offer("interactive", payload);
    }

    pub(super) fn file(&mut self, name: &str, media_type: &str, content: &[u8]) -> Value {
        let id = format!("F{:08}", self.number());
        let url = format!("http://{}/files/{id}/{name}", self.web);
        let file = json!({
            "id": id, "name": name, "title": name, "mimetype": media_type, "mode": "hosted",
            "size": content.len(), "is_external": false, "url_private": url,
            "url_private_download": url,
        });
        self.files.insert(id, (file.clone(), content.to_vec()));
        file
    }

    pub(super) fn acknowledge(&mut self, envelope: &str) {
        self.pending.retain(|pending| pending.envelope != envelope);
        self.acknowledged.insert(envelope.to_owned());
    }

    pub(super) fn is_acknowledged(&self, chat: &str, ts: &str) -> bool {
        let told = self.told.get(&(chat.to_owned(), ts.to_owned()));
        told.is_some_and(|told| told.iter().all(|one| self.acknowledged.contains(one)))
    }

    /// A message of the bot as answers have it.
    pub(super) fn message(shown: &Shown) -> Value {
        let mut message = json!({
            "type": "message", "user": BOT, "bot_id": BOT_ID, "username": BOT_NAME,
            "ts": shown.ts, "text": shown.source, "blocks": shown.blocks,
        });
        if let Some(thread) = &shown.thread {
            message["thread_ts"] = thread.as_str().into();
        }
        if !shown.files.is_empty() {
            let files = shown
                .files
                .iter()
                .map(|file| json!({ "id": file.id, "name": file.name }));
            message["files"] = files.collect();
        }
        message
    }
}

pub(super) fn merge(message: &mut Value, fields: Value) {
    let Value::Object(fields) = fields else {
        return;
    };
    for (name, value) in fields {
        message[name] = value;
    }
}
