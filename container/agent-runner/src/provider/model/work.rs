//! One turn of an agent: rounds of asking its model and running what it calls, until it has answered.

use std::{fs::File, io::Read, time::Duration};

use anchorhold_core::turn_failure::{FailureClass, InTurn, Mended, in_turn};
use anchorhold_sessiondb::InboundRow;
use camino::Utf8Path;
use futures_util::future::join_all;
use tokio::time::sleep;

use crate::{
    provider::{
        Model, TurnError, TurnIo, TurnOutcome,
        answers::{Answers, NOTHING_TO_SHORTEN},
        model::{
            Answered, Ask, Dialect, Why,
            ask::{ask, files},
            failure::Failure,
            history::{History, Part},
            key, prompt,
            shorten::{is_due, text_of},
        },
    },
    report,
    way_out::WayOut,
};

/// The most calls of the model in one turn.
const ROUNDS_LIMIT: u32 = 200;
/// The most calls of tools that one answer may have.
const CALLS_LIMIT: usize = 32;
/// The most of what one tool gave that is told, in bytes.
const RESULT_LIMIT_BYTES: usize = 96 * 1024;
/// How often an answer that was cut for its length goes on.
const CUT_LIMIT: u32 = 4;
/// How often a call is tried again within a turn that has run tools, and how long that may wait.
pub(in crate::provider) const AGAIN_LIMIT: u32 = 3;
pub(in crate::provider) const AGAIN_WAIT: Duration = Duration::from_secs(20);
/// The most of the agent's own instructions that is read, in bytes.
const INSTRUCTIONS_LIMIT_BYTES: u64 = 32 * 1024;
const INSTRUCTIONS: &str = "AGENTS.md";

const GO_ON: &str = "(This is from the system.) Your answer was cut, since it is too long for one. \
                     Go on exactly where it ends.";
pub(in crate::provider) const SAY_SOMETHING: &str = "(This is from the system.) You ended your turn without a word, and \
                             people wait for an answer. Answer them now, in short.";
const TOO_LONG: &str =
    "(I stopped here: this turn has become too long. Ask me to go on if I should.)";

/// A turn while it runs.
pub(super) struct Work<'a, D> {
    dialect: &'a D,
    model: &'a Model,
    way_out: &'a WayOut,
    io: &'a TurnIo,
    pub(super) history: History,
    /// What the messages of this turn say, as the model was told.
    pub(super) asked: Vec<Part>,
    /// How many tokens the conversation had at the last answer.
    pub(super) tokens: u64,
    /// Is there a conversation from before this turn?
    goes_on: bool,
    /// Has a tool been run?
    has_acted: bool,
    answers: Answers,
}

impl<'a, D: Dialect> Work<'a, D> {
    pub(super) fn new(
        dialect: &'a D,
        (model, way_out): (&'a Model, &'a WayOut),
        io: &'a TurnIo,
        history: History,
    ) -> Self {
        Self {
            dialect,
            model,
            way_out,
            io,
            goes_on: !history.messages.is_empty(),
            history,
            asked: Vec::new(),
            tokens: 0,
            has_acted: false,
            answers: Answers::default(),
        }
    }

    /// Tells the model who it is.
    pub(super) fn introduce(&mut self, name: &str) {
        let instructions = instructions(self.io.workspace());
        self.history.system = prompt::system(name, instructions.as_deref());
    }

    /// Tells the model what was said.
    pub(super) fn hear(&mut self, rows: &[InboundRow]) {
        self.answers.hear(rows);
        let parts = prompt::parts(rows, self.way_out.in_dir(), self.io.zone());
        self.asked.extend(parts.iter().cloned());
        self.history.hear(parts);
    }

    /// Asks until everything is answered.
    pub(super) async fn run(&mut self) -> Result<(), TurnError> {
        let (mut said, mut cuts, mut nudged) = (String::new(), 0, false);
        for round in 0..ROUNDS_LIMIT {
            self.make_room().await?;
            let answered = self.ask_patiently(round + 1 < ROUNDS_LIMIT).await?;
            let calls = calls(&answered.parts);
            said.push_str(&text_of(&answered.parts));
            self.history.answer(answered.parts);
            if !calls.is_empty() {
                // What is said before a tool runs is a thought.
                said.clear();
                self.act(calls).await;
                self.hear_more().await;
                continue;
            }
            if answered.why == Why::Length && cuts < CUT_LIMIT {
                cuts += 1;
                self.history.hear(vec![Part::text(GO_ON)]);
                continue;
            }
            if said.trim().is_empty() && !nudged && !self.answers.has_spoken(self.io) {
                nudged = true;
                self.history.hear(vec![Part::text(SAY_SOMETHING)]);
                continue;
            }
            let said = std::mem::take(&mut said);
            if let Some(told) = self.answers.say(self.io, &said).await {
                self.history.hear(vec![Part::text(told)]);
                continue;
            }
            if !self.hear_more().await {
                return Ok(());
            }
            (cuts, nudged) = (0, false);
        }
        self.answers.say(self.io, TOO_LONG).await;
        Ok(())
    }

    /// Makes the conversation shorter because a person asked for it.
    pub(super) async fn compact(&mut self) -> Result<(), TurnError> {
        if self.history.messages.is_empty() {
            self.answers.tell(NOTHING_TO_SHORTEN.to_owned());
            return Ok(());
        }
        let before = self.history.bytes();
        self.shorten().await?;
        let after = self.history.bytes();
        self.answers.tell(format!(
            "I made what I remember of this conversation shorter: {after} characters instead of \
             {before}."
        ));
        Ok(())
    }

    /// What the turn came to.
    pub(super) fn into_outcome(self) -> TurnOutcome {
        let key = key(self.dialect.caps()).to_owned();
        TurnOutcome {
            emit: self.answers.into_emit(),
            state: vec![(key, Some(self.history.write()))],
        }
    }

    /// Asks the model about a conversation, once.
    pub(super) async fn ask(&self, history: &History, may_call: bool) -> Result<Answered, Failure> {
        let files = files(history);
        let asked = Ask {
            model: self.model,
            history,
            may_call,
            files: &files,
        };
        let over = (self.way_out, self.io);
        Box::pin(ask(self.dialect, over, &asked, self.goes_on)).await
    }

    /// As [`Self::ask`]. Where tools have run, a failure that passes soon is waited for here: the
    /// turn would run them again.
    async fn ask_patiently(&mut self, may_call: bool) -> Result<Answered, Failure> {
        let mut tries = 0;
        loop {
            let failure = match self.ask(&self.history, may_call).await {
                Ok(answered) => {
                    self.tokens = answered.tokens;
                    return Ok(answered);
                }
                Err(failure) => failure,
            };
            if failure.class == FailureClass::ContextFull && self.has_acted && tries == 0 {
                tries += 1;
                self.shorten().await?;
                continue;
            }
            let follows = in_turn(failure.class, failure.after, Mended::default(), tries);
            match follows {
                InTurn::Later(wait)
                    if self.has_acted && tries < AGAIN_LIMIT && wait <= AGAIN_WAIT =>
                {
                    tries += 1;
                    let class = failure.class.as_str();
                    tracing::warn!(class, ?wait, "model is asked again");
                    self.io.progress(Some(wait));
                    sleep(wait).await;
                }
                InTurn::Later(_) | InTurn::Afresh | InTurn::Compact | InTurn::Surface => {
                    return Err(failure);
                }
            }
        }
    }

    /// Makes the conversation shorter before the model can read no more of it.
    async fn make_room(&mut self) -> Result<(), Failure> {
        let options = &self.model.options;
        let limit = options.context_tokens;
        let limit = limit.unwrap_or_else(|| self.dialect.context_tokens());
        if is_due(self.tokens, limit, &self.history) {
            self.shorten().await?;
        }
        Ok(())
    }

    /// Runs what the model calls, all at once, and tells it what came of it, in its order.
    async fn act(&mut self, calls: Vec<(String, String, String)>) {
        self.has_acted = true;
        let io = self.io;
        let running = calls.into_iter().enumerate().map(|(at, call)| async move {
            let (id, name, arguments) = call;
            if at >= CALLS_LIMIT {
                let text = format!("error: at most {CALLS_LIMIT} calls are run at once");
                return (id, text, true);
            }
            match Box::pin(io.call(&name, &arguments)).await {
                Ok(text) => (id, text, false),
                Err(error) => (id, format!("error: {}", report(&error)), true),
            }
        });
        let mut results = Vec::new();
        for (call, text, failed) in join_all(running).await {
            let text = bounded(text);
            results.push(Part::Result { call, text, failed });
        }
        self.history.hear(results);
    }

    /// Takes what came meanwhile; tells whether something did that needs an answer.
    async fn hear_more(&mut self) -> bool {
        let rows = self.io.follow_ups(Duration::ZERO).await;
        if rows.is_empty() {
            return false;
        }
        self.hear(&rows);
        rows.iter().any(|row| row.triggers)
    }
}

/// What the parts call: id, name and arguments of each.
fn calls(parts: &[Part]) -> Vec<(String, String, String)> {
    let calls = parts.iter().filter_map(|part| match part {
        Part::Call {
            id,
            name,
            arguments,
        } => Some((id.clone(), name.clone(), arguments.clone())),
        Part::Text { .. } | Part::File { .. } | Part::Result { .. } | Part::Own { .. } => None,
    });
    calls.collect()
}

fn bounded(mut text: String) -> String {
    if text.len() > RESULT_LIMIT_BYTES {
        let more = text.len() - RESULT_LIMIT_BYTES;
        text.truncate(text.floor_char_boundary(RESULT_LIMIT_BYTES));
        let note = format!("\n(cut: {more} more bytes)");
        text.push_str(&note);
    }
    text
}

/// The agent's own instructions, if it has some.
pub(in crate::provider) fn instructions(workspace: &Utf8Path) -> Option<String> {
    let mut text = Vec::new();
    let path = workspace.join(INSTRUCTIONS);
    // Never waits for the other end of a pipe.
    let is_file = path.metadata().is_ok_and(|found| found.is_file());
    // silent: without them it has the instructions that all have.
    let file = is_file.then(|| File::open(path).ok()).flatten()?;
    file.take(INSTRUCTIONS_LIMIT_BYTES)
        .read_to_end(&mut text)
        .ok()?;
    Some(String::from_utf8_lossy(&text).into_owned())
}
