//! The platform: the people of some conversations, what they said and what they heard. It outlives
//! every host, and connects again whenever one is there.

mod line;

use std::{
    collections::{BTreeMap, BTreeSet},
    path::{Path, PathBuf},
    time::Duration,
};

use anyhow::{Result, ensure};
use serde_json::json;

use crate::{
    crash::{
        dice::Dice,
        platform::line::{Heard, Wire},
        tally::Seen,
    },
    machine::Stopwatch,
};

/// So many messages of one conversation may wait for their answer.
const OPEN_LIMIT: usize = 3;
/// What was offered and not accepted is offered again after this time, as after each reconnect.
const OFFER_AGAIN: Duration = Duration::from_secs(5);
/// Between two tries to connect.
const CONNECT_AGAIN: Duration = Duration::from_millis(50);
/// The longest silence between two messages of one conversation.
const PAUSE_MS: u64 = 400;

/// Everybody who talks.
#[derive(Debug)]
pub(super) struct Platform {
    people: Vec<Person>,
    silent: bool,
}

/// One conversation.
#[derive(Debug)]
struct Person {
    name: String,
    socket: PathBuf,
    wire: Option<Wire>,
    tried: Stopwatch,
    /// What was said, in order.
    said: Vec<Message>,
    /// The place of a message in it.
    index: BTreeMap<String, usize>,
    /// The ids of what was heard: the same id again is the same thing again.
    heard: BTreeSet<String>,
    repeats: usize,
    strange: Vec<String>,
    out_of_order: usize,
    /// The latest message that was answered.
    latest: Option<usize>,
    pause: (Stopwatch, Duration),
}

#[derive(Debug)]
struct Message {
    id: String,
    text: String,
    offered: Option<Stopwatch>,
    accepted: bool,
    answers: usize,
    told: usize,
}

impl Message {
    fn is_settled(&self) -> bool {
        self.accepted && self.answers + self.told > 0
    }
}

impl Platform {
    /// So many conversations over the socket of a channel, which need not be there yet.
    pub(super) fn new(socket: &Path, conversations: usize) -> Self {
        let person = |n| Person {
            name: format!("crash-{n}"),
            socket: socket.to_owned(),
            wire: None,
            tried: Stopwatch::start(),
            said: Vec::new(),
            index: BTreeMap::new(),
            heard: BTreeSet::new(),
            repeats: 0,
            strange: Vec::new(),
            out_of_order: 0,
            latest: None,
            pause: (Stopwatch::start(), Duration::ZERO),
        };
        Self {
            people: (0..conversations).map(person).collect(),
            silent: false,
        }
    }

    /// Lets each say or hear what there is; false if nothing was to be done.
    pub(super) fn step(&mut self, dice: &mut Dice) -> Result<bool> {
        let mut busy = false;
        for person in &mut self.people {
            busy |= person.step(dice, self.silent)?;
        }
        Ok(busy)
    }

    /// Nobody says anything new any more.
    pub(super) fn fall_silent(&mut self) {
        self.silent = true;
    }

    /// How many messages were answered.
    pub(super) fn answered(&self) -> usize {
        self.messages()
            .filter(|message| message.answers > 0)
            .count()
    }

    /// Has everything that was said an end?
    pub(super) fn is_settled(&self) -> bool {
        self.messages().all(Message::is_settled)
    }

    /// What has no end, or more than one, or no beginning; for whoever looks into it.
    pub(super) fn unsettled(&self) -> Vec<String> {
        let mut lines = Vec::new();
        for message in self.messages() {
            if !message.is_settled() || message.answers + message.told > 1 {
                let Message {
                    id,
                    accepted,
                    answers,
                    told,
                    ..
                } = message;
                lines.push(format!(
                    "{id}: accepted {accepted}, answered {answers} times, told {told} times"
                ));
            }
        }
        let strange = self.people.iter().flat_map(|person| person.strange.iter());
        lines.extend(strange.map(|text| format!("belongs to nothing: {text}")));
        lines
    }

    pub(super) fn counts(&self) -> Seen {
        let count = |is: fn(&Message) -> bool| self.messages().filter(|one| is(one)).count();
        let sum = |of: fn(&Person) -> usize| self.people.iter().map(of).sum();
        Seen {
            said: self.messages().count(),
            accepted: count(|one| one.accepted),
            answered: count(|one| one.answers > 0),
            told: count(|one| one.told > 0),
            lost: count(|one| one.accepted && one.answers + one.told == 0),
            duplicated: count(|one| one.answers + one.told > 1),
            strange: sum(|person| person.strange.len()),
            repeats: sum(|person| person.repeats),
            out_of_order: sum(|person| person.out_of_order),
        }
    }

    fn messages(&self) -> impl Iterator<Item = &Message> {
        self.people.iter().flat_map(|person| person.said.iter())
    }
}

impl Person {
    fn step(&mut self, dice: &mut Dice, silent: bool) -> Result<bool> {
        let Some(mut wire) = self.connected() else {
            return Ok(false);
        };
        if !silent {
            self.think(dice);
        }
        // A connection that breaks is a host that died: what it was told is offered to the next.
        let offered = self.offer(&mut wire);
        let heard = wire.read();
        let busy = offered.as_ref().is_ok_and(|any| *any) || !heard.lines.is_empty();
        let mut alive = offered.is_ok() && heard.open;
        for line in heard.lines {
            alive &= self.hear(line, &mut wire)?;
        }
        if alive {
            self.wire = Some(wire);
        } else {
            for message in &mut self.said {
                message.offered = None;
            }
        }
        Ok(busy)
    }

    fn connected(&mut self) -> Option<Wire> {
        if self.wire.is_some() {
            return self.wire.take();
        }
        if self.tried.elapsed() < CONNECT_AGAIN {
            return None;
        }
        self.tried = Stopwatch::start();
        // silent: no host is there yet.
        Wire::connect(&self.socket, &self.name).ok()
    }

    /// Thinks of something to say, now and then.
    fn think(&mut self, dice: &mut Dice) {
        let open = self.said.iter().rev().take_while(|one| !one.is_settled());
        if open.count() >= OPEN_LIMIT || self.pause.0.elapsed() < self.pause.1 {
            return;
        }
        let n = self.said.len();
        let id = format!("{}-{n}", self.name);
        // Some turns take a moment, so that a kill hits them in the middle.
        let text = match dice.between(0, 3) {
            0 => format!("!sleep 0.{}\n!big {}", dice.between(1, 5), n + 1),
            _ => format!("word {n}"),
        };
        self.index.insert(id.clone(), n);
        self.said.push(Message {
            id,
            text,
            offered: None,
            accepted: false,
            answers: 0,
            told: 0,
        });
        let pause = Duration::from_millis(dice.between(0, PAUSE_MS));
        self.pause = (Stopwatch::start(), pause);
    }

    /// Offers, in order, what the host has not taken on yet.
    fn offer(&mut self, wire: &mut Wire) -> std::io::Result<bool> {
        let mut any = false;
        for message in &mut self.said {
            let waits = message
                .offered
                .as_ref()
                .is_some_and(|since| since.elapsed() < OFFER_AGAIN);
            if message.accepted || waits {
                continue;
            }
            let Message { id, text, .. } = message;
            wire.write(&json!({"type": "message", "id": id, "text": text}))?;
            message.offered = Some(Stopwatch::start());
            any = true;
        }
        Ok(any)
    }

    /// Takes one line in; false if the connection can't be used any more.
    fn hear(&mut self, line: Heard, wire: &mut Wire) -> Result<bool> {
        match line {
            Heard::Accepted { id, status } => {
                ensure!(status != "declined", "the host declined {id}");
                let message = self.index.get(&id).and_then(|at| self.said.get_mut(*at));
                if let Some(message) = message {
                    message.accepted = true;
                }
            }
            Heard::Message {
                id,
                in_reply_to,
                voice,
                text,
            } => {
                let told = voice.is_some_and(|voice| voice != "agent");
                if self.heard.insert(id.clone()) {
                    self.take(in_reply_to.as_deref(), told, &text);
                } else {
                    self.repeats += 1;
                }
                // What is acknowledged is kept: this program is what does not die.
                return Ok(wire.write(&json!({"type": "ack", "id": id})).is_ok());
            }
            // What it refused once is offered again.
            Heard::Error {} | Heard::Other => {}
        }
        Ok(true)
    }

    fn take(&mut self, to: Option<&str>, told: bool, text: &str) {
        // The engine is away for a moment: a word about that ends nothing.
        if told && !text.contains("could not be answered") {
            return;
        }
        let at = to.and_then(|id| self.index.get(id)).copied();
        let Some((at, message)) = at.and_then(|at| Some((at, self.said.get_mut(at)?))) else {
            self.strange.push(text.chars().take(100).collect());
            return;
        };
        if told {
            message.told += 1;
            return;
        }
        message.answers += 1;
        if self.latest.is_some_and(|latest| latest > at) {
            self.out_of_order += 1;
        }
        self.latest = self.latest.max(Some(at));
    }
}
