//! What a turn has said so far.

use anchorhold_core::outbound::TEXT_LIMIT_BYTES;
use anchorhold_sessiondb::{Emit, Outbound, OutboxFile, Seq};

/// The most messages of one turn.
const EMIT_LIMIT: usize = 20_000;
/// The most that one turn holds in memory, in bytes.
const SIZE_LIMIT_BYTES: usize = 64 * 1024 * 1024;

/// Collects what a turn says: one answer per message, after whatever else it causes.
#[derive(Debug, Default)]
pub(super) struct Draft {
    /// What is said, in order.
    pub(super) emit: Vec<Emit>,
    in_reply_to: Option<Seq>,
    to: Option<String>,
    answer: String,
    size_bytes: usize,
    full: bool,
}

impl Draft {
    /// From here on everything answers `message`.
    pub(super) fn begin(&mut self, message: Seq) {
        self.in_reply_to = Some(message);
        self.full = false;
    }

    /// Adds to the answer. One that would be longer than a message can be goes on in another.
    pub(super) fn say(&mut self, text: &str) {
        if self.answer.len() + 1 + text.len() > TEXT_LIMIT_BYTES {
            self.flush();
        }
        if !self.answer.is_empty() {
            self.answer.push('\n');
        }
        self.answer.push_str(text);
    }

    /// Says something beside the answer.
    pub(super) fn post(&mut self, text: String) {
        self.emit(post(text), Vec::new());
    }

    /// Answers another message of the turn: it may have been said elsewhere.
    pub(super) fn post_to(&mut self, message: Seq, text: String) {
        let own = self.in_reply_to.replace(message);
        self.post(text);
        self.in_reply_to = own;
    }

    /// Says something to a destination.
    pub(super) fn post_at(&mut self, destination: String, text: String) {
        self.to = Some(destination);
        self.post(text);
        self.to = None;
    }

    /// Does something beside the answer.
    pub(super) fn emit(&mut self, op: Outbound, files: Vec<OutboxFile>) {
        let text_len = match &op {
            Outbound::Post { text, .. } | Outbound::Edit { text, .. } => text.len(),
            Outbound::Ask {
                title,
                text,
                options,
                expires_ms: _,
            } => title.len() + text.len() + options.iter().map(String::len).sum::<usize>(),
            Outbound::Delete { .. } | Outbound::React { .. } => 0,
        };
        let files_len: usize = files.iter().map(|file| file.content.len()).sum();
        let size_bytes = self.size_bytes + text_len + files_len;
        if self.emit.len() >= EMIT_LIMIT || size_bytes > SIZE_LIMIT_BYTES {
            self.full = true;
            return;
        }
        self.size_bytes = size_bytes;
        self.push(op, files);
    }

    /// The message is answered.
    pub(super) fn end(&mut self) {
        if !self.answer.is_empty() {
            self.flush();
        }
        if self.full {
            // Past the limit on purpose, once per message: what is left out is not left unsaid.
            let note = "a turn can't say that much: the rest is left out".to_owned();
            self.push(post(note), Vec::new());
        }
    }

    fn flush(&mut self) {
        let answer = std::mem::take(&mut self.answer);
        self.post(answer);
    }

    fn push(&mut self, op: Outbound, files: Vec<OutboxFile>) {
        self.emit.push(Emit {
            to: self.to.clone(),
            in_reply_to: self.in_reply_to,
            op,
            files,
        });
    }
}

fn post(text: String) -> Outbound {
    Outbound::Post {
        text,
        files: Vec::new(),
    }
}
