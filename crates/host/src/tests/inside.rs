//! The inside of a sandbox, played by a test through the agent-runner's side of the files.

use std::{sync::Arc, time::Duration};

use anchorhold_channel::fake::FakeClock;
use anchorhold_core::{
    clock::Clock,
    sandbox::{ExitStatus, Generation},
};
use anchorhold_runner::{fake::FakeRuntime, spec::InstanceId};
use anchorhold_sessiondb::{
    Emit, Finish, Handled, HostSide, Inbound, InboundRow, Outbound, OutboxFile, Outcome,
    RunnerSide, Seq, Wish, WishReply, bell, progress::Beats,
};
use camino::Utf8PathBuf;
use jiff::Timestamp;

/// The agent-runner's side of a session's files.
pub(super) fn side(files: &HostSide, generation: Generation) -> RunnerSide {
    let beats = Arc::new(Beats::new(files.out_dir(), generation));
    RunnerSide::open(files.in_dir(), &beats).unwrap()
}

/// One running sandbox from within.
pub(super) struct Inside {
    pub(super) id: InstanceId,
    pub(super) in_dir: Utf8PathBuf,
    pub(super) out_dir: Utf8PathBuf,
    side: RunnerSide,
    runtime: Arc<FakeRuntime>,
    clock: Arc<FakeClock>,
    beats: Arc<Beats>,
}

impl Inside {
    /// Comes up as the runner does: opens the files and shows life.
    pub(super) fn open(
        id: InstanceId,
        files: &HostSide,
        runtime: Arc<FakeRuntime>,
        clock: Arc<FakeClock>,
    ) -> Self {
        let (in_dir, out_dir) = (files.in_dir().to_owned(), files.out_dir().to_owned());
        let beats = Arc::new(Beats::new(&out_dir, id.generation));
        let side = RunnerSide::open(&in_dir, &beats).unwrap();
        let mut inside = Self {
            id,
            in_dir,
            out_dir,
            side,
            runtime,
            clock,
            beats,
        };
        inside.beat(None);
        inside
    }

    /// Shows life, and how long the tool that runs now may be quiet.
    pub(super) fn beat(&mut self, declared_ms: Option<u64>) {
        let declared = declared_ms.map(Duration::from_millis);
        self.beats.beat(declared).unwrap();
        self.ring();
    }

    /// The time that it has.
    pub(super) fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// Tells the host to look; tells whether it listens.
    pub(super) fn ring(&self) -> bool {
        bell::ring(&self.in_dir)
    }

    /// What is there to answer.
    pub(super) fn offer(&mut self) -> Vec<InboundRow> {
        self.side.offer(20, self.clock.now()).unwrap().rows
    }

    /// What is there to answer, as its texts.
    pub(super) fn texts(&mut self) -> Vec<String> {
        self.offer().iter().map(text).collect()
    }

    /// Takes everything that is there, which has to be something.
    pub(super) fn claim(&mut self) -> Vec<Seq> {
        let seqs: Vec<Seq> = self.offer().iter().map(|row| row.seq).collect();
        assert!(!seqs.is_empty(), "there is nothing to take");
        self.side.claim(&seqs).unwrap();
        self.ring();
        seqs
    }

    /// Answers everything that is there, each message with one post; gives the answers' numbers.
    pub(super) fn answer(&mut self) -> Vec<i64> {
        let rows = self.offer();
        assert!(!rows.is_empty(), "there is nothing to answer");
        let posts = rows
            .iter()
            .map(|row| (row.seq, format!("re {}", text(row))));
        let emit: Vec<Emit> = posts.map(|(seq, text)| post(seq, &text)).collect();
        let handled = rows.iter().map(|row| (row.seq, Handled::Done)).collect();
        self.finish(handled, emit)
    }

    /// Ends messages and says something, in one transaction.
    pub(super) fn finish(&mut self, handled: Vec<(Seq, Handled)>, emit: Vec<Emit>) -> Vec<i64> {
        let finish = Finish {
            handled,
            emit,
            state: Vec::new(),
        };
        let said = self.side.finish(&finish, self.clock.now()).unwrap();
        self.ring();
        said.into_iter().map(Seq::get).collect()
    }

    /// Says something at once, as tools do; gives its number.
    pub(super) fn say(&mut self, emit: &Emit) -> Seq {
        let seq = self.side.say(emit, self.clock.now()).unwrap();
        self.ring();
        seq
    }

    /// What the host says became of row `seq`.
    pub(super) fn outcome(&self, seq: Seq) -> Option<Outcome> {
        self.side.outcome(seq).unwrap()
    }

    /// Asks the host for something, as tools do; gives the reply's number.
    pub(super) fn wish(&mut self, wish: &Wish) -> i64 {
        let wish = serde_json::to_string(wish).unwrap();
        let id = self.side.ask(&wish, self.clock.now()).unwrap();
        self.ring();
        id
    }

    /// The host's reply.
    pub(super) fn reply(&self, id: i64) -> Option<WishReply> {
        let reply = self.side.reply(id).unwrap()?;
        Some(serde_json::from_str(&reply).unwrap())
    }

    /// Ends the sandbox.
    pub(super) fn die(self, status: ExitStatus) {
        let Self {
            side, runtime, id, ..
        } = self;
        drop(side);
        assert!(runtime.exit(&id, status), "it does not run any more");
    }
}

/// Something to say in answer to `seq`.
pub(super) fn post(seq: Seq, text: &str) -> Emit {
    said(
        seq,
        Outbound::Post {
            text: text.to_owned(),
            files: Vec::new(),
        },
    )
}

/// As [`post`], with a file.
pub(super) fn post_file(seq: Seq, text: &str, name: &str) -> Emit {
    let mut emit = post(seq, text);
    emit.files.push(OutboxFile {
        name: name.to_owned(),
        content: b"content".to_vec(),
    });
    emit
}

/// Any operation in answer to `seq`.
pub(super) fn said(seq: Seq, op: Outbound) -> Emit {
    Emit {
        to: None,
        in_reply_to: Some(seq),
        op,
        files: Vec::new(),
    }
}

fn text(row: &InboundRow) -> String {
    match &row.payload {
        Inbound::Chat(chat) => chat.text.clone(),
        Inbound::Note(note) => format!("note: {}", note.text),
        Inbound::Answer(answer) => format!("answer: {}", answer.text),
        Inbound::Task(task) => {
            format!("task {} run {} missed {}", task.name, task.run, task.missed)
        }
        Inbound::Control(control) => format!("control: {control:?}"),
    }
}
