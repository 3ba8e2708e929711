//! What the server knows: chats, people, messages, and what the bot has not been told yet.

use std::collections::{HashMap, HashSet, VecDeque};

use anchorhold_channel::conformance::{Side, Trouble};
use serde_json::{Value, json};

use super::{BOT, BOT_NAME, FORUM};

/// A file that the bot has sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct File {
    /// As what: `photo`, `document`, and so on.
    pub kind: String,
    /// Its name.
    pub name: String,
    /// Its content.
    pub content: Vec<u8>,
}

/// A message of the bot, as people see it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shown {
    /// Where.
    pub chat: i64,
    /// In which topic.
    pub topic: Option<i64>,
    /// Its number.
    pub number: i64,
    /// What is read, without markup: the text, or what stands under the file.
    pub text: String,
    /// With its markup, as it was sent.
    pub source: String,
    /// The file, if it is one.
    pub file: Option<File>,
    /// The buttons.
    pub keyboard: Value,
    /// The message that it answers.
    pub reply_to: Option<i64>,
}

/// All of it.
#[derive(Debug)]
pub(crate) struct State {
    pub(super) updates: VecDeque<(i64, Value)>,
    delayed: Vec<(u32, Value)>,
    last_update: i64,
    pub(super) confirmed: i64,
    /// Updates that a webhook has taken.
    pub(super) taken: HashSet<i64>,
    chats: HashMap<i64, Value>,
    pub(super) moved: HashMap<i64, i64>,
    numbers: HashMap<i64, i64>,
    said: HashMap<(i64, i64), Value>,
    told: HashMap<(i64, i64), i64>,
    pub(super) shown: Vec<Shown>,
    pub(super) reactions: HashMap<(i64, i64), Vec<String>>,
    pub(super) files: HashMap<String, (String, Vec<u8>)>,
    pub(super) calls: Vec<(String, Value)>,
    pub(super) troubles: Vec<(Side, Trouble)>,
    pub(super) garbage: VecDeque<Vec<u8>>,
    pub(super) polls: u64,
    pub(super) revoked: bool,
    pub(super) markup_refused: bool,
    pub(super) webhook: Option<String>,
    seconds: i64,
}

impl State {
    pub(super) fn new() -> Self {
        let mut state = Self {
            updates: VecDeque::new(),
            delayed: Vec::new(),
            last_update: 700_000,
            confirmed: 0,
            taken: HashSet::new(),
            chats: HashMap::new(),
            moved: HashMap::new(),
            numbers: HashMap::new(),
            said: HashMap::new(),
            told: HashMap::new(),
            shown: Vec::new(),
            reactions: HashMap::new(),
            files: HashMap::new(),
            calls: Vec::new(),
            troubles: Vec::new(),
            garbage: VecDeque::new(),
            polls: 0,
            revoked: false,
            markup_refused: false,
            webhook: None,
            seconds: 1_767_225_600,
        };
        state.add_chat(json!({
            "id": FORUM, "type": "supergroup", "title": "The forum", "is_forum": true,
        }));
        state
    }

    /// Time goes on by a second with each thing that happens.
    pub(super) fn tick(&mut self) -> i64 {
        self.seconds += 1;
        self.seconds
    }

    /// Is the next call of this side disturbed?
    pub(super) fn is_troubled(&self, side: Side) -> bool {
        self.troubles.iter().any(|(of, _)| *of == side)
    }

    pub(super) fn add_chat(&mut self, chat: Value) {
        let id = chat["id"].as_i64().unwrap_or_default();
        self.chats.insert(id, chat);
    }

    /// A chat as messages have it; people have private ones without being asked.
    pub(super) fn chat(&self, id: i64) -> Value {
        let private = || json!({ "id": id, "type": "private", "first_name": "Person" });
        self.chats.get(&id).cloned().unwrap_or_else(private)
    }

    pub(super) fn has_chat(&self, id: i64) -> bool {
        id > 0 || self.chats.contains_key(&id)
    }

    pub(super) fn person(id: i64) -> Value {
        json!({ "id": id, "is_bot": false, "first_name": "Person", "last_name": id.to_string() })
    }

    pub(super) fn bot() -> Value {
        json!({
            "id": BOT, "is_bot": true, "first_name": "Anchorhold", "username": BOT_NAME,
            "can_join_groups": true, "can_read_all_group_messages": false,
            "supports_inline_queries": false,
        })
    }

    /// The next number in a chat: private chats and groups share theirs, supergroups have their own.
    pub(super) fn number(&mut self, chat: i64) -> i64 {
        let counter = if chat < -1_000_000_000_000 { chat } else { 0 };
        let number = self.numbers.entry(counter).or_default();
        *number += 1;
        *number
    }

    pub(super) fn update(&mut self, kind: &str, what: &Value, polls: u32) {
        if polls > 0 {
            self.delayed.push((polls, json!({ kind: what })));
            return;
        }
        self.last_update += 1;
        if let (Some(chat), Some(number)) =
            (what["chat"]["id"].as_i64(), what["message_id"].as_i64())
        {
            self.told.insert((chat, number), self.last_update);
        }
        let update = json!({ "update_id": self.last_update, kind: what });
        self.updates.push_back((self.last_update, update));
    }

    /// A poll begins: what comes behind so many others comes one nearer, and what lies before its
    /// offset is forgotten.
    pub(crate) fn poll(&mut self, offset: Option<i64>) {
        self.polls += 1;
        for (polls, update) in std::mem::take(&mut self.delayed) {
            match (
                polls,
                update.as_object().and_then(|update| update.iter().next()),
            ) {
                (1, Some((kind, what))) => self.update(kind, what, 0),
                (polls, _) => self.delayed.push((polls.saturating_sub(1), update)),
            }
        }
        if let Some(offset) = offset {
            self.updates.retain(|(number, _)| *number >= offset);
            self.confirmed = self.confirmed.max(offset - 1);
        }
    }

    pub(super) fn say(&mut self, chat: i64, person: i64, fields: Value, polls: u32) -> i64 {
        let number = self.number(chat);
        let mut message = json!({
            "message_id": number,
            "from": Self::person(person),
            "chat": self.chat(chat),
            "date": self.tick(),
        });
        merge(&mut message, fields);
        self.said.insert((chat, number), message.clone());
        let post = message["chat"]["type"] == "channel";
        let kind = if post { "channel_post" } else { "message" };
        self.update(kind, &message, polls);
        number
    }

    pub(super) fn said(&self, chat: i64, number: i64) -> Option<Value> {
        self.said.get(&(chat, number)).cloned()
    }

    pub(super) fn revise(&mut self, chat: i64, number: i64, fields: Value) {
        let Some(mut message) = self.said(chat, number) else {
            return;
        };
        message["edit_date"] = self.tick().into();
        merge(&mut message, fields);
        self.said.insert((chat, number), message.clone());
        self.update("edited_message", &message, 0);
    }

    pub(super) fn press(&mut self, chat: i64, number: i64, person: i64, data: &str) -> Value {
        let shown = self
            .shown
            .iter()
            .find(|shown| shown.chat == chat && shown.number == number);
        let message = shown.map(|shown| self.message(shown));
        let query = self.tick();
        json!({
            "id": query.to_string(),
            "from": Self::person(person),
            "message": message,
            "chat_instance": "1",
            "data": data,
        })
    }

    pub(super) fn upgrade(&mut self, group: i64, supergroup: i64, told: bool) {
        let mut chat = self.chat(group);
        chat["id"] = supergroup.into();
        chat["type"] = "supergroup".into();
        self.add_chat(chat);
        self.moved.insert(group, supergroup);
        let (old, new) = (self.number(group), self.number(supergroup));
        if !told {
            return;
        }
        for (chat, number, key, other) in [
            (group, old, "migrate_to_chat_id", supergroup),
            (supergroup, new, "migrate_from_chat_id", group),
        ] {
            let message = json!({
                "message_id": number,
                "chat": self.chat(chat),
                "date": self.tick(),
                "from": { "id": 1_087_968_824, "is_bot": true, "first_name": "Group" },
                key: other,
            });
            self.update("message", &message, 0);
        }
    }

    pub(super) fn file(&mut self, name: &str, content: &[u8]) -> String {
        let id = format!("file-{}", self.files.len() + 1);
        let path = format!("documents/{id}_{name}");
        self.files.insert(id.clone(), (path, content.to_vec()));
        id
    }

    pub(super) fn update_of(&self, chat: i64, number: i64) -> Option<i64> {
        self.told.get(&(chat, number)).copied()
    }

    /// A message of the bot as answers have it.
    pub(super) fn message(&self, shown: &Shown) -> Value {
        let mut message = json!({
            "message_id": shown.number,
            "from": Self::bot(),
            "chat": self.chat(shown.chat),
            "date": self.seconds,
        });
        if let Some(topic) = shown.topic {
            message["message_thread_id"] = topic.into();
            message["is_topic_message"] = true.into();
        }
        let words = if shown.file.is_some() {
            "caption"
        } else {
            "text"
        };
        if !shown.text.is_empty() {
            message[words] = shown.text.as_str().into();
        }
        if let Some(file) = &shown.file {
            let object = json!({
                "file_id": "sent", "file_unique_id": "s", "file_name": file.name,
                "file_size": file.content.len(), "width": 1, "height": 1, "duration": 1,
            });
            message[&file.kind] = match file.kind.as_str() {
                "photo" => json!([object]),
                _ => object,
            };
        }
        if !shown.keyboard.is_null() {
            message["reply_markup"] = shown.keyboard.clone();
        }
        message
    }
}

fn merge(message: &mut Value, fields: Value) {
    let Value::Object(fields) = fields else {
        return;
    };
    for (name, value) in fields {
        message[name] = value;
    }
}
