//! What Discord knows: channels, people, messages, and what the bot's sessions have been told.

use std::collections::{BTreeMap, HashMap, VecDeque};

use anchorhold_channel::conformance::Trouble;
use jiff::Timestamp;
use serde_json::{Value, json};

use super::{APPLICATION, BOT, FORUM, GENERAL, GUILD, POST, THREAD, objects};
use crate::wire::Snowflake;

/// The first moment of this Discord.
const BEGIN: i64 = 1_767_225_600;
/// <https://discord.com/developers/docs/events/gateway#list-of-intents>
const GUILD_MESSAGES: u64 = 1 << 9;
const GUILD_REACTIONS: u64 = 1 << 10;
const DIRECT_MESSAGES: u64 = 1 << 12;
const DIRECT_REACTIONS: u64 = 1 << 13;
pub(crate) const MESSAGE_CONTENT: u64 = 1 << 15;

/// A file that the bot has sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct File {
    /// Its name.
    pub name: String,
    /// Its content.
    pub content: Vec<u8>,
}

/// A message of the bot, as people see it.
#[derive(Clone, Debug, PartialEq)]
pub struct Shown {
    /// Its id.
    pub id: u64,
    /// What is read.
    pub text: String,
    /// The files.
    pub files: Vec<File>,
    /// The buttons, in their rows.
    pub components: Value,
    /// The message that it answers.
    pub reply_to: Option<u64>,
    /// What was asked for when it was sent.
    pub asked: Value,
}

/// A session of the gateway.
#[derive(Debug)]
pub(crate) struct Session {
    pub(crate) id: String,
    intents: u64,
    /// What was told, the first under the number 1.
    pub(crate) told: Vec<(String, Value)>,
    pub(crate) over: bool,
}

/// All of it.
#[derive(Debug)]
pub(crate) struct State {
    pub(crate) gateway: String,
    base: String,
    pub(crate) channels: BTreeMap<u64, Value>,
    pub(crate) messages: BTreeMap<(u64, u64), Value>,
    pub(crate) sent: HashMap<u64, (Vec<File>, Value)>,
    pub(crate) nonces: HashMap<String, u64>,
    pub(crate) reactions: HashMap<(u64, u64), Vec<String>>,
    pub(crate) attachments: HashMap<String, Vec<u8>>,
    pub(crate) sessions: Vec<Session>,
    pub(crate) calls: Vec<(String, Value)>,
    /// What was answered to each click, by the click's id.
    pub(crate) answers: HashMap<u64, Vec<Value>>,
    pub(crate) troubles: VecDeque<Trouble>,
    pub(crate) garbage: VecDeque<Vec<u8>>,
    pub(crate) closes: VecDeque<u16>,
    pub(crate) cuts: u64,
    pub(crate) turned_away: u32,
    pub(crate) content_allowed: bool,
    pub(crate) starts: u32,
    pub(crate) identified: u32,
    pub(crate) resumed: u32,
    pub(crate) revoked: bool,
    moments: i64,
}

impl State {
    pub(crate) fn new(gateway: &str, base: &str) -> Self {
        let mut channels = BTreeMap::from(objects::channels());
        for (id, parent) in [(THREAD, GENERAL), (POST, FORUM)] {
            channels.insert(id, objects::thread(id, parent, 1001));
        }
        Self {
            gateway: gateway.to_owned(),
            base: base.to_owned(),
            channels,
            messages: BTreeMap::new(),
            sent: HashMap::new(),
            nonces: HashMap::new(),
            reactions: HashMap::new(),
            attachments: HashMap::new(),
            sessions: Vec::new(),
            calls: Vec::new(),
            answers: HashMap::new(),
            troubles: VecDeque::new(),
            garbage: VecDeque::new(),
            closes: VecDeque::new(),
            cuts: 0,
            turned_away: 0,
            content_allowed: true,
            starts: 1_000,
            identified: 0,
            resumed: 0,
            revoked: false,
            moments: 0,
        }
    }

    /// An id of this moment, and when that is: time goes on by a second with each thing that happens.
    pub(crate) fn tick(&mut self) -> (u64, String) {
        self.moments += 1;
        let now = Timestamp::from_second(BEGIN + self.moments).unwrap_or(Timestamp::UNIX_EPOCH);
        let text = now.strftime("%Y-%m-%dT%H:%M:%S%.6f+00:00").to_string();
        (Snowflake::at(now).0 + 7, text)
    }

    pub(crate) fn direct(&mut self, person: u64) -> u64 {
        // A direct chat has an id of its own, which is the same each time.
        let id = person + 500_000;
        let chat = || objects::direct(id, person);
        self.channels.entry(id).or_insert_with(chat);
        id
    }

    pub(crate) fn open_thread(&mut self, parent: u64) -> u64 {
        let (id, _) = self.tick();
        let thread = objects::thread(id, parent, 1001);
        self.channels.insert(id, thread.clone());
        self.dispatch("THREAD_CREATE", &thread);
        id
    }

    pub(crate) fn message(&self, channel: u64, message: u64) -> Option<&Value> {
        self.messages.get(&(channel, message))
    }

    pub(crate) fn say(&mut self, channel: u64, person: u64, fields: Value) -> u64 {
        let (id, sent_at) = self.tick();
        let at = self.channels.get(&channel).cloned().unwrap_or_default();
        let mut message = objects::message((id, &at), &objects::person(person), &sent_at);
        objects::merge(&mut message, fields);
        self.refer(channel, &mut message);
        self.put(channel, id, message);
        id
    }

    /// An answer has what it answers in it.
    pub(crate) fn refer(&self, channel: u64, message: &mut Value) {
        let answered = message["message_reference"]["message_id"].as_str();
        let answered = answered.and_then(|id| id.parse().ok());
        if let Some(answered) = answered.and_then(|id| self.message(channel, id)) {
            message["type"] = 19.into();
            let mut answered = answered.clone();
            // It is told without what it answers itself.
            if let Some(fields) = answered.as_object_mut() {
                fields.remove("referenced_message");
            }
            message["referenced_message"] = answered;
        }
    }

    /// Keeps a message, and tells of it.
    pub(crate) fn put(&mut self, channel: u64, id: u64, message: Value) {
        if let Some(at) = self.channels.get_mut(&channel) {
            at["last_message_id"] = id.to_string().into();
        }
        self.dispatch("MESSAGE_CREATE", &message);
        self.messages.insert((channel, id), message);
    }

    pub(crate) fn revise(&mut self, channel: u64, id: u64, fields: Value) {
        let (_, now) = self.tick();
        let Some(message) = self.messages.get_mut(&(channel, id)) else {
            return;
        };
        message["edited_timestamp"] = now.into();
        objects::merge(message, fields);
        let message = message.clone();
        self.dispatch("MESSAGE_UPDATE", &message);
    }

    pub(crate) fn react(
        &mut self,
        kind: &str,
        (channel, message): (u64, u64),
        person: u64,
        emoji: &str,
    ) {
        let mut reaction = json!({
            "user_id": person.to_string(), "channel_id": channel.to_string(),
            "message_id": message.to_string(), "emoji": { "id": null, "name": emoji },
            "burst": false, "type": 0,
        });
        if let Some(said) = self.message(channel, message) {
            reaction["message_author_id"] = said["author"]["id"].clone();
            if !said["guild_id"].is_null() {
                reaction["guild_id"] = said["guild_id"].clone();
                let mut member = objects::member(&[]);
                member["user"] = objects::person(person);
                reaction["member"] = member;
            }
        }
        self.dispatch(kind, &reaction);
    }

    pub(crate) fn press(&mut self, channel: u64, id: u64, person: u64, button: &str) -> u64 {
        let (interaction, _) = self.tick();
        let mut click = json!({
            "id": interaction.to_string(), "application_id": APPLICATION.to_string(), "type": 3,
            "token": format!("proof-{interaction}"), "version": 1,
            "channel_id": channel.to_string(), "channel": self.channels.get(&channel),
            "data": { "custom_id": button, "component_type": 2, "id": 2 },
            "message": self.message(channel, id), "entitlements": [], "locale": "en-US",
            "authorizing_integration_owners": {}, "app_permissions": "0", "attachment_size_limit": 1,
        });
        let in_guild = self
            .channels
            .get(&channel)
            .is_some_and(|at| !at["guild_id"].is_null());
        if in_guild {
            click["guild_id"] = GUILD.to_string().into();
            let mut member = objects::member(&[]);
            member["user"] = objects::person(person);
            member["permissions"] = "0".into();
            click["member"] = member;
        } else {
            click["user"] = objects::person(person);
        }
        self.answers.insert(interaction, Vec::new());
        self.dispatch("INTERACTION_CREATE", &click);
        interaction
    }

    pub(crate) fn attachment(&mut self, name: &str, content: &[u8]) -> Value {
        let (id, _) = self.tick();
        let path = format!("/attachments/{id}/{name}");
        let url = format!("{}{path}", self.base);
        self.attachments.insert(path, content.to_vec());
        json!({
            "id": id.to_string(), "filename": name, "size": content.len(), "url": url,
            "proxy_url": url, "content_type": "application/octet-stream",
        })
    }

    /// The server as it is now.
    pub(crate) fn guild(&self) -> Value {
        let here = self
            .channels
            .values()
            .filter(|at| !at["guild_id"].is_null());
        let (threads, channels): (Vec<Value>, Vec<Value>) =
            here.cloned().partition(|at| at["type"] == 11);
        let open = |thread: &Value| thread["thread_metadata"]["archived"] == false;
        let threads: Vec<Value> = threads.into_iter().filter(open).collect();
        objects::guild(&channels, &threads)
    }

    /// A session begins; gives where it is.
    pub(crate) fn begin(&mut self, intents: u64) -> usize {
        self.identified += 1;
        self.starts = self.starts.saturating_sub(1);
        let id = format!("session{}", self.sessions.len() + 1);
        let ready = objects::ready(&id, &self.gateway, self.content_allowed);
        let told = vec![
            ("READY".to_owned(), ready),
            ("GUILD_CREATE".to_owned(), self.guild()),
        ];
        self.sessions.push(Session {
            id,
            intents,
            told,
            over: false,
        });
        self.sessions.len() - 1
    }

    /// Tells each session of what happened, as far as it wants to know.
    pub(crate) fn dispatch(&mut self, kind: &str, what: &Value) {
        let direct = what["guild_id"].is_null();
        let needs = match kind {
            "MESSAGE_CREATE" | "MESSAGE_UPDATE" | "MESSAGE_DELETE" if direct => DIRECT_MESSAGES,
            "MESSAGE_CREATE" | "MESSAGE_UPDATE" | "MESSAGE_DELETE" => GUILD_MESSAGES,
            "MESSAGE_REACTION_ADD" | "MESSAGE_REACTION_REMOVE" if direct => DIRECT_REACTIONS,
            "MESSAGE_REACTION_ADD" | "MESSAGE_REACTION_REMOVE" => GUILD_REACTIONS,
            _ => 0,
        };
        for session in &mut self.sessions {
            if session.intents & needs != needs || session.over {
                continue;
            }
            let mut what = what.clone();
            if needs == GUILD_MESSAGES && session.intents & MESSAGE_CONTENT == 0 {
                without_content(&mut what);
            }
            session.told.push((kind.to_owned(), what));
        }
    }

    pub(crate) fn seen(&self, channel: u64) -> Vec<Shown> {
        let mine = self.messages.iter().filter(|((at, _), message)| {
            *at == channel && objects::is(&message["author"]["id"], BOT)
        });
        let shown = |((_, id), message): (&(u64, u64), &Value)| {
            let (files, asked) = self.sent.get(id).cloned().unwrap_or_default();
            let reply_to = message["message_reference"]["message_id"].as_str();
            Shown {
                id: *id,
                text: message["content"].as_str().unwrap_or_default().to_owned(),
                files,
                components: message["components"].clone(),
                reply_to: reply_to.and_then(|id| id.parse().ok()),
                asked,
            }
        };
        mine.map(shown).collect()
    }
}

/// A message as it comes to a bot that may not read everything.
fn without_content(message: &mut Value) {
    let me = BOT.to_string();
    let named = message["mentions"].as_array().into_iter().flatten();
    if message["author"]["id"] == me || named.into_iter().any(|user| user["id"] == me) {
        return;
    }
    message["content"] = "".into();
    for list in ["attachments", "embeds", "components"] {
        message[list] = json!([]);
    }
}
