//! The conformance harness: people with real clients on a real socket.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard},
};

use anchorhold_channel::{
    ChannelAdapter, FactoryContext,
    conformance::{Chat, ConformanceHarness, Failure, Told},
};
use anchorhold_core::{
    address::Address,
    ids::{ChannelName, QuestionId},
};
use async_trait::async_trait;
use tempfile::TempDir;
use tokio::{sync::mpsc, task::JoinHandle};
use tokio_util::task::TaskTracker;

use super::kit::{self, Raw};
use crate::{
    client::Client,
    error::ClientError,
    wire::{DEFAULT_NAME, ServerLine},
};

#[derive(Default)]
struct Known {
    told: HashMap<(Chat, String), Told>,
    seen: HashMap<Chat, Vec<String>>,
    asked: HashMap<Chat, Vec<(QuestionId, Vec<String>)>>,
}

/// Something that a person is about to do.
enum Act {
    Say { id: String, text: String },
    Answer { question: QuestionId, option: usize },
}

struct Person {
    act_tx: mpsc::Sender<Act>,
    task: JoinHandle<()>,
}

pub(super) struct Harness {
    _folder: TempDir,
    cx: FactoryContext,
    known: Arc<Mutex<Known>>,
    people: tokio::sync::Mutex<HashMap<Chat, Person>>,
    tracker: TaskTracker,
}

impl Harness {
    #[expect(clippy::unused_async, reason = "the suite starts harnesses that are")]
    pub(super) async fn start() -> Result<Self, Failure> {
        let (folder, cx) = kit::context();
        Ok(Self {
            _folder: folder,
            cx,
            known: Arc::default(),
            people: tokio::sync::Mutex::default(),
            tracker: TaskTracker::new(),
        })
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap()
    }

    /// Lets the person do something; `false` where nobody is there.
    async fn act(&self, chat: Chat, act: Act) -> bool {
        match self.people.lock().await.get(&chat) {
            Some(person) => person.act_tx.send(act).await.is_ok(),
            None => false,
        }
    }

    async fn leave_now(&self, chat: Chat) {
        if let Some(person) = self.people.lock().await.remove(&chat) {
            person.task.abort();
            drop(person.task.await);
        }
    }
}

fn name(chat: Chat) -> &'static str {
    match chat {
        Chat::One => "one",
        Chat::Two => "two",
        Chat::Direct => DEFAULT_NAME,
    }
}

/// Talks and listens until the connection ends; what was not accepted by then is not accepted.
async fn live(
    mut client: Client,
    chat: Chat,
    mut act_rx: mpsc::Receiver<Act>,
    known: Arc<Mutex<Known>>,
) {
    loop {
        tokio::select! {
            act = act_rx.recv() => match act {
                Some(act) => {
                    if carry_out(&mut client, act).await.is_err() {
                        break;
                    }
                }
                None => break,
            },
            line = client.next() => match line {
                Ok(Some(line)) => note(chat, line, &mut known.lock().unwrap()),
                Ok(None) | Err(_) => break,
            },
        }
    }
    act_rx.close();
    let mut known = known.lock().unwrap();
    for ((at, _id), told) in &mut known.told {
        if *at == chat && *told == Told::Nothing {
            *told = Told::NotAccepted;
        }
    }
}

async fn carry_out(client: &mut Client, act: Act) -> Result<(), ClientError> {
    match act {
        Act::Say { id, text } => client.say_as(&id, &text, Vec::new()).await,
        Act::Answer { question, option } => client.answer(question, option).await,
    }
}

fn note(chat: Chat, line: ServerLine, known: &mut Known) {
    match line {
        ServerLine::Accepted { id, .. } => {
            known.told.insert((chat, id), Told::Accepted);
        }
        ServerLine::Error { id: Some(id), .. } => {
            known.told.insert((chat, id), Told::NotAccepted);
        }
        ServerLine::Message { text, .. } => known.seen.entry(chat).or_default().push(text),
        ServerLine::Question {
            question, options, ..
        } => known
            .asked
            .entry(chat)
            .or_default()
            .push((question, options)),
        ServerLine::Error { id: None, .. }
        | ServerLine::Answered { .. }
        | ServerLine::Welcome { .. }
        | ServerLine::Edit { .. }
        | ServerLine::Delete { .. }
        | ServerLine::React { .. }
        | ServerLine::Typing => {}
    }
}

#[async_trait]
impl ConformanceHarness for Harness {
    fn channel(&self) -> ChannelName {
        self.cx.name.clone()
    }

    fn address(&self, chat: Chat) -> Address {
        kit::address(name(chat))
    }

    async fn adapter(&self) -> Result<Arc<dyn ChannelAdapter>, Failure> {
        Ok(kit::adapter(&self.cx))
    }

    async fn arrive(&self, chat: Chat) -> Result<(), Failure> {
        self.leave_now(chat).await;
        let socket = self.cx.data_dir.join("cli.sock");
        let client = Client::connect(&socket, name(chat), [1; 10]).await;
        let client = client.map_err(|error| Failure::new(error.to_string()))?;
        let (act_tx, act_rx) = mpsc::channel(16);
        let known = Arc::clone(&self.known);
        let task = self.tracker.spawn(live(client, chat, act_rx, known));
        let person = Person { act_tx, task };
        self.people.lock().await.insert(chat, person);
        Ok(())
    }

    async fn leave(&self, chat: Chat) -> Result<(), Failure> {
        self.leave_now(chat).await;
        Ok(())
    }

    async fn say(&self, chat: Chat, id: &str, text: &str) -> Result<(), Failure> {
        let key = (chat, id.to_owned());
        self.known().told.insert(key.clone(), Told::Nothing);
        let said = Act::Say {
            id: id.to_owned(),
            text: text.to_owned(),
        };
        if !self.act(chat, said).await {
            self.known().told.insert(key, Told::NotAccepted);
        }
        Ok(())
    }

    async fn told(&self, chat: Chat, id: &str) -> Result<Told, Failure> {
        let known = self.known();
        let told = known.told.get(&(chat, id.to_owned()));
        Ok(told.copied().unwrap_or(Told::Nothing))
    }

    async fn seen(&self, chat: Chat) -> Result<Vec<String>, Failure> {
        Ok(self.known().seen.get(&chat).cloned().unwrap_or_default())
    }

    async fn asked(&self, chat: Chat) -> Result<Vec<Vec<String>>, Failure> {
        let asked = self.known().asked.get(&chat).cloned().unwrap_or_default();
        Ok(asked
            .into_iter()
            .map(|(_question, options)| options)
            .collect())
    }

    async fn click(&self, chat: Chat, question: usize, option: usize) -> Result<(), Failure> {
        let question = self.known().asked[&chat][question].0;
        let option = option + 1;
        if !self.act(chat, Act::Answer { question, option }).await {
            return Err(Failure::new("nobody is there to choose an answer"));
        }
        Ok(())
    }

    async fn hostile(&self, input: &[u8]) -> Result<(), Failure> {
        let mut client = Raw::connect(&self.cx.data_dir.join("cli.sock")).await;
        client.try_bytes(input).await;
        client.try_bytes(b"\n").await;
        client.end().await;
        client.rest().await;
        Ok(())
    }

    async fn drop_connection(&self) -> Result<(), Failure> {
        self.leave_now(Chat::One).await;
        self.leave_now(Chat::Two).await;
        Ok(())
    }
}
