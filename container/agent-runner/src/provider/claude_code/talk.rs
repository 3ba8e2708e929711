//! One turn with the child: what it is told, what it says, and what follows where it fails.

use std::{collections::VecDeque, io, pin::pin, time::Duration};

use anchorhold_core::turn_failure::{FailureClass, InTurn, Mended, in_turn};
use anchorhold_sessiondb::InboundRow;
use tokio::time::sleep;
use uuid::Uuid;

use crate::{
    provider::{
        TurnIo,
        answers::{Answers, NOTHING_TO_SHORTEN},
        claude_code::{
            Point,
            child::Running,
            protocol::{self, Ended, Event, Message},
        },
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

/// How long follow-ups are waited for; then they are asked for again.
const FOLLOW_UP_TIME: Duration = Duration::from_hours(1);
/// The most times that a turn is told something by us.
const ROUNDS_LIMIT: u32 = 200;

const SHORTER: &str = "I made what I remember of this conversation shorter.";
const GO_ON: &str = "(This is from the system.) Your model could not be reached for a moment. Go on \
                     with what you were doing.";

/// A turn while it runs.
pub(super) struct Talk<'a> {
    child: &'a mut Running,
    io: &'a TurnIo,
    open: &'a Open<'a>,
    answers: Answers,
    /// What was told and not taken up yet, by its id.
    told: VecDeque<(String, Vec<InboundRow>)>,
    /// Is there a conversation from before the turn?
    goes_on: bool,
    seen: Seen,
    has_acted: bool,
    nudged: bool,
    said: String,
    tries: u32,
    pulse: Pulse,
}

/// What the child has said of what it does.
#[derive(Debug, Default)]
struct Seen {
    begun: bool,
    compacted: bool,
    /// It has taken up something since it last ended something.
    heard: bool,
}

/// What comes next in a turn.
enum Next {
    /// The child says something; `None` where it has ended.
    Event(Option<Event>),
    /// More was said to it.
    Rows(Vec<InboundRow>),
    /// A call of the model goes on.
    Active,
}

impl<'a> Talk<'a> {
    pub(super) fn new(child: &'a mut Running, io: &'a TurnIo, open: &'a Open<'a>) -> Self {
        Self {
            goes_on: child.point().is_some(),
            child,
            io,
            open,
            answers: Answers::default(),
            told: VecDeque::new(),
            seen: Seen::default(),
            has_acted: false,
            nudged: false,
            said: String::new(),
            tries: 0,
            pulse: Pulse::begin(),
        }
    }

    /// Has messages answered, and what comes meanwhile.
    pub(super) async fn answer(mut self, rows: Vec<InboundRow>) -> Result<Answers, Failure> {
        self.io.progress(Some(SILENCE));
        self.tell(rows).await?;
        let io = self.io;
        let mut more = pin!(io.follow_ups(FOLLOW_UP_TIME));
        let mut listens = true;
        for _ in 0..ROUNDS_LIMIT {
            let ended = loop {
                let next = tokio::select! {
                    biased;
                    event = self.child.next() => Next::Event(event),
                    rows = &mut more, if listens => Next::Rows(rows),
                    () = self.open.active() => Next::Active,
                };
                match next {
                    Next::Active => self.pulse.beat(self.io, self.has_acted),
                    Next::Rows(rows) if rows.is_empty() => listens = false,
                    Next::Rows(rows) => {
                        self.tell(rows).await?;
                        more.set(io.follow_ups(FOLLOW_UP_TIME));
                    }
                    Next::Event(event) => {
                        if let Some(ended) = self.event(event).await? {
                            break ended;
                        }
                    }
                }
            };
            if self.is_answered(ended).await? {
                return Ok(self.answers);
            }
        }
        Err(Failure::new(FailureClass::Rejected, "the turn has no end"))
    }

    /// Has the conversation made shorter.
    pub(super) async fn compact(mut self, is_begun: bool) -> Result<Answers, Failure> {
        if !is_begun {
            self.answers.tell(NOTHING_TO_SHORTEN.to_owned());
            return Ok(self.answers);
        }
        self.io.progress(Some(SILENCE));
        let before = self.child.point().cloned();
        let command = protocol::command("/compact");
        self.child
            .send(&command)
            .await
            .map_err(|error| broken(&error))?;
        let ended = loop {
            let event = self.child.next().await;
            if let Some(ended) = self.event(event).await? {
                break ended;
            }
        };
        if ended.failed {
            return Err(self.failure(&ended));
        }
        let told = if self.seen.compacted {
            SHORTER
        } else {
            // It says so as a message, which is none.
            self.child.move_to(before);
            NOTHING_TO_SHORTEN
        };
        self.answers.tell(told.to_owned());
        Ok(self.answers)
    }

    /// Tells the child what was said.
    async fn tell(&mut self, rows: Vec<InboundRow>) -> Result<(), Failure> {
        let in_dir = self.io.way_out().map(|way_out| way_out.in_dir().to_owned());
        let parts = prompt::parts(&rows, &in_dir.unwrap_or_default(), self.io.zone());
        self.pass(rows, &parts).await
    }

    async fn pass(&mut self, rows: Vec<InboundRow>, parts: &[Part]) -> Result<(), Failure> {
        let uuid = Uuid::now_v7().to_string();
        let message = protocol::tell(&uuid, parts);
        self.told.push_back((uuid, rows));
        self.child
            .send(&message)
            .await
            .map_err(|error| broken(&error))
    }

    /// Heeds one event; gives the end of what the child was told.
    async fn event(&mut self, event: Option<Event>) -> Result<Option<Ended>, Failure> {
        let Some(event) = event else {
            let errors = self.child.errors();
            return Err(Failure::transient(&format!(
                "claude code has ended: {errors}"
            )));
        };
        self.pulse.beat(self.io, self.has_acted);
        match event {
            Event::Begins => self.seen.begun = true,
            Event::Heard { uuid } => self.heard(&uuid),
            Event::Message(message) => self.message(message),
            Event::Compacted => self.seen.compacted = true,
            Event::Asks { id, request } => {
                let answer = protocol::answer(&id, &request);
                self.child
                    .send(&answer)
                    .await
                    .map_err(|error| broken(&error))?;
            }
            Event::Ended(ended) => return Ok(Some(ended)),
            Event::Other => {}
        }
        Ok(None)
    }

    /// The child works on a message now, and on all before it.
    fn heard(&mut self, uuid: &str) {
        let Some(at) = self.told.iter().position(|(told, _)| told == uuid) else {
            return;
        };
        self.seen.heard = true;
        for (_, rows) in self.told.drain(..=at) {
            self.answers.hear(&rows);
        }
    }

    fn message(&mut self, message: Message) {
        if message.calls {
            // What is said before a tool runs is a thought.
            self.said.clear();
            self.has_acted = true;
            self.io.progress(Some(TOOL_TIME));
        } else {
            self.said.push_str(&message.text);
        }
        self.child.move_to(Some(Point {
            session: message.session,
            at: message.uuid,
        }));
    }

    /// What follows on an end: is the turn over, or is the child told more?
    async fn is_answered(&mut self, ended: Ended) -> Result<bool, Failure> {
        // An end is that of something, whether it has said so or not.
        if !self.seen.heard
            && let Some((first, rows)) = self.told.pop_front()
        {
            tracing::debug!(first, "message not acknowledged");
            self.answers.hear(&rows);
        }
        self.seen.heard = false;
        if ended.failed {
            self.wait_out(self.failure(&ended)).await?;
            return Ok(false);
        }
        let said = std::mem::take(&mut self.said);
        if said.trim().is_empty() && !self.nudged && !self.answers.has_spoken(self.io) {
            self.nudged = true;
            self.pass(Vec::new(), &[Part::text(SAY_SOMETHING)]).await?;
            return Ok(false);
        }
        if let Some(told) = self.answers.say(self.io, &said).await {
            self.pass(Vec::new(), &[Part::text(told)]).await?;
            return Ok(false);
        }
        self.nudged = false;
        if !self.told.is_empty() {
            return Ok(false);
        }
        let rows = self.io.follow_ups(Duration::ZERO).await;
        if rows.is_empty() {
            return Ok(true);
        }
        self.tell(rows).await?;
        Ok(false)
    }

    /// Where tools have run, a failure that passes soon is waited for here: the turn would run them
    /// again.
    async fn wait_out(&mut self, failure: Failure) -> Result<(), Failure> {
        let follows = in_turn(failure.class, failure.after, Mended::default(), self.tries);
        match follows {
            InTurn::Later(wait)
                if self.has_acted && self.tries < AGAIN_LIMIT && wait <= AGAIN_WAIT =>
            {
                self.tries += 1;
                let class = failure.class.as_str();
                tracing::warn!(class, ?wait, "model is asked again");
                self.io.progress(Some(wait));
                sleep(wait).await;
                self.said.clear();
                self.pass(Vec::new(), &[Part::text(GO_ON)]).await
            }
            InTurn::Later(_) | InTurn::Afresh | InTurn::Compact | InTurn::Surface => Err(failure),
        }
    }

    /// Why the child failed: as the provider told, where it did.
    fn failure(&self, ended: &Ended) -> Failure {
        if !self.seen.begun && self.goes_on {
            return Failure::new(FailureClass::ContinuationLost, &ended.text);
        }
        if ended.refused {
            return Failure::new(FailureClass::Rejected, "the model refuses to answer");
        }
        match self.open.failed() {
            // It has tried to make the conversation shorter itself, so there is no other way on.
            Some(failure) if failure.class == FailureClass::ContextFull && self.goes_on => {
                Failure {
                    class: FailureClass::ContinuationLost,
                    ..failure
                }
            }
            Some(failure) => failure,
            None => Failure::transient(&ended.text),
        }
    }
}

fn broken(error: &io::Error) -> Failure {
    Failure::transient(&format!(
        "claude code can't be told anything: {}",
        report(error)
    ))
}
