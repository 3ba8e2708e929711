//! The conformance harness: people with real clients on a real socket.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard},
};

use anchorhold_channel::{
    ChannelAdapter, FactoryContext,
    conformance::{Chat, ConformanceHarness, Did, Failure, Told},
};
use anchorhold_core::{
    address::Address,
    ids::{ChannelName, QuestionId},
    outbound::OutboundFile,
};
use async_trait::async_trait;
use tempfile::TempDir;
use tokio::{sync::mpsc, task::JoinHandle};
use tokio_util::task::TaskTracker;

use super::kit::{self, Raw};
use crate::{
    client::Client,
    error::ClientError,
    wire::{DEFAULT_NAME, ServerLine, WireFile},
};

#[derive(Default)]
struct Known {
    told: HashMap<(Chat, String), Told>,
    /// Ids and texts.
    seen: HashMap<Chat, Vec<(String, String)>>,
    reactions: HashMap<Chat, Vec<String>>,
    files: HashMap<Chat, Vec<OutboundFile>>,
    asked: HashMap<Chat, Vec<(QuestionId, Vec<String>)>>,
}

/// Something that a person is about to do.
enum Act {
    Say {
        id: String,
        text: String,
        files: Vec<WireFile>,
    },
    Answer {
        question: QuestionId,
        option: usize,
    },
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
        // There are neither groups nor threads here; nobody is ever there.
        Chat::Group | Chat::Thread => "group",
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

fn wire(file: &OutboundFile) -> WireFile {
    WireFile {
        name: file.name.clone(),
        data: file.content.clone(),
    }
}

async fn carry_out(client: &mut Client, act: Act) -> Result<(), ClientError> {
    match act {
        Act::Say { id, text, files } => client.say_as(&id, &text, files).await,
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
        ServerLine::Message {
            id, text, files, ..
        } => {
            known.seen.entry(chat).or_default().push((id, text));
            let file = |file: WireFile| OutboundFile {
                name: file.name,
                content: file.data,
            };
            let files = files.into_iter().map(file);
            known.files.entry(chat).or_default().extend(files);
        }
        ServerLine::Edit { target, text, .. } => {
            let seen = known.seen.entry(chat).or_default().iter_mut();
            for (_, old) in seen.filter(|(id, _)| *id == target) {
                old.clone_from(&text);
            }
        }
        ServerLine::Delete { target, .. } => {
            let seen = known.seen.entry(chat).or_default();
            seen.retain(|(id, _)| *id != target);
        }
        ServerLine::React { emoji, .. } => {
            known.reactions.entry(chat).or_default().push(emoji);
        }
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
        self.share(chat, id, text, &[]).await.map(|_did| ())
    }

    async fn share(
        &self,
        chat: Chat,
        id: &str,
        text: &str,
        files: &[OutboundFile],
    ) -> Result<Did, Failure> {
        let key = (chat, id.to_owned());
        self.known().told.insert(key.clone(), Told::Nothing);
        let said = Act::Say {
            id: id.to_owned(),
            text: text.to_owned(),
            files: files.iter().map(wire).collect(),
        };
        if !self.act(chat, said).await {
            self.known().told.insert(key, Told::NotAccepted);
        }
        Ok(Did::It)
    }

    async fn files(&self, chat: Chat) -> Result<Vec<OutboundFile>, Failure> {
        Ok(self.known().files.get(&chat).cloned().unwrap_or_default())
    }

    async fn reactions(&self, chat: Chat) -> Result<Vec<String>, Failure> {
        let known = self.known();
        Ok(known.reactions.get(&chat).cloned().unwrap_or_default())
    }

    async fn told(&self, chat: Chat, id: &str) -> Result<Told, Failure> {
        let known = self.known();
        let told = known.told.get(&(chat, id.to_owned()));
        Ok(told.copied().unwrap_or(Told::Nothing))
    }

    async fn seen(&self, chat: Chat) -> Result<Vec<String>, Failure> {
        let seen = self.known().seen.get(&chat).cloned().unwrap_or_default();
        Ok(seen.into_iter().map(|(_id, text)| text).collect())
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
