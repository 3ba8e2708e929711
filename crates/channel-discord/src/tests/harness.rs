//! The conformance harness: people on the fake server.

use std::{
    collections::HashMap,
    sync::{Mutex, MutexGuard},
    time::Duration,
};

use anchorhold_channel::{
    ChannelAdapter, LimitScope,
    conformance::{Chat, ConformanceHarness, Did, Failure, Side, Told, Trouble},
};
use anchorhold_core::{address::Address, ids::ChannelName, outbound::OutboundFile};
use async_trait::async_trait;
use serde_json::{Value, json};

use super::bench;
use crate::{
    buttons,
    fake::{FakeDiscord, GENERAL, Shown, THREAD, TOKEN},
};

/// People.
pub(super) const ANN: u64 = 1001;
pub(super) const BOB: u64 = 1002;

/// What becomes of a session whose connection breaks.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Sessions {
    GoOn,
    AreForgotten,
}

pub(super) struct Harness {
    fake: FakeDiscord,
    sessions: Sessions,
    /// The messages that people sent under the names that cases give them.
    said: Mutex<HashMap<(Chat, String), u64>>,
}

impl Harness {
    /// People whose bot goes on with its session.
    pub(super) async fn start() -> Result<Self, Failure> {
        Self::on(Sessions::GoOn).await
    }

    /// People whose bot has to begin a new one each time.
    pub(super) async fn start_forgetful() -> Result<Self, Failure> {
        Self::on(Sessions::AreForgotten).await
    }

    async fn on(sessions: Sessions) -> Result<Self, Failure> {
        let fake = FakeDiscord::start().await;
        let fake = fake.map_err(|error| Failure::new(error.to_string()))?;
        Ok(Self {
            fake,
            sessions,
            said: Mutex::default(),
        })
    }

    fn said(&self) -> MutexGuard<'_, HashMap<(Chat, String), u64>> {
        self.said.lock().unwrap()
    }

    fn channel_of(&self, chat: Chat) -> u64 {
        match chat {
            Chat::One | Chat::Direct => self.fake.direct(ANN),
            Chat::Two => self.fake.direct(BOB),
            Chat::Group => GENERAL,
            Chat::Thread => THREAD,
        }
    }

    /// Says something new, or offers the same once more.
    fn tell(&self, chat: Chat, id: &str, fields: Value) {
        let key = (chat, id.to_owned());
        if let Some(message) = self.said().get(&key).copied() {
            return self.fake.repeat(self.channel_of(chat), message);
        }
        let message = self.fake.say(self.channel_of(chat), person(chat), fields);
        self.said().insert(key, message);
    }

    fn message(&self, chat: Chat, id: &str) -> Result<u64, Failure> {
        let message = self.said().get(&(chat, id.to_owned())).copied();
        message.ok_or_else(|| Failure::new("nobody said that"))
    }

    fn shown(&self, chat: Chat) -> Vec<Shown> {
        self.fake.seen(self.channel_of(chat))
    }

    fn questions(&self, chat: Chat) -> Vec<Shown> {
        let mut shown = self.shown(chat);
        shown.retain(|shown| !labels(shown).is_empty());
        shown
    }
}

fn person(chat: Chat) -> u64 {
    match chat {
        Chat::One | Chat::Direct | Chat::Group | Chat::Thread => ANN,
        Chat::Two => BOB,
    }
}

/// The buttons of a message: what they say, and their ids.
fn labels(shown: &Shown) -> Vec<(String, String)> {
    let rows = shown.components.as_array().into_iter().flatten();
    let buttons = rows
        .filter_map(|row| row["components"].as_array())
        .flatten();
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    buttons
        .map(|button| (text(&button["label"]), text(&button["custom_id"])))
        .collect()
}

#[async_trait]
impl ConformanceHarness for Harness {
    fn channel(&self) -> ChannelName {
        bench::channel()
    }

    fn address(&self, chat: Chat) -> Address {
        match chat {
            Chat::Thread => bench::address(GENERAL, Some(THREAD)),
            Chat::One | Chat::Two | Chat::Direct | Chat::Group => {
                bench::address(self.channel_of(chat), None)
            }
        }
    }

    async fn adapter(&self) -> Result<std::sync::Arc<dyn ChannelAdapter>, Failure> {
        if self.sessions == Sessions::AreForgotten {
            self.fake.forget_sessions();
        }
        Ok(bench::adapter(&self.fake))
    }

    async fn arrive(&self, _chat: Chat) -> Result<(), Failure> {
        Ok(())
    }

    async fn leave(&self, _chat: Chat) -> Result<(), Failure> {
        Ok(())
    }

    async fn say(&self, chat: Chat, id: &str, text: &str) -> Result<(), Failure> {
        self.tell(chat, id, json!({ "content": text }));
        Ok(())
    }

    async fn told(&self, _chat: Chat, _id: &str) -> Result<Told, Failure> {
        // The gateway is told of nothing that was taken: only the cursor says it.
        Ok(Told::Nothing)
    }

    async fn seen(&self, chat: Chat) -> Result<Vec<String>, Failure> {
        let plain = |shown: &Shown| labels(shown).is_empty() && !shown.text.is_empty();
        let shown = self.shown(chat).into_iter().filter(plain);
        Ok(shown.map(|shown| shown.text).collect())
    }

    async fn mention(&self, chat: Chat, id: &str, text: &str) -> Result<Did, Failure> {
        self.tell(chat, id, FakeDiscord::mention(text));
        Ok(Did::It)
    }

    async fn revise(&self, chat: Chat, id: &str, text: &str) -> Result<Did, Failure> {
        let message = self.message(chat, id)?;
        let fields = json!({ "content": text });
        self.fake.revise(self.channel_of(chat), message, fields);
        Ok(Did::It)
    }

    async fn react(&self, chat: Chat, id: &str, emoji: &str) -> Result<Did, Failure> {
        let message = self.message(chat, id)?;
        self.fake
            .react(self.channel_of(chat), message, person(chat), emoji);
        Ok(Did::It)
    }

    async fn share(
        &self,
        chat: Chat,
        id: &str,
        text: &str,
        files: &[OutboundFile],
    ) -> Result<Did, Failure> {
        let attached = |file: &OutboundFile| self.fake.attachment(&file.name, &file.content);
        let attachments: Vec<Value> = files.iter().map(attached).collect();
        let fields = json!({ "content": text, "attachments": attachments });
        self.tell(chat, id, fields);
        Ok(Did::It)
    }

    async fn files(&self, chat: Chat) -> Result<Vec<OutboundFile>, Failure> {
        let files = self.shown(chat).into_iter().flat_map(|shown| shown.files);
        let file = |file: crate::fake::File| OutboundFile {
            name: file.name,
            content: file.content,
        };
        Ok(files.map(file).collect())
    }

    async fn reactions(&self, chat: Chat) -> Result<Vec<String>, Failure> {
        let channel = self.channel_of(chat);
        let said = self.said().values().copied().collect::<Vec<_>>();
        let there = |message| self.fake.reactions(channel, message);
        Ok(said.into_iter().flat_map(there).collect())
    }

    async fn asked(&self, chat: Chat) -> Result<Vec<Vec<String>>, Failure> {
        let asked = self.questions(chat).into_iter();
        let options = |shown: Shown| labels(&shown).into_iter().map(|(label, _)| label).collect();
        Ok(asked.map(options).collect())
    }

    async fn click(&self, chat: Chat, question: usize, option: usize) -> Result<(), Failure> {
        let asked = self.questions(chat);
        let shown = &asked[question];
        // A choice leaves one button; who still sees all of them presses what was there.
        let (_, first) = labels(shown).remove(0);
        let (question, _) = buttons::read(&first).unwrap();
        let id = buttons::id(question, option);
        self.fake
            .press(self.channel_of(chat), shown.id, person(chat), &id);
        Ok(())
    }

    async fn trouble(&self, side: Side, trouble: Trouble) -> Result<Did, Failure> {
        if side == Side::Sending {
            self.fake.trouble(trouble);
            return Ok(Did::It);
        }
        match trouble {
            Trouble::Unauthorized => self.fake.close(4004),
            // A chat that nobody knows is not heard of where sessions are forgotten.
            _ if self.sessions == Sessions::AreForgotten => return Ok(Did::NotHere),
            Trouble::Limit(LimitScope::Chat | LimitScope::Instance, _) => self.fake.close(4008),
            Trouble::ServerError => {
                self.fake.turn_away(1);
                self.fake.drop_connections();
            }
            Trouble::GarbleAnswer => {
                let cut = br#"{"op":0,"t":"MESSAGE_CREATE","s":99,"d":{"id":"1","conte"#;
                self.fake.garble(cut);
            }
            Trouble::LoseAnswer => self.fake.drop_connections(),
            Trouble::Refuse => return Ok(Did::NotHere),
        }
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
        if self.sessions == Sessions::AreForgotten {
            self.fake.forget_sessions();
        }
        self.fake.drop_connections();
        // The connection that comes next is not the one that is dropped.
        tokio::time::sleep(Duration::from_millis(20)).await;
        Ok(())
    }
}
