//! The conformance harness: people on the fake server.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard},
};

use anchorhold_channel::{
    ChannelAdapter, LimitScope,
    conformance::{Chat, ConformanceHarness, Did, Failure, Side, Told, Trouble},
    fake::part_key,
};
use anchorhold_core::{
    address::Address,
    ids::{ChannelName, ChatId, ThreadId},
    outbound::{OutboundFile, OutboundOp},
};
use async_trait::async_trait;
use serde_json::{Value, json};

use super::bench;
use crate::{
    TelegramAdapter, callback,
    fake::{BOT_NAME, FORUM, FakeTelegram, Shown, TOKEN, TOPIC},
};

/// People, by their ids, which are those of their chats.
pub(super) const ANN: i64 = 1001;
pub(super) const BOB: i64 = 1002;

pub(super) struct Harness {
    fake: FakeTelegram,
    /// The messages that people sent under the names that cases give them.
    said: Mutex<HashMap<(Chat, String), i64>>,
    adapters: Mutex<Vec<Arc<TelegramAdapter>>>,
}

impl Harness {
    pub(super) async fn start() -> Result<Self, Failure> {
        let fake = FakeTelegram::start().await;
        Ok(Self {
            fake: fake.map_err(|error| Failure::new(error.to_string()))?,
            said: Mutex::default(),
            adapters: Mutex::default(),
        })
    }

    fn said(&self) -> MutexGuard<'_, HashMap<(Chat, String), i64>> {
        self.said.lock().unwrap()
    }

    /// Says something new, or offers the same once more.
    fn tell(&self, chat: Chat, id: &str, fields: Value) {
        let key = (chat, id.to_owned());
        if let Some(number) = self.said().get(&key).copied() {
            return self.fake.repeat(chat_of(chat).0, number);
        }
        let mut fields = fields;
        if let (_, Some(topic)) = chat_of(chat) {
            fields["message_thread_id"] = topic.into();
            fields["is_topic_message"] = true.into();
        }
        let number = self.fake.say(chat_of(chat).0, person(chat), fields);
        self.said().insert(key, number);
    }

    fn number(&self, chat: Chat, id: &str) -> Result<i64, Failure> {
        let number = self.said().get(&(chat, id.to_owned())).copied();
        number.ok_or_else(|| Failure::new("nobody said that"))
    }

    fn shown(&self, chat: Chat) -> Vec<Shown> {
        let (chat, topic) = chat_of(chat);
        self.fake.seen(chat, topic)
    }
}

fn chat_of(chat: Chat) -> (i64, Option<i64>) {
    match chat {
        Chat::One | Chat::Direct => (ANN, None),
        Chat::Two => (BOB, None),
        Chat::Group => (FORUM, None),
        Chat::Thread => (FORUM, Some(TOPIC)),
    }
}

fn person(chat: Chat) -> i64 {
    match chat {
        Chat::One | Chat::Direct | Chat::Group | Chat::Thread => ANN,
        Chat::Two => BOB,
    }
}

fn buttons(shown: &Shown) -> Vec<(String, String)> {
    let rows = shown.keyboard["inline_keyboard"].as_array();
    let buttons = rows
        .into_iter()
        .flatten()
        .filter_map(Value::as_array)
        .flatten();
    let text = |button: &Value, key: &str| button[key].as_str().unwrap().to_owned();
    buttons
        .map(|button| (text(button, "text"), text(button, "callback_data")))
        .collect()
}

#[async_trait]
impl ConformanceHarness for Harness {
    fn channel(&self) -> ChannelName {
        bench::channel()
    }

    fn address(&self, chat: Chat) -> Address {
        let (chat, topic) = chat_of(chat);
        Address {
            channel: bench::channel(),
            chat: ChatId::parse(&chat.to_string()).unwrap(),
            thread: topic.map(|topic| ThreadId::parse(&topic.to_string()).unwrap()),
        }
    }

    async fn adapter(&self) -> Result<Arc<dyn ChannelAdapter>, Failure> {
        let adapter = bench::adapter(&self.fake, None);
        self.adapters.lock().unwrap().push(Arc::clone(&adapter));
        Ok(adapter)
    }

    async fn arrive(&self, _chat: Chat) -> Result<(), Failure> {
        Ok(())
    }

    async fn leave(&self, _chat: Chat) -> Result<(), Failure> {
        Ok(())
    }

    async fn say(&self, chat: Chat, id: &str, text: &str) -> Result<(), Failure> {
        self.tell(chat, id, json!({ "text": text }));
        Ok(())
    }

    async fn told(&self, chat: Chat, id: &str) -> Result<Told, Failure> {
        let number = self.number(chat, id)?;
        let update = self.fake.update_of(chat_of(chat).0, number);
        Ok(
            if update.is_some_and(|update| self.fake.is_confirmed(update)) {
                Told::Accepted
            } else {
                Told::Nothing
            },
        )
    }

    async fn seen(&self, chat: Chat) -> Result<Vec<String>, Failure> {
        let plain = |shown: &Shown| shown.keyboard.is_null() && !shown.text.is_empty();
        let shown = self.shown(chat).into_iter().filter(plain);
        Ok(shown.map(|shown| shown.text).collect())
    }

    async fn mention(&self, chat: Chat, id: &str, text: &str) -> Result<Did, Failure> {
        let name = format!("@{BOT_NAME}");
        let entity = json!({ "type": "mention", "offset": 0, "length": name.len() });
        let text = format!("{name} {text}");
        self.tell(chat, id, json!({ "text": text, "entities": [entity] }));
        Ok(Did::It)
    }

    async fn revise(&self, chat: Chat, id: &str, text: &str) -> Result<Did, Failure> {
        let number = self.number(chat, id)?;
        self.fake
            .revise(chat_of(chat).0, number, json!({ "text": text }));
        Ok(Did::It)
    }

    async fn react(&self, chat: Chat, id: &str, emoji: &str) -> Result<Did, Failure> {
        let number = self.number(chat, id)?;
        self.fake
            .react(chat_of(chat).0, number, person(chat), &[emoji]);
        Ok(Did::It)
    }

    async fn share(
        &self,
        chat: Chat,
        id: &str,
        text: &str,
        files: &[OutboundFile],
    ) -> Result<Did, Failure> {
        // Several files are an album, of which the bot is told part by part.
        for (at, file) in files.iter().enumerate() {
            let fields = json!({
                "media_group_id": "album",
                "document": {
                    "file_id": self.fake.file(&file.name, &file.content),
                    "file_unique_id": "x",
                    "file_name": file.name,
                    "file_size": file.content.len(),
                },
                "caption": (at == 0).then_some(text),
            });
            self.tell(chat, &format!("{id}.{at}"), fields);
        }
        Ok(Did::It)
    }

    async fn files(&self, chat: Chat) -> Result<Vec<OutboundFile>, Failure> {
        let file = |shown: Shown| {
            shown.file.map(|file| OutboundFile {
                name: file.name,
                content: file.content,
            })
        };
        Ok(self.shown(chat).into_iter().filter_map(file).collect())
    }

    async fn reactions(&self, chat: Chat) -> Result<Vec<String>, Failure> {
        let reactions = self.fake.reactions(chat_of(chat).0);
        Ok(reactions.into_values().flatten().collect())
    }

    async fn asked(&self, chat: Chat) -> Result<Vec<Vec<String>>, Failure> {
        let asked = self
            .shown(chat)
            .into_iter()
            .filter(|shown| !shown.keyboard.is_null());
        let labels = |shown: Shown| {
            buttons(&shown)
                .into_iter()
                .map(|(label, _)| label)
                .collect()
        };
        Ok(asked.map(labels).collect())
    }

    async fn click(&self, chat: Chat, question: usize, option: usize) -> Result<(), Failure> {
        let asked = self
            .shown(chat)
            .into_iter()
            .filter(|shown| !shown.keyboard.is_null());
        let asked: Vec<Shown> = asked.collect();
        let shown = &asked[question];
        // A choice leaves one button; who still sees all of them presses what was there.
        let (_, first) = buttons(shown).remove(0);
        let (question, _) = callback::read(&first).unwrap();
        let data = callback::data(question, option);
        self.fake
            .press(shown.chat, shown.number, person(chat), &data);
        Ok(())
    }

    async fn trouble(&self, side: Side, trouble: Trouble) -> Result<Did, Failure> {
        if let (Side::Sending, Trouble::Limit(LimitScope::Instance, wait)) = (side, trouble) {
            // Telegram does not say it: the whole bot is limited when a second chat is.
            self.fake
                .trouble(side, Trouble::Limit(LimitScope::Chat, wait));
            let adapters = self.adapters.lock().unwrap().clone();
            for adapter in adapters {
                let elsewhere = self.address(Chat::Two);
                let limited = adapter
                    .send(&elsewhere, &OutboundOp::Typing, part_key(99))
                    .await;
                if limited.is_ok() {
                    return Err(Failure::new("the other chat was not limited"));
                }
            }
        }
        self.fake.trouble(side, trouble);
        Ok(Did::It)
    }

    fn secrets(&self) -> Vec<String> {
        vec![TOKEN.to_owned()]
    }

    async fn hostile(&self, input: &[u8]) -> Result<(), Failure> {
        self.fake.garble(input);
        Ok(())
    }

    async fn drop_connection(&self) -> Result<(), Failure> {
        self.fake.break_poll();
        Ok(())
    }
}
