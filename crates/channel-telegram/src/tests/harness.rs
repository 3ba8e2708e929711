//! The conformance harness: people on the fake server.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard},
    time::Duration,
};

use anchorhold_channel::{
    ChannelAdapter, LimitScope,
    conformance::{Chat, ConformanceHarness, Did, Failure, Side, Told, Trouble},
    fake::part_key,
};
use anchorhold_channel_kit::http::Http;
use anchorhold_core::{
    address::Address,
    ids::{ChannelName, ChatId, ThreadId},
    outbound::{OutboundFile, OutboundOp},
};
use async_trait::async_trait;
use futures_util::future::join_all;
use serde_json::{Value, json};
use tokio_util::{
    sync::{CancellationToken, DropGuard},
    task::TaskTracker,
};

use super::bench;
use crate::{
    TelegramAdapter, callback,
    fake::{BOT_NAME, FORUM, FakeTelegram, Shown, TOKEN, TOPIC},
    webhook::secret,
};

/// People, by their ids, which are those of their chats.
pub(super) const ANN: i64 = 1001;
pub(super) const BOB: i64 = 1002;

/// How the bot hears.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Way {
    Polls,
    IsCalled,
}

pub(super) struct Harness {
    fake: Arc<FakeTelegram>,
    way: Way,
    _calling: DropGuard,
    /// The messages that people sent under the names that cases give them.
    said: Mutex<HashMap<(Chat, String), i64>>,
    adapters: Arc<Mutex<Vec<Arc<TelegramAdapter>>>>,
}

impl Harness {
    /// People whose bot polls.
    pub(super) async fn start() -> Result<Self, Failure> {
        Self::on(Way::Polls).await
    }

    /// People whose bot is called.
    pub(super) async fn start_hooked() -> Result<Self, Failure> {
        Self::on(Way::IsCalled).await
    }

    async fn on(way: Way) -> Result<Self, Failure> {
        let fake = FakeTelegram::start().await;
        let fake = Arc::new(fake.map_err(|error| Failure::new(error.to_string()))?);
        let adapters = Arc::default();
        let stop = CancellationToken::new();
        if way == Way::IsCalled {
            let calling = call(Arc::clone(&fake), Arc::clone(&adapters));
            let ending = stop.clone();
            TaskTracker::new().spawn(async move { ending.run_until_cancelled(calling).await });
        }
        Ok(Self {
            fake,
            way,
            _calling: stop.drop_guard(),
            said: Mutex::default(),
            adapters,
        })
    }

    /// Where the newest of the adapters is called.
    fn url(&self) -> Option<String> {
        url(&self.adapters)
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

fn url(adapters: &Mutex<Vec<Arc<TelegramAdapter>>>) -> Option<String> {
    let newest = adapters.lock().unwrap().last().cloned();
    Some(format!("http://{}/tg", newest?.listening()?))
}

/// Calls the bot with each update until it is taken, as Telegram does.
async fn call(fake: Arc<FakeTelegram>, adapters: Arc<Mutex<Vec<Arc<TelegramAdapter>>>>) {
    let http = Http::new(None).unwrap();
    loop {
        let pending = fake.pending();
        if let Some(url) = url(&adapters).filter(|_| !pending.is_empty()) {
            let calls = pending.iter().map(|update| {
                let body = update.to_string().into_bytes();
                async { (update["update_id"].as_i64(), hook(&http, &url, body).await) }
            });
            for (number, status) in join_all(calls).await {
                if let (Some(number), Some(200)) = (number, status) {
                    fake.taken(number);
                }
            }
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

/// One call; the status of its answer, if there is one.
async fn hook(http: &Http, url: &str, body: Vec<u8>) -> Option<u16> {
    let request = http
        .client()
        .post(url)
        .header("x-telegram-bot-api-secret-token", secret(TOKEN))
        .body(body);
    let answer = http.ask("calling", request).await.ok()?;
    Some(answer.status.as_u16())
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
        let webhook = (self.way == Way::IsCalled).then(bench::webhook);
        let adapter = bench::adapter(&self.fake, webhook);
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
        if side == Side::Receiving && self.way == Way::IsCalled {
            return Ok(Did::NotHere);
        }
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
        match self.way {
            Way::Polls => self.fake.garble(input),
            Way::IsCalled => {
                let url = self.url().ok_or_else(|| Failure::new("nobody is called"))?;
                let http = Http::new(None).map_err(|error| Failure::new(error.to_string()))?;
                hook(&http, &url, input.to_vec()).await;
            }
        }
        Ok(())
    }

    async fn drop_connection(&self) -> Result<(), Failure> {
        if self.way == Way::Polls {
            self.fake.break_poll();
        }
        Ok(())
    }
}
