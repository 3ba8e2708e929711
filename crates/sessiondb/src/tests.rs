//! Both sides against each other, and the host against a hostile sandbox.

mod hostile;
mod offers;
mod payloads;
mod requests;
mod retention;
mod sides;
mod versions;

use anchorhold_core::{
    address::Address,
    ids::{ChannelName, ChatId, PlatformMessageId, SessionId},
    inbound::Attachment,
    sandbox::{ExitStatus, Exited, Generation},
};
use camino::Utf8PathBuf;
use jiff::Timestamp;
use tempfile::TempDir;

use crate::{
    Appended, Chat, Cursors, Emit, Finish, Handled, HostSide, Inbound, NewInbound, Outbound,
    Pulled, RunnerSide, Seq, Settings,
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
        let platform_id = PlatformMessageId::parse(id).unwrap();
        let message = NewInbound {
            address: &self.address,
            platform_id: &platform_id,
            triggers,
            payload: Inbound::Chat(chat(text)),
            attachments: files,
            fresh_only: None,
        };
        self.host.append(message, at(1_000)).unwrap().seq
    }

    /// Appends something that is no message of a person.
    fn tell(&self, id: &str, payload: Inbound, fresh_only: Option<u32>) -> Seq {
        let platform_id = PlatformMessageId::parse(id).unwrap();
        let message = NewInbound {
            address: &self.address,
            platform_id: &platform_id,
            triggers: true,
            payload,
            attachments: &[],
            fresh_only: fresh_only.map(Generation),
        };
        self.host.append(message, at(1_000)).unwrap().seq
    }

    /// Appends context at a time.
    fn overhear(&self, id: &str, text: &str, now: Timestamp) -> Appended {
        let platform_id = PlatformMessageId::parse(id).unwrap();
        let message = NewInbound {
            address: &self.address,
            platform_id: &platform_id,
            triggers: false,
            payload: Inbound::Chat(chat(text)),
            attachments: &[],
            fresh_only: None,
        };
        self.host.append(message, now).unwrap()
    }

    fn runner(&self, generation: u32) -> RunnerSide {
        RunnerSide::open(
            self.host.in_dir(),
            self.host.out_dir(),
            Generation(generation),
        )
        .unwrap()
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
        prompt_messages: 20,
        floor: Cursors { out, handled: 0 },
    }
}

fn chat(text: &str) -> Chat {
    Chat {
        channel: "cli".to_owned(),
        sender: "local".to_owned(),
        sender_name: None,
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
            })
            .collect(),
        state: Vec::new(),
    }
}
