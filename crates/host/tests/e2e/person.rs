//! Somebody who writes to the agent and reads what comes back.

use std::{collections::VecDeque, fs::File, io::Read as _, time::Duration};

use anchorhold_channel_cli::{
    client::Client,
    wire::{AcceptedStatus, ServerLine, WireFile},
};
use anchorhold_core::{ids::QuestionId, outbound::Voice};
use camino::Utf8Path;
use tokio::time::timeout;

use crate::e2e::harness::{PATIENCE, until};

/// One message that came.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Heard {
    pub(crate) voice: Voice,
    /// The id of the message that it answers.
    pub(crate) to: Option<String>,
    pub(crate) text: String,
    pub(crate) files: Vec<WireFile>,
}

impl Heard {
    /// Who said what, on one line.
    pub(crate) fn line(&self) -> String {
        match self.voice {
            Voice::Agent => format!("agent: {}", self.text),
            Voice::Host => format!("host: {}", self.text),
        }
    }
}

/// One question that came.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Card {
    pub(crate) question: QuestionId,
    pub(crate) title: String,
    pub(crate) text: String,
    pub(crate) options: Vec<String>,
}

impl Card {
    /// The words that choose the option with this label.
    pub(crate) fn choose(&self, label: &str) -> String {
        let found = self.options.iter().position(|option| option == label);
        let number = found.expect("the option is offered") + 1;
        format!("/answer {} {number}", self.question.code())
    }
}

/// A client on one conversation, and all it has heard.
pub(crate) struct Person {
    client: Client,
    /// Lines that came and were not looked at yet.
    unread: VecDeque<ServerLine>,
    pub(crate) heard: Vec<Heard>,
    cards: Vec<Card>,
    /// Changes of messages, and reactions.
    marks: Vec<String>,
}

/// Ten bytes that nobody else has.
fn random() -> [u8; 10] {
    let mut bytes = [0; 10];
    let mut source = File::open("/dev/urandom").unwrap();
    source.read_exact(&mut bytes).unwrap();
    bytes
}

/// What the offline agent answers to plain words.
pub(crate) fn quoted(text: &str) -> String {
    format!("I am the offline agent: I follow a script and understand nothing. You wrote: “{text}”")
}

/// The same as a line of a conversation.
pub(crate) fn agent_quotes(text: &str) -> String {
    format!("agent: {}", quoted(text))
}

impl Person {
    /// Takes a place on the conversation `name`.
    pub(crate) async fn connect(socket: &Utf8Path, name: &str) -> Self {
        let client = until("the channel takes a client", async || {
            Client::connect(socket, name, random()).await.ok()
        })
        .await;
        Self {
            client,
            unread: VecDeque::new(),
            heard: Vec::new(),
            cards: Vec::new(),
            marks: Vec::new(),
        }
    }

    /// Says something and waits until the host has it on disk; gives the message's id.
    pub(crate) async fn say(&mut self, text: &str) -> String {
        self.say_with(text, Vec::new()).await
    }

    /// Says something with files.
    pub(crate) async fn say_with(&mut self, text: &str, files: Vec<WireFile>) -> String {
        let id = self.client.say(text, files).await.unwrap();
        assert_eq!(self.accepted(&id).await, (AcceptedStatus::Stored, None));
        id
    }

    /// Says all of it without waiting in between.
    pub(crate) async fn say_at_once(&mut self, texts: &[String]) {
        let mut ids = Vec::new();
        for text in texts {
            ids.push(self.client.say(text, Vec::new()).await.unwrap());
        }
        for id in ids {
            assert_eq!(self.accepted(&id).await, (AcceptedStatus::Stored, None));
        }
    }

    /// Says something that may be declined.
    pub(crate) async fn try_to_say(&mut self, text: &str) -> (AcceptedStatus, Option<String>) {
        let id = self.client.say(text, Vec::new()).await.unwrap();
        self.accepted(&id).await
    }

    /// Says something without waiting whether the host takes it; gives the message's id.
    pub(crate) async fn shout(&mut self, text: &str) -> String {
        self.client.say(text, Vec::new()).await.unwrap()
    }

    /// Says it again under the same id, to a host that may not have taken it.
    pub(crate) async fn repeat(&mut self, id: &str, text: &str) -> AcceptedStatus {
        until("the host takes it", async || {
            // What was said to a host that is gone since may fail or not; nobody answers it.
            let client = &mut self.client;
            client.reconnect().await.ok()?;
            client.say_as(id, text, Vec::new()).await.ok()
        })
        .await;
        self.accepted(id).await.0
    }

    async fn accepted(&mut self, said: &str) -> (AcceptedStatus, Option<String>) {
        loop {
            let line = self.line().await;
            if let ServerLine::Accepted { id, status, reason } = &line
                && id == said
            {
                return (*status, reason.clone());
            }
            self.note(line);
        }
    }

    /// Waits for the first thing that answers the message `id`.
    pub(crate) async fn answer_to(&mut self, id: &str) -> Heard {
        loop {
            let mut heard = self.heard.iter();
            if let Some(found) = heard.find(|heard| heard.to.as_deref() == Some(id)) {
                return found.clone();
            }
            let line = self.line().await;
            self.note(line);
        }
    }

    /// Says something and waits for the first answer.
    pub(crate) async fn ask(&mut self, text: &str) -> String {
        let id = self.say(text).await;
        self.answer_to(&id).await.line()
    }

    /// Waits until so many messages have come in all, and gives them.
    pub(crate) async fn hears(&mut self, count: usize) -> Vec<String> {
        while self.heard.len() < count {
            let line = self.line().await;
            self.note(line);
        }
        self.lines()
    }

    /// Waits until so many questions have come in all, and gives the last of them.
    pub(crate) async fn card(&mut self, count: usize) -> Card {
        while self.cards.len() < count {
            let line = self.line().await;
            self.note(line);
        }
        assert_eq!(self.cards.len(), count, "{:#?}", self.cards);
        self.cards[count - 1].clone()
    }

    /// Waits until so many changes and reactions have come in all, and gives them.
    pub(crate) async fn marks(&mut self, count: usize) -> Vec<String> {
        while self.marks.len() < count {
            let line = self.line().await;
            self.note(line);
        }
        self.marks.clone()
    }

    /// How many questions came so far.
    pub(crate) fn cards(&self) -> usize {
        self.cards.len()
    }

    /// All that came so far.
    pub(crate) fn lines(&self) -> Vec<String> {
        self.heard.iter().map(Heard::line).collect()
    }

    /// Acknowledges what came, and leaves.
    pub(crate) async fn leave(self) {
        self.client.close().await.unwrap();
    }

    /// The next line; a host that went away is waited for.
    async fn line(&mut self) -> ServerLine {
        let line = match self.unread.pop_front() {
            Some(line) => line,
            None => self.next_line().await,
        };
        // Acknowledges it at once: somebody who is not listening at the moment has it all the same.
        if let Ok(Ok(Some(more))) = timeout(Duration::ZERO, self.client.next()).await {
            self.unread.push_back(more);
        }
        line
    }

    async fn next_line(&mut self) -> ServerLine {
        let listening = async {
            loop {
                if let Ok(Some(line)) = self.client.next().await {
                    return line;
                }
                let client = &mut self.client;
                until("the host is back", async || client.reconnect().await.ok()).await;
            }
        };
        let line = timeout(PATIENCE, listening).await;
        line.unwrap_or_else(|elapsed| panic!("{elapsed}: only {:#?} came", self.lines()))
    }

    fn note(&mut self, line: ServerLine) {
        match line {
            ServerLine::Message {
                in_reply_to,
                voice,
                text,
                files,
                ..
            } => self.heard.push(Heard {
                voice,
                to: in_reply_to,
                text,
                files,
            }),
            ServerLine::Accepted { .. } | ServerLine::Welcome { .. } | ServerLine::Typing => {}
            ServerLine::Question {
                question,
                title,
                text,
                options,
                ..
            } => self.cards.push(Card {
                question,
                title,
                text,
                options,
            }),
            ServerLine::Edit { text, .. } => self.marks.push(format!("edit: {text}")),
            ServerLine::React { emoji, .. } => self.marks.push(format!("react: {emoji}")),
            ServerLine::Delete { .. } | ServerLine::Answered { .. } | ServerLine::Error { .. } => {
                panic!("unexpected: {line:?}")
            }
        }
    }
}
