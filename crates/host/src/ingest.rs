//! A message comes in: dedupe → pairing, command or route → one durable step into the ledger and the
//! journal → wake.
//!
//! The order is custody: before the adapter hears `Accepted` everything that follows from the message
//! is durable, in one transaction. A crash before that leaves a message that the platform offers
//! again, and every step finds what it had done before; one after it leaves the sessions' files to be
//! written from the journal.

mod append;
mod carry;
mod chores;
mod held;
mod judge;
mod outcome;
mod requests;

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use anchorhold_channel::{Accepted, Answered, Intake, IntakeError};
use anchorhold_core::{
    address::Address,
    command::{self, Command},
    entity::Conversation,
    ids::{AgentGroupId, OutboundId, SessionId, UserId},
    inbound::{InboundAnswer, InboundEvent},
    pattern::Patterns,
    route::{self, Reason},
};
use anchorhold_store::{
    ingest::{Entered, Entry, EventOutcome, EventRecord, NewMessage},
    trace::{Decided, Receipt},
};
use async_trait::async_trait;
use tokio::sync::Mutex;
use tokio_util::sync::CancellationToken;
use tracing::{Instrument, error, info, info_span};

use crate::{
    acts::Acts,
    approvals::Approvals,
    base::{Base, mint},
    commands::Commands,
    deliver::{Deliver, outgoing::Outgoing},
    ingest::requests::Came,
    journal::{Journal, JournalError},
    pairing::Pairing,
    registry::Registry,
    report::report,
    sessions::Sessions,
    wake::Wake,
};

pub use crate::ingest::judge::Explained;

/// How often what waits for somebody is looked after.
const CHORES_EVERY: Duration = Duration::from_secs(10);

/// The way in of one host.
#[derive(Debug)]
pub struct Ingest {
    base: Base,
    registry: Registry,
    journal: Journal,
    wake: Wake,
    deliver: Deliver,
    pairing: Pairing,
    commands: Commands,
    approvals: Approvals,
    acts: Acts,
    sessions: Sessions,
    patterns: Patterns,
    /// Held while something that was approved is carried out.
    carrying_out: Mutex<()>,
    /// How many reasons there are to think that messages which waited are about to be routed. One
    /// from the start, until the first look at what an earlier host has left.
    replays: AtomicUsize,
}

/// What the way in hands on to.
#[derive(Debug)]
pub struct Stages {
    /// Makes what comes in durable.
    pub journal: Journal,
    /// Wakes sandboxes.
    pub wake: Wake,
    /// Tells people.
    pub deliver: Deliver,
    /// Makes owners.
    pub pairing: Pairing,
    /// Does what people ask the host for.
    pub commands: Commands,
    /// Asks people.
    pub approvals: Approvals,
    /// Does what they approve.
    pub acts: Acts,
    /// Tells sessions.
    pub sessions: Sessions,
}

/// One session that hears the message.
#[derive(Debug)]
struct Hearing {
    session: SessionId,
    group: AgentGroupId,
    triggers: bool,
}

/// Everything that was decided about one message.
#[derive(Debug)]
struct Routed {
    conversation: Conversation,
    sender: UserId,
    hearings: Vec<Hearing>,
    declined: Vec<(AgentGroupId, Reason)>,
    /// The same with the rules, for whoever asks later.
    decisions: Vec<Decided>,
}

type Failure = Box<dyn std::error::Error + Send + Sync>;

#[async_trait]
impl Intake for Ingest {
    async fn deliver(&self, event: InboundEvent) -> Result<Accepted, IntakeError> {
        let span = info_span!(
            "ingest",
            channel = %event.address.channel,
            chat = %event.address.chat,
            message = %event.message_id,
        );
        let taken = Box::pin(self.take(event)).instrument(span.clone()).await;
        span.in_scope(|| match &taken {
            Ok(accepted) => info!(?accepted, "message taken"),
            Err(failure) => error!(error = %report(&**failure), "message not taken"),
        });
        taken.map_err(refused)
    }

    async fn answer(&self, answer: InboundAnswer) -> Result<Answered, IntakeError> {
        let span = info_span!("answer", question = %answer.question);
        let taken = Box::pin(self.take_answer(&answer))
            .instrument(span.clone())
            .await;
        span.in_scope(|| match &taken {
            Ok(answered) => info!(
                taken = matches!(answered, Answered::Taken(_)),
                "answer heard"
            ),
            Err(failure) => error!(error = %report(&**failure), "answer not taken"),
        });
        taken.map_err(refused)
    }

    async fn present(&self, address: &Address) {
        self.deliver.unpark(address).await;
    }
}

impl Ingest {
    /// The way in that routes by what `base` has on record.
    pub fn new(base: Base, registry: Registry, stages: Stages) -> Arc<Self> {
        Arc::new(Self {
            base,
            registry,
            journal: stages.journal,
            wake: stages.wake,
            deliver: stages.deliver,
            pairing: stages.pairing,
            commands: stages.commands,
            approvals: stages.approvals,
            acts: stages.acts,
            sessions: stages.sessions,
            patterns: Patterns::default(),
            carrying_out: Mutex::default(),
            replays: AtomicUsize::new(1),
        })
    }

    async fn take(&self, mut event: InboundEvent) -> Result<Accepted, Failure> {
        if !self.registry.traits_of(&event.address.channel).threads {
            // A channel that has no threads can't answer in one, whatever a message of it says.
            event.address.thread = None;
        }
        let Address { channel, chat, .. } = &event.address;
        let store = &self.base.store;
        if store.event_seen(channel, chat, &event.message_id).await? {
            return Ok(Accepted::Duplicate);
        }
        if let Some((said, what)) = self.for_host(&event).await? {
            return self.handled(&event, said, what).await;
        }
        let wirings = store.wirings_for(channel, chat).await?;
        let applicable = route::applicable(&wirings, chat);
        if applicable.is_empty() {
            return self.unwired(&event).await;
        }
        if let Some(waits) = self.behind_a_replay(&event).await? {
            return Ok(waits);
        }
        let (conversation, sender, standing) = self.parties(&event).await?;
        let parties = (&conversation, &standing);
        if let Some(command) = command_in(&event) {
            let audience = self.audience(&event, parties, &applicable).await?;
            if !audience.is_empty() {
                let parties = (sender, conversation.id);
                let obeying = self.obey(&command, &event, parties, &audience);
                let said = Box::pin(obeying).await?;
                return self.handled(&event, said, command.word()).await;
            }
        }
        let decided = self.judge(&event, parties, &applicable).await?;
        let routed = self.settle(&event, conversation, sender, decided).await?;
        Box::pin(self.store(event, routed)).await
    }

    /// What the host itself says to a message that is for it alone, and what that was to it.
    async fn for_host(
        &self,
        event: &InboundEvent,
    ) -> Result<Option<(String, &'static str)>, Failure> {
        if !event.what.is_message() {
            return Ok(None);
        }
        if let Some(said) = self.pairing.hear(event).await? {
            return Ok(Some((said, "a code for pairing")));
        }
        let answered = self.decision_in_words(event).await?;
        Ok(answered.map(|said| (said, "an answer to a question")))
    }

    /// Stores a message for whoever hears it, and lets those who may be let in by somebody wait.
    async fn store(&self, event: InboundEvent, routed: Routed) -> Result<Accepted, Failure> {
        let event = Arc::new(event);
        let reason = self.ask_to_admit(&event, &routed, Came::Anew).await?;
        let reason = reason.filter(|_| routed.hearings.is_empty());
        let receipt = Receipt {
            decisions: routed.decisions.clone(),
            ..receipt(&event)
        };
        let entered = self
            .enter(&event, &routed, |messages| {
                self.record_of(&event, messages, reason, receipt.clone())
            })
            .await?;
        Ok(match entered {
            Entered::Duplicate | Entered::Late => Accepted::Duplicate,
            Entered::Now(tracked) => {
                self.wake_all(&routed, &tracked);
                accepted(reason)
            }
        })
    }

    /// The host itself has dealt with a message, which was `what` to it, and answers it.
    async fn handled(
        &self,
        event: &InboundEvent,
        said: String,
        what: &str,
    ) -> Result<Accepted, Failure> {
        let answer = self.answer_message(event, said).await?;
        let receipt = Receipt {
            by_host: Some(what.to_owned()),
            answer: Some(answer),
            ..receipt(event)
        };
        self.record(event, None, receipt).await
    }

    /// Answers a message in the host's own voice; the answer's id.
    async fn answer_message(
        &self,
        event: &InboundEvent,
        text: String,
    ) -> Result<OutboundId, Failure> {
        let outgoing = Outgoing::answer(text, event.message_id.clone());
        self.say(&event.address, &outgoing).await
    }

    async fn say(&self, address: &Address, outgoing: &Outgoing) -> Result<OutboundId, Failure> {
        let id = mint!(self.base, OutboundId);
        let told = outgoing.delivery(id, address.clone(), None)?;
        self.deliver.say(told, None).await;
        Ok(id)
    }

    /// Puts an event on record that no session hears, for the one `reason` if there is one.
    async fn record(
        &self,
        event: &InboundEvent,
        reason: Option<Reason>,
        receipt: Receipt,
    ) -> Result<Accepted, Failure> {
        let entry = self.record_of(event, Vec::new(), reason, receipt);
        Ok(match self.journal.enter(entry).await? {
            Entered::Now(_) => accepted(reason),
            Entered::Duplicate | Entered::Late => Accepted::Duplicate,
        })
    }

    /// The record of an event: heard by `messages`, or by nobody for the one `reason`.
    fn record_of(
        &self,
        event: &InboundEvent,
        messages: Vec<NewMessage>,
        reason: Option<Reason>,
        receipt: Receipt,
    ) -> Entry {
        let outcome = match reason {
            Some(_) => EventOutcome::Declined,
            None => EventOutcome::Stored,
        };
        // It came before anything was made of it.
        let made_at = messages.iter().map(|message| message.created_at);
        let received_at = made_at.chain([self.base.now()]).min();
        Entry::Event(EventRecord {
            address: event.address.clone(),
            message_id: event.message_id.clone(),
            sender: event.sender.handle.clone(),
            received_at: received_at.unwrap_or_else(|| self.base.now()),
            outcome,
            messages,
            declined: reason,
            receipt: Box::new(receipt),
        })
    }

    /// Looks after what waits for somebody, until shutdown.
    pub async fn attend(self: Arc<Self>, shutdown: CancellationToken) {
        let mut first = Some(Replaying::again(&self.replays));
        self.replays.fetch_sub(1, Ordering::SeqCst);
        loop {
            match Box::pin(self.chores()).await {
                Ok(()) => drop(first.take()),
                Err(failure) => {
                    error!(error = %report(&*failure), "requests not looked after");
                }
            }
            tokio::select! {
                () = tokio::time::sleep(CHORES_EVERY) => {}
                () = shutdown.cancelled() => return,
            }
        }
    }
}

/// The command that a message is. An edit of one does not give it again.
fn command_in(event: &InboundEvent) -> Option<Command> {
    command::parse(&event.text).filter(|_| event.what.is_message())
}

/// What is kept of a message for whoever asks what became of it: never what it says.
fn receipt(event: &InboundEvent) -> Receipt {
    Receipt {
        text_bytes: event.text.len(),
        files: event.attachments.len(),
        sent_at: Some(event.sent_at),
        ..Receipt::default()
    }
}

/// What the adapter hears of an event that is durable.
fn accepted(reason: Option<Reason>) -> Accepted {
    match reason {
        Some(reason) => Accepted::Declined(reason.as_str().to_owned()),
        None => Accepted::Stored,
    }
}

/// What the adapter hears of an event that is not.
fn refused(failure: Failure) -> IntakeError {
    match failure.downcast_ref() {
        Some(JournalError::Stopped) => IntakeError::Stopping,
        Some(JournalError::Store(_)) | None => IntakeError::Unavailable(failure),
    }
}

/// One reason to think that messages are about to be routed anew, for as long as the value lives.
#[derive(Debug)]
struct Replaying<'a>(&'a AtomicUsize);

impl<'a> Replaying<'a> {
    fn again(replays: &'a AtomicUsize) -> Self {
        replays.fetch_add(1, Ordering::SeqCst);
        Self(replays)
    }
}

impl Drop for Replaying<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}
