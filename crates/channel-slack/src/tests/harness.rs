//! The conformance harness: people in the fake workspace.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard},
};

use anchorhold_channel::{
    ChannelAdapter, LimitScope,
    conformance::{Chat, ConformanceHarness, Did, Failure, Side, Told, Trouble},
    fake::part_key,
};
use anchorhold_channel_kit::http::Http;
use anchorhold_core::{address::Address, ids::ChannelName, outbound::OutboundFile};
use async_trait::async_trait;
use serde_json::{Value, json};
use tokio_util::{
    sync::{CancellationToken, DropGuard},
    task::TaskTracker,
};

use super::bench::{self, ANN, ANNS, BOB, BOBS, Hears};
use crate::{
    SlackAdapter, blocks, emoji,
    fake::{APP_TOKEN, BOT, BOT_TOKEN, CHANNEL, FakeSlack, SIGNING_SECRET, Shown, THREAD},
};

/// When it is for the clocks of tests.
pub(super) const NOW: i64 = 1_767_225_600;

pub(super) struct Harness {
    fake: Arc<FakeSlack>,
    hears: Hears,
    _calling: DropGuard,
    /// The messages that people sent under the names that cases give them.
    said: Mutex<HashMap<(Chat, String), String>>,
    adapters: Arc<Mutex<Vec<Arc<SlackAdapter>>>>,
}

impl Harness {
    /// People whose app listens.
    pub(super) async fn start() -> Result<Self, Failure> {
        Self::on(Hears::Socket).await
    }

    /// People whose app is called.
    pub(super) async fn start_hooked() -> Result<Self, Failure> {
        Self::on(Hears::Calls).await
    }

    async fn on(hears: Hears) -> Result<Self, Failure> {
        let fake = FakeSlack::start().await;
        let fake = Arc::new(fake.map_err(|error| Failure::new(error.to_string()))?);
        let adapters = Arc::<Mutex<Vec<_>>>::default();
        let stop = CancellationToken::new();
        if hears == Hears::Calls {
            let (fake, adapters) = (Arc::clone(&fake), Arc::clone(&adapters));
            let ending = stop.clone();
            TaskTracker::new().spawn(async move {
                let calling = fake.call(|| url(&adapters), || NOW);
                ending.run_until_cancelled(calling).await
            });
        }
        Ok(Self {
            fake,
            hears,
            _calling: stop.drop_guard(),
            said: Mutex::default(),
            adapters,
        })
    }

    fn said(&self) -> MutexGuard<'_, HashMap<(Chat, String), String>> {
        self.said.lock().unwrap()
    }

    /// Says something new, or offers the same once more.
    fn tell(&self, chat: Chat, id: &str, fields: Value) {
        let key = (chat, id.to_owned());
        let (place, thread) = chat_of(chat);
        let known = self.said().get(&key).cloned();
        if let Some(ts) = known {
            return self.fake.repeat(place, &ts);
        }
        let mut fields = fields;
        if let Some(thread) = thread {
            fields["thread_ts"] = thread.into();
        }
        let ts = self.fake.say(place, person(chat), fields);
        self.said().insert(key, ts);
    }

    fn ts(&self, chat: Chat, id: &str) -> Result<String, Failure> {
        let ts = self.said().get(&(chat, id.to_owned())).cloned();
        ts.ok_or_else(|| Failure::new("nobody said that"))
    }

    fn shown(&self, chat: Chat) -> Vec<Shown> {
        let (chat, thread) = chat_of(chat);
        self.fake.seen(chat, thread)
    }

    fn questions(&self, chat: Chat) -> Vec<Shown> {
        let mut shown = self.shown(chat);
        shown.retain(|shown| !shown.buttons.is_empty());
        shown
    }
}

/// Where the newest of the adapters is called.
fn url(adapters: &Mutex<Vec<Arc<SlackAdapter>>>) -> Option<String> {
    let newest = adapters.lock().unwrap().last().cloned();
    bench::url(newest?.as_ref())
}

fn chat_of(chat: Chat) -> (&'static str, Option<&'static str>) {
    match chat {
        Chat::One | Chat::Direct => (ANNS, None),
        Chat::Two => (BOBS, None),
        Chat::Group => (CHANNEL, None),
        Chat::Thread => (CHANNEL, Some(THREAD)),
    }
}

fn person(chat: Chat) -> &'static str {
    match chat {
        Chat::One | Chat::Direct | Chat::Group | Chat::Thread => ANN,
        Chat::Two => BOB,
    }
}

#[async_trait]
impl ConformanceHarness for Harness {
    fn channel(&self) -> ChannelName {
        bench::channel()
    }

    fn address(&self, chat: Chat) -> Address {
        let (chat, thread) = chat_of(chat);
        bench::address(chat, thread)
    }

    async fn adapter(&self) -> Result<Arc<dyn ChannelAdapter>, Failure> {
        let adapter = bench::adapter(&self.fake, self.hears);
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
        let ts = self.ts(chat, id)?;
        Ok(if self.fake.is_acknowledged(chat_of(chat).0, &ts) {
            Told::Accepted
        } else {
            Told::Nothing
        })
    }

    async fn seen(&self, chat: Chat) -> Result<Vec<String>, Failure> {
        let plain = |shown: &Shown| shown.buttons.is_empty() && !shown.text.is_empty();
        let shown = self.shown(chat).into_iter().filter(plain);
        Ok(shown.map(|shown| shown.text).collect())
    }

    async fn mention(&self, chat: Chat, id: &str, text: &str) -> Result<Did, Failure> {
        self.tell(chat, id, json!({ "text": format!("<@{BOT}> {text}") }));
        Ok(Did::It)
    }

    async fn revise(&self, chat: Chat, id: &str, text: &str) -> Result<Did, Failure> {
        let ts = self.ts(chat, id)?;
        self.fake
            .revise(chat_of(chat).0, &ts, json!({ "text": text }));
        Ok(Did::It)
    }

    async fn react(&self, chat: Chat, id: &str, reaction: &str) -> Result<Did, Failure> {
        let ts = self.ts(chat, id)?;
        let name = emoji::names(reaction).remove(0);
        self.fake
            .react(chat_of(chat).0, &ts, person(chat), (&name, true));
        Ok(Did::It)
    }

    async fn share(
        &self,
        chat: Chat,
        id: &str,
        text: &str,
        files: &[OutboundFile],
    ) -> Result<Did, Failure> {
        let each = files
            .iter()
            .map(|file| self.fake.file(&file.name, "text/plain", &file.content));
        let files: Vec<Value> = each.collect();
        let fields = json!({ "subtype": "file_share", "text": text, "files": files });
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
        let names = self.fake.reactions(chat_of(chat).0).into_iter();
        Ok(names.filter_map(|name| emoji::unicode(&name)).collect())
    }

    async fn asked(&self, chat: Chat) -> Result<Vec<Vec<String>>, Failure> {
        let labels = |shown: Shown| shown.buttons.into_iter().map(|button| button.label);
        let asked = self.questions(chat).into_iter();
        Ok(asked.map(|shown| labels(shown).collect()).collect())
    }

    async fn click(&self, chat: Chat, question: usize, option: usize) -> Result<(), Failure> {
        let asked = self.questions(chat);
        let shown = &asked[question];
        let (question, _) = blocks::read(&shown.buttons[0].action).unwrap();
        let action = blocks::action(question, option);
        self.fake
            .press(&shown.chat, &shown.ts, person(chat), &action);
        Ok(())
    }

    async fn trouble(&self, side: Side, trouble: Trouble) -> Result<Did, Failure> {
        if side == Side::Receiving && self.hears == Hears::Calls {
            return Ok(Did::NotHere);
        }
        if let (Side::Sending, Trouble::Limit(LimitScope::Instance, wait)) = (side, trouble) {
            // Slack does not say it: the whole app is limited when a second conversation is.
            self.fake
                .trouble(side, Trouble::Limit(LimitScope::Chat, wait));
            let adapters = self.adapters.lock().unwrap().clone();
            for adapter in adapters {
                let elsewhere = self.address(Chat::Two);
                let limited = adapter
                    .send(&elsewhere, &bench::post("elsewhere"), part_key(99))
                    .await;
                if limited.is_ok() {
                    return Err(Failure::new("the other conversation was not limited"));
                }
            }
        }
        self.fake.trouble(side, trouble);
        Ok(Did::It)
    }

    fn secrets(&self) -> Vec<String> {
        [BOT_TOKEN, APP_TOKEN, SIGNING_SECRET]
            .map(str::to_owned)
            .to_vec()
    }

    async fn hostile(&self, input: &[u8]) -> Result<(), Failure> {
        match self.hears {
            Hears::Socket => self.fake.garble(input),
            Hears::Calls => {
                let url = url(&self.adapters).ok_or_else(|| Failure::new("nobody is called"))?;
                let http = Http::new(None).map_err(|error| Failure::new(error.to_string()))?;
                for kind in ["application/json", "application/x-www-form-urlencoded"] {
                    crate::fake::post(&http, &url, (kind, input.to_vec()), NOW).await;
                }
            }
        }
        Ok(())
    }

    async fn drop_connection(&self) -> Result<(), Failure> {
        self.fake.break_links();
        Ok(())
    }
}
