//! The conformance harness: people on a homeserver, and a bad line between it and the adapter.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex,
        atomic::{AtomicU32, Ordering},
    },
};

use anchorhold_channel::{
    ChannelAdapter, LimitScope,
    conformance::{Chat, ConformanceHarness, Did, Failure, Side, Told, Trouble},
};
use anchorhold_core::{address::Address, ids::ChannelName, outbound::OutboundFile};
use async_trait::async_trait;
use camino::Utf8Path;
use serde_json::{Value, json};
use tempfile::TempDir;

use super::{
    bench,
    people::{Person, text},
    proxy::Proxy,
    synapse::{Account, PASSWORD, Synapse},
};
use crate::MatrixAdapter;

/// Ann and Bob, whose clients stay on from case to case: a client's first keys take it long.
#[derive(Clone)]
pub(crate) struct Cast {
    synapse: Arc<Synapse>,
    ann: Arc<Person>,
    bob: Arc<Person>,
}

impl Cast {
    pub(crate) async fn new() -> Self {
        let synapse = Synapse::shared().await.unwrap();
        let number = synapse.number();
        let ann = Person::new(&synapse, &format!("ann{number}")).await;
        let bob = Person::new(&synapse, &format!("bob{number}")).await;
        Self {
            synapse,
            ann: Arc::new(ann),
            bob: Arc::new(bob),
        }
    }
}

/// Three rooms: the bot with Ann, with Bob, and with both.
pub(crate) struct Harness {
    pub(crate) synapse: Arc<Synapse>,
    proxy: Proxy,
    pub(crate) dir: TempDir,
    pub(crate) bot: Account,
    pub(crate) ann: Arc<Person>,
    bob: Arc<Person>,
    one: String,
    two: String,
    pub(crate) group: String,
    thread: String,
    encrypted: bool,
    said: Mutex<HashMap<(Chat, String), String>>,
    changes: AtomicU32,
}

impl Harness {
    pub(crate) async fn start(encrypted: bool) -> Result<Self, Failure> {
        Self::with(Cast::new().await, encrypted).await
    }

    /// A new bot, and new rooms with it.
    pub(crate) async fn with(cast: Cast, encrypted: bool) -> Result<Self, Failure> {
        let Cast { synapse, ann, bob } = cast;
        let number = synapse.number();
        let bot = synapse.register(&format!("bot{number}")).await;
        let one = room(&synapse, &ann, &[&bot], encrypted).await;
        let two = room(&synapse, &bob, &[&bot], encrypted).await;
        let group = room(&synapse, &ann, &[&bot, &bob.account], encrypted).await;
        let direct = json!({
            (ann.account.user.as_str()): [&one],
            (bob.account.user.as_str()): [&two],
        });
        let path = format!("user/{}/account_data/m.direct", bot.user);
        synapse.call("PUT", &path, Some(&bot.token), direct).await;
        let thread = ann.send(&group, text("a thread begins"), "root").await?;
        Ok(Self {
            proxy: Proxy::start(&synapse.base).await,
            synapse,
            dir: TempDir::new().unwrap(),
            bot,
            ann,
            bob,
            one,
            two,
            group,
            thread: thread.to_string(),
            encrypted,
            said: Mutex::default(),
            changes: AtomicU32::new(0),
        })
    }

    fn person(&self, chat: Chat) -> &Person {
        match chat {
            Chat::One | Chat::Direct | Chat::Group | Chat::Thread => &self.ann,
            Chat::Two => &self.bob,
        }
    }

    pub(crate) fn place(&self, chat: Chat) -> (&str, Option<&str>) {
        match chat {
            Chat::One | Chat::Direct => (&self.one, None),
            Chat::Two => (&self.two, None),
            Chat::Group => (&self.group, None),
            Chat::Thread => (&self.group, Some(&self.thread)),
        }
    }

    /// Says something, under the id that a case gives it.
    async fn tell(&self, chat: Chat, id: &str, mut content: Value) -> Result<(), Failure> {
        let (room, thread) = self.place(chat);
        if let Some(thread) = thread {
            content["m.relates_to"] = json!({
                "rel_type": "m.thread",
                "event_id": thread,
                "is_falling_back": true,
                "m.in_reply_to": { "event_id": thread },
            });
        }
        let person = self.person(chat);
        if self.encrypted {
            person.look_at(&self.bot.user).await;
        }
        let transaction = format!("{chat:?}-{id}");
        let message = ("m.room.message", content);
        let event = person.send(room, message, &transaction).await?;
        let key = (chat, id.to_owned());
        self.said.lock().unwrap().insert(key, event.to_string());
        Ok(())
    }

    fn event(&self, chat: Chat, id: &str) -> Result<String, Failure> {
        let said = self.said.lock().unwrap();
        let event = said.get(&(chat, id.to_owned())).cloned();
        event.ok_or_else(|| Failure::new("nobody said that"))
    }

    fn change(&self) -> String {
        format!("change-{}", self.changes.fetch_add(1, Ordering::Relaxed))
    }

    fn messages(&self, chat: Chat) -> Vec<Value> {
        let (room, thread) = self.place(chat);
        self.person(chat).messages(room, thread, &self.bot.user)
    }
}

/// A room with these people in it.
pub(crate) async fn room(
    synapse: &Synapse,
    owner: &Person,
    others: &[&Account],
    encrypted: bool,
) -> String {
    let users: Vec<&str> = others.iter().map(|other| other.user.as_str()).collect();
    let mut request = json!({ "preset": "private_chat", "invite": users });
    if encrypted {
        request["initial_state"] = json!([{
            "type": "m.room.encryption",
            "state_key": "",
            "content": { "algorithm": "m.megolm.v1.aes-sha2" },
        }]);
    }
    let token = Some(owner.account.token.as_str());
    let made = synapse.call("POST", "createRoom", token, request).await;
    let room = made["room_id"]
        .as_str()
        .unwrap_or_else(|| panic!("{made}"))
        .to_owned();
    for other in others {
        let path = format!("rooms/{room}/join");
        let joined = synapse
            .call("POST", &path, Some(&other.token), json!({}))
            .await;
        assert_eq!(joined["room_id"], room.as_str(), "{joined}");
    }
    room
}

#[async_trait]
impl ConformanceHarness for Harness {
    fn channel(&self) -> ChannelName {
        bench::channel()
    }

    fn address(&self, chat: Chat) -> Address {
        let (room, thread) = self.place(chat);
        bench::address(room, thread)
    }

    async fn adapter(&self) -> Result<Arc<dyn ChannelAdapter>, Failure> {
        let dir = Utf8Path::from_path(self.dir.path()).unwrap();
        let cx = bench::context(dir);
        let settings = bench::settings(&cx, &bench::table(&self.proxy.base, &self.bot.user));
        Ok(Arc::new(MatrixAdapter::new(&cx, settings).unwrap()))
    }

    async fn arrive(&self, _chat: Chat) -> Result<(), Failure> {
        Ok(())
    }

    async fn leave(&self, _chat: Chat) -> Result<(), Failure> {
        Ok(())
    }

    async fn say(&self, chat: Chat, id: &str, words: &str) -> Result<(), Failure> {
        self.tell(chat, id, text(words).1).await
    }

    async fn told(&self, chat: Chat, id: &str) -> Result<Told, Failure> {
        let event = self.event(chat, id)?;
        Ok(if self.proxy.is_confirmed(&event) {
            Told::Accepted
        } else {
            Told::Nothing
        })
    }

    async fn seen(&self, chat: Chat) -> Result<Vec<String>, Failure> {
        let words = |message: Value| {
            let content = &message["content"];
            let body = content["body"].as_str().unwrap().to_owned();
            (content["filename"] != body.as_str()).then_some(body)
        };
        Ok(self.messages(chat).into_iter().filter_map(words).collect())
    }

    async fn mention(&self, chat: Chat, id: &str, words: &str) -> Result<Did, Failure> {
        let mut content = text(words).1;
        content["m.mentions"] = json!({ "user_ids": [self.bot.user] });
        self.tell(chat, id, content).await?;
        Ok(Did::It)
    }

    async fn revise(&self, chat: Chat, id: &str, words: &str) -> Result<Did, Failure> {
        let mut content = text(&format!("* {words}")).1;
        content["m.new_content"] = text(words).1;
        let of = self.event(chat, id)?;
        content["m.relates_to"] = json!({ "rel_type": "m.replace", "event_id": of });
        let (room, _) = self.place(chat);
        let message = ("m.room.message", content);
        self.person(chat)
            .send(room, message, &self.change())
            .await?;
        Ok(Did::It)
    }

    async fn react(&self, chat: Chat, id: &str, emoji: &str) -> Result<Did, Failure> {
        let relation = json!({
            "rel_type": "m.annotation", "event_id": self.event(chat, id)?, "key": emoji,
        });
        let content = json!({ "m.relates_to": relation });
        let (room, _) = self.place(chat);
        let reaction = ("m.reaction", content);
        self.person(chat)
            .send(room, reaction, &self.change())
            .await?;
        Ok(Did::It)
    }

    /// A message has one file there.
    async fn share(
        &self,
        chat: Chat,
        id: &str,
        words: &str,
        files: &[OutboundFile],
    ) -> Result<Did, Failure> {
        let [file] = files else {
            return Ok(Did::NotHere);
        };
        let content = self.person(chat).with_file(words, file, self.encrypted);
        self.tell(chat, id, content.await).await?;
        Ok(Did::It)
    }

    async fn files(&self, chat: Chat) -> Result<Vec<OutboundFile>, Failure> {
        let mut files = Vec::new();
        for message in self.messages(chat) {
            files.extend(self.person(chat).file(&message).await);
        }
        Ok(files)
    }

    async fn reactions(&self, chat: Chat) -> Result<Vec<String>, Failure> {
        let (room, _) = self.place(chat);
        let events = self.person(chat).events(room);
        let reactions = events.iter().filter(|event| {
            event["type"] == "m.reaction" && event["sender"] == self.bot.user.as_str()
        });
        let emoji = reactions.filter_map(|event| event["content"]["m.relates_to"]["key"].as_str());
        Ok(emoji.map(str::to_owned).collect())
    }

    async fn trouble(&self, side: Side, trouble: Trouble) -> Result<Did, Failure> {
        if matches!(trouble, Trouble::Limit(LimitScope::Chat, _)) {
            // A homeserver does not say whom its limits are about.
            return Ok(Did::NotHere);
        }
        self.proxy.trouble(side, trouble);
        Ok(Did::It)
    }

    fn secrets(&self) -> Vec<String> {
        vec![PASSWORD.to_owned(), "syt_".to_owned()]
    }

    async fn hostile(&self, input: &[u8]) -> Result<(), Failure> {
        self.proxy.garble(input);
        Ok(())
    }

    async fn drop_connection(&self) -> Result<(), Failure> {
        self.proxy.break_connections();
        Ok(())
    }
}
