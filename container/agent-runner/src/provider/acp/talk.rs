//! One turn with an agent: prompt for prompt, until nothing waits for an answer.

use std::{io, time::Duration};

use anchorhold_core::turn_failure::{FailureClass, InTurn, Mended, in_turn};
use anchorhold_sessiondb::InboundRow;
use serde_json::Value;
use tokio::time::sleep;

use crate::{
    provider::{
        TurnIo,
        acp::{
            agent::Agent,
            protocol::{self, Event, Refused},
        },
        answers::Answers,
        gate::Open,
        model::{
            failure::Failure,
            history::Part,
            prompt,
            work::{AGAIN_LIMIT, AGAIN_WAIT, SAY_SOMETHING},
        },
        pulse::{Pulse, TOOL_TIME},
    },
    report,
    way_out::SILENCE,
};

/// The most prompts of one turn.
const ROUNDS_LIMIT: u32 = 200;

const GO_ON: &str = "(This is from the system.) Your model could not be reached for a moment. Go on \
                     with what you were doing.";

/// A turn while it runs.
pub(super) struct Talk<'a> {
    agent: &'a mut Agent,
    io: &'a TurnIo,
    open: &'a Open<'a>,
    answers: Answers,
    has_acted: bool,
    said: String,
    pulse: Pulse,
}

impl<'a> Talk<'a> {
    pub(super) fn new(agent: &'a mut Agent, io: &'a TurnIo, open: &'a Open<'a>) -> Self {
        Self {
            agent,
            io,
            open,
            answers: Answers::default(),
            has_acted: false,
            said: String::new(),
            pulse: Pulse::begin(),
        }
    }

    /// Has a child that has just started take up a session, or begin one in which it is told `system`.
    pub(super) async fn begin(
        &mut self,
        session: Option<&str>,
        system: String,
    ) -> Result<(), Failure> {
        let can = self.call("initialize", &protocol::initialize()).await?;
        let can = can.map_err(|refused| Failure::transient(&refused.text))?;
        let params = protocol::session(self.io.workspace(), &self.agent.tools.clone(), session);
        let Some(id) = session else {
            let begun = self.call("session/new", &params).await?;
            let begun = begun.map_err(|refused| self.failure(&refused))?;
            self.agent.has(protocol::text(&begun, "sessionId"));
            self.agent.introduction = Some(system);
            return Ok(());
        };
        let lost = |why: &str| Failure::new(FailureClass::ContinuationLost, why);
        if can.pointer("/agentCapabilities/loadSession") != Some(&Value::Bool(true)) {
            return Err(lost("the agent can't go on with an earlier session"));
        }
        let loaded = self.call("session/load", &params).await?;
        loaded.map_err(|refused| lost(&refused.text))?;
        self.agent.has(id);
        // It was told again what was said before, which is nothing that it says now.
        self.said.clear();
        self.has_acted = false;
        Ok(())
    }

    /// Has messages answered, and what comes meanwhile.
    pub(super) async fn answer(mut self, rows: Vec<InboundRow>) -> Result<Answers, Failure> {
        let mut parts = self.hear(&rows);
        let (mut nudged, mut tries) = (false, 0);
        for _ in 0..ROUNDS_LIMIT {
            let next = match self.prompt(parts).await {
                Ok(()) => self.follow(&mut nudged).await,
                Err(failure) => Some(self.wait_out(failure, &mut tries).await?),
            };
            match next {
                Some(next) => parts = next,
                None => return Ok(self.answers),
            }
        }
        Err(Failure::new(FailureClass::Rejected, "the turn has no end"))
    }

    fn hear(&mut self, rows: &[InboundRow]) -> Vec<Part> {
        self.answers.hear(rows);
        let in_dir = self.io.way_out().map(|way_out| way_out.in_dir().to_owned());
        prompt::parts(rows, &in_dir.unwrap_or_default(), self.io.zone())
    }

    /// What the agent is told next; `None` where the turn is over.
    async fn follow(&mut self, nudged: &mut bool) -> Option<Vec<Part>> {
        let said = std::mem::take(&mut self.said);
        if said.trim().is_empty() && !*nudged && !self.answers.has_spoken(self.io) {
            *nudged = true;
            return Some(vec![Part::text(SAY_SOMETHING)]);
        }
        if let Some(told) = self.answers.say(self.io, &said).await {
            return Some(vec![Part::text(told)]);
        }
        *nudged = false;
        let rows = self.io.follow_ups(Duration::ZERO).await;
        (!rows.is_empty()).then(|| self.hear(&rows))
    }

    /// Has one prompt answered.
    async fn prompt(&mut self, mut parts: Vec<Part>) -> Result<(), Failure> {
        if let Some(introduction) = &self.agent.introduction {
            parts.insert(0, Part::text(introduction.clone()));
        }
        let session = self.agent.session().unwrap_or_default();
        let params = protocol::prompt(session, &parts);
        let answer = self.call("session/prompt", &params).await?;
        let answer = answer.map_err(|refused| self.failure(&refused))?;
        self.agent.introduction = None;
        match protocol::text(&answer, "stopReason") {
            "refusal" => {
                let detail = "the model refuses to answer";
                Err(Failure::new(FailureClass::Rejected, detail))
            }
            // It may end well in its own eyes where its model could not be reached.
            _ if self.said.trim().is_empty() => self.open.failed().map_or(Ok(()), Err),
            _ => Ok(()),
        }
    }

    /// Asks for something, and heeds what it says until the answer comes.
    async fn call(
        &mut self,
        method: &str,
        params: &Value,
    ) -> Result<Result<Value, Refused>, Failure> {
        self.io.progress(Some(SILENCE));
        let asked = self.agent.ask(method, params).await;
        let number = asked.map_err(|error| broken(&error))?;
        loop {
            let line = tokio::select! {
                biased;
                line = self.agent.next() => line,
                () = self.open.active() => {
                    self.pulse.beat(self.io, self.has_acted);
                    continue;
                }
            };
            let Some(line) = line else {
                let errors = self.agent.errors();
                return Err(Failure::transient(&format!(
                    "the agent has ended: {errors}"
                )));
            };
            self.pulse.beat(self.io, self.has_acted);
            match protocol::read(&line) {
                Event::Answer { call, answer } if call == number => return Ok(answer),
                Event::Words(words) => self.said.push_str(&words),
                Event::Acts => {
                    // What is said before a tool runs is a thought.
                    self.said.clear();
                    self.has_acted = true;
                    self.io.progress(Some(TOOL_TIME));
                }
                Event::Asks { id, method, params } => {
                    let reply = protocol::reply(&id, &method, &params);
                    let sent = self.agent.send(&reply).await;
                    sent.map_err(|error| broken(&error))?;
                }
                Event::Answer { .. } | Event::Other => {}
            }
        }
    }

    /// Where tools have run, a failure that passes soon is waited for here: the turn would run them
    /// again. Gives what the agent is told then.
    async fn wait_out(&mut self, failure: Failure, tries: &mut u32) -> Result<Vec<Part>, Failure> {
        let follows = in_turn(failure.class, failure.after, Mended::default(), *tries);
        match follows {
            InTurn::Later(wait) if self.has_acted && *tries < AGAIN_LIMIT && wait <= AGAIN_WAIT => {
                *tries += 1;
                let class = failure.class.as_str();
                tracing::warn!(class, ?wait, "model is asked again");
                self.io.progress(Some(wait));
                sleep(wait).await;
                self.said.clear();
                Ok(vec![Part::text(GO_ON)])
            }
            InTurn::Later(_) | InTurn::Afresh | InTurn::Compact | InTurn::Surface => Err(failure),
        }
    }

    /// Why the agent did not do what it was asked for: as the provider told, where it did.
    fn failure(&self, refused: &Refused) -> Failure {
        match self.open.failed() {
            // Nobody but the agent can make its conversation shorter.
            Some(failure) if failure.class == FailureClass::ContextFull => Failure {
                class: FailureClass::ContinuationLost,
                ..failure
            },
            Some(failure) => failure,
            None => Failure::transient(&refused.text),
        }
    }
}

fn broken(error: &io::Error) -> Failure {
    Failure::transient(&format!(
        "the agent can't be told anything: {}",
        report(error)
    ))
}
