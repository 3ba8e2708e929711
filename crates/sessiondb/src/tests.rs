//! Both sides against each other, and the host against a hostile sandbox.

mod hostile;
mod journal;
mod later;
mod offers;
mod payloads;
mod requests;
mod retention;
mod sides;
mod versions;

use std::sync::Arc;

use anchorhold_core::{
    address::Address,
    ids::{ChannelName, ChatId, PlatformMessageId, SessionId},
    inbound::Attachment,
    order,
    sandbox::{ExitStatus, Exited, Generation},
};
use camino::Utf8PathBuf;
use jiff::Timestamp;
use tempfile::TempDir;

use crate::{
    Body, Chat, Cursors, Emit, Finish, Handled, HostSide, Inbound, JournalRow, ModelOptions,
    Outbound, Pulled, RunnerSide, Seq, Settings, progress::Beats,
};

/// One session on disk with a host that looks at it.
struct Bench {
    _dir: TempDir,
    session: SessionId,
    host: HostSide,
    address: Address,
}

impl Bench {
    fn new() -> Self {
        let dir = TempDir::new().unwrap();
        let session = SessionId::mint(at(1), [7; 10]);
        let root = Utf8PathBuf::from_path_buf(dir.path().canonicalize().unwrap()).unwrap();
        let host = HostSide::create(&root.join(session.to_string()), None).unwrap();
        host.write_settings(&settings(0)).unwrap();
        let address = Address {
            channel: ChannelName::parse("cli").unwrap(),
            chat: ChatId::parse("local").unwrap(),
            thread: None,
        };
        Self {
            _dir: dir,
            session,
            host,
            address,
        }
    }

    /// Appends one message of a person.
    fn say(&self, id: &str, text: &str) -> Seq {
        self.say_with(id, text, true, &[])
    }

    fn say_with(&self, id: &str, text: &str, triggers: bool, files: &[Attachment]) -> Seq {
        self.feed(id, text, (triggers, at(1_000)), files)
    }

    /// Appends context at a time.
    fn overhear(&self, id: &str, text: &str, now: Timestamp) -> Seq {
        self.feed(id, text, (false, now), &[])
    }

    fn feed(
        &self,
        id: &str,
        text: &str,
        (triggers, now): (bool, Timestamp),
        files: &[Attachment],
    ) -> Seq {
        let mut chat = chat(text);
        let seq = self.next();
        chat.files = self.host.store_files(seq, files, None).unwrap();
        let row = JournalRow {
            triggers,
            due_at: now,
            created_at: now,
            ..self.row(id, seq, &Inbound::Chat(chat))
        };
        self.host.feed(&[row], &[]).unwrap();
        seq
    }

    /// Appends something that is no message of a person.
    fn tell(&self, id: &str, payload: &Inbound, fresh_only: Option<u32>) -> Seq {
        let row = JournalRow {
            fresh_only: fresh_only.map(Generation),
            ..self.row(id, self.next(), payload)
        };
        self.host.feed(std::slice::from_ref(&row), &[]).unwrap();
        row.seq
    }

    fn row(&self, id: &str, seq: Seq, payload: &Inbound) -> JournalRow {
        JournalRow {
            seq,
            address: self.address.clone(),
            platform_id: PlatformMessageId::parse(id).unwrap(),
            triggers: true,
            tries: 0,
            due_at: at(1_000),
            created_at: at(1_000),
            fresh_only: None,
            body: Body::of(payload).unwrap(),
        }
    }

    /// The number that the host gives next.
    fn next(&self) -> Seq {
        let highest = self.host.highest_inbound().unwrap();
        Seq::new(order::next_of_host(highest, self.host.highest_outbound())).unwrap()
    }

    fn runner(&self, generation: u32) -> RunnerSide {
        let beats = Beats::new(self.host.out_dir(), Generation(generation));
        RunnerSide::open(self.host.in_dir(), &Arc::new(beats)).unwrap()
    }

    fn pull(&self) -> Pulled {
        self.host.pull(Cursors::default(), 1_000).unwrap()
    }

    fn exited(&self, generation: u32) -> Exited {
        Exited::observed(self.session, Generation(generation), ExitStatus::Signal(9))
    }

    fn outbound_path(&self) -> Utf8PathBuf {
        self.host.out_dir().join("outbound.db")
    }
}

fn at(ms: i64) -> Timestamp {
    Timestamp::from_millisecond(ms).unwrap()
}

fn settings(out: i64) -> Settings {
    Settings {
        agent_name: "Helper".to_owned(),
        provider: "offline".to_owned(),
        model: None,
        model_options: ModelOptions::default(),
        time_zone: None,
        prompt_messages: 20,
        floor: Cursors { out, handled: 0 },
    }
}

fn chat(text: &str) -> Chat {
    Chat {
        channel: "cli".to_owned(),
        sender: "local".to_owned(),
        sender_name: None,
        about: None,
        text: text.to_owned(),
        sent_at: at(5),
        reply_to: None,
        files: Vec::new(),
    }
}

fn post(text: &str) -> Outbound {
    Outbound::Post {
        text: text.to_owned(),
        files: Vec::new(),
    }
}

/// The end of a turn that answers `seqs`, each with one text.
fn answers(seqs: &[Seq]) -> Finish {
    Finish {
        handled: seqs.iter().map(|seq| (*seq, Handled::Done)).collect(),
        emit: seqs
            .iter()
            .map(|seq| Emit {
                in_reply_to: Some(*seq),
                op: post(&format!("re {seq}")),
                files: Vec::new(),
                to: None,
            })
            .collect(),
        state: Vec::new(),
    }
}
