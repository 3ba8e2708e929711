//! Visible ends: what could not be delivered is told to the agent that said it, to the person in the
//! conversation, and where that can't be, to the owners elsewhere.
//!
//! What it works on is on record (`told_at`), so an end is told whoever died in between, and told
//! once. The operator has the log, the figures of `status`, and `deadletters`.

use std::{collections::HashMap, sync::Arc, time::Duration};

use anchorhold_core::{
    entity::DeliveryStatus,
    ids::{AgentGroupId, SessionId},
};
use anchorhold_store::{
    Error as StoreError,
    attempts::AttemptOutcome,
    deliveries::{Delivery, NewDelivery, Origin},
    ends::{Told, UntoldEnd},
};
use jiff::Timestamp;
use tokio::{sync::Notify, time::sleep};
use tokio_util::sync::CancellationToken;
use tracing::{error, info, warn};

use crate::{
    base::Base,
    deliver::{Deliver, outgoing::Outgoing},
    notice::{self, Undelivered},
    owners::{self, Place},
    reach::Reach,
    report::report,
    sessions::{HOST_WORD, Sessions},
};

/// With every nudge lost, ends are still looked for this often.
const LOOK_EVERY: Duration = Duration::from_secs(30);
/// So many ends are told in one go.
const ENDS_LIMIT: u32 = 100;
/// A session is told of so many ends an hour: each wakes its agent, and its answer may fail, too.
const NOTES_LIMIT: u32 = 5;
/// For this time nobody hears again of one session or conversation that was told enough of.
const QUIET: Duration = Duration::from_hours(1);
/// For so long an agent whose files can't be written keeps others from being told.
const NOTE_PATIENCE: Duration = Duration::from_mins(10);

/// Tells of what was not delivered. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Ends {
    base: Base,
    sessions: Sessions,
    reach: Reach,
    deliver: Deliver,
    nudge: Arc<Notify>,
}

/// How people are told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Way {
    /// In the conversation.
    Here,
    /// The owners, somewhere else.
    Owners,
    /// Not at all.
    Nobody,
}

type Failure = Box<dyn std::error::Error + Send + Sync>;

impl Ends {
    /// Tells of what `deliver` gave up, agents over `sessions` and owners over `reach`.
    pub fn new(base: Base, sessions: Sessions, reach: Reach, deliver: Deliver) -> Self {
        let nudge = deliver.ends();
        Self {
            base,
            sessions,
            reach,
            deliver,
            nudge,
        }
    }

    /// Tells of ends until shutdown; what is being told of then is left to the next host.
    pub async fn run(self, shutdown: CancellationToken) {
        loop {
            let looking = async {
                if let Err(failure) = self.once().await {
                    error!(error = %report(&failure), "can't look for ends to tell of");
                }
            };
            tokio::select! {
                () = looking => {}
                () = shutdown.cancelled() => return,
            }
            tokio::select! {
                () = self.nudge.notified() => {}
                () = sleep(LOOK_EVERY) => {}
                () = shutdown.cancelled() => return,
            }
        }
    }

    /// Tells of all that is there now. What fails for one is tried again and holds no other up.
    async fn once(&self) -> Result<(), StoreError> {
        loop {
            let since = earlier(self.base.now(), QUIET);
            let found = self.base.store.untold_ends(since, ENDS_LIMIT).await?;
            let mut told = 0;
            let mut noted: HashMap<SessionId, u32> = HashMap::new();
            for mut end in found.iter().cloned() {
                let id = end.delivery.id;
                // What its session was told of in this go counts, too.
                let session = end.delivery.session;
                let lately = session.and_then(|session| noted.get(&session));
                end.notes += lately.copied().unwrap_or_default();
                match Box::pin(self.tell(&end)).await {
                    Ok(agent) => {
                        told += 1;
                        if let Some(session) = session.filter(|_| agent) {
                            *noted.entry(session).or_default() += 1;
                        }
                    }
                    Err(failure) => {
                        error!(outbound = %id, error = %report(&*failure), "end not told yet");
                    }
                }
            }
            if told == 0 || found.len() < usize::try_from(ENDS_LIMIT).unwrap_or(usize::MAX) {
                return Ok(());
            }
        }
    }

    /// Tells everybody of one end. First the agent, whose word is one however often it is said, then
    /// people, in the step that puts it on record. Says whether the agent was told.
    async fn tell(&self, end: &UntoldEnd) -> Result<bool, Failure> {
        let way = way(end);
        let note_seq = match self.tell_agent(end, way).await {
            Ok(note_seq) => note_seq,
            Err(failure) if self.is_overdue(&end.delivery) => {
                let id = end.delivery.id;
                error!(outbound = %id, error = %report(&*failure), "agent not told of an end");
                None
            }
            Err(failure) => return Err(failure),
        };
        let notices = match way {
            Way::Here => vec![line(end)?],
            Way::Owners => self.words_to_owners(end).await?,
            Way::Nobody => Vec::new(),
        };
        let told = Told {
            note_seq,
            owners: way == Way::Owners && !notices.is_empty(),
            notices,
        };
        let (id, now) = (end.delivery.id, self.base.now());
        // Where the operator has it sent again meanwhile, it has not ended.
        if self.base.store.end_told(id, &told, now).await? {
            info!(outbound = %id, seq = note_seq, people = told.notices.len(), "end told");
            self.deliver.nudge();
        }
        Ok(note_seq.is_some())
    }

    /// Tells the agent, if it is there to hear it; the number of the word.
    async fn tell_agent(&self, end: &UntoldEnd, way: Way) -> Result<Option<i64>, Failure> {
        let Some((group, session)) = self.listener(end).await? else {
            return Ok(None);
        };
        // Its answer to this may fail as well, so it must not go on for ever.
        if end.answers_note || end.notes >= NOTES_LIMIT {
            warn!(outbound = %end.delivery.id, %session, "agent has heard enough of ends");
            return Ok(None);
        }
        let text = notice::to_agent(&undelivered(end), end.delivery.seq, way == Way::Here);
        let key = format!("{HOST_WORD}delivery {}", end.delivery.id);
        let address = &end.delivery.address;
        let said = self
            .sessions
            .note_at((group, session), address, &text, &key);
        Ok(Some(said.await?.get()))
    }

    /// The agent that said it, in a session that is still open.
    async fn listener(
        &self,
        end: &UntoldEnd,
    ) -> Result<Option<(AgentGroupId, SessionId)>, StoreError> {
        let delivery = &end.delivery;
        let Some(session) = delivery
            .session
            .filter(|_| delivery.origin == Origin::Agent)
        else {
            return Ok(None);
        };
        let row = self.base.store.session(session).await?;
        let open = row.filter(|row| row.closed_at.is_none());
        Ok(open.map(|row| (row.session.key.agent_group, session)))
    }

    /// Has it been tried for so long that the others must not wait any more?
    fn is_overdue(&self, delivery: &Delivery) -> bool {
        let ended = delivery.ended_at.unwrap_or(Timestamp::MIN);
        ended < earlier(self.base.now(), NOTE_PATIENCE)
    }

    /// What the owners are told, where each can be reached; nothing if they were told of this chat
    /// lately.
    async fn words_to_owners(&self, end: &UntoldEnd) -> Result<Vec<NewDelivery>, Failure> {
        let lane = &end.delivery.address;
        let since = earlier(self.base.now(), QUIET);
        let here = (&lane.channel, &lane.chat);
        if self.base.store.owners_told_since(here, since).await? {
            return Ok(Vec::new());
        }
        let by_host = end.delivery.origin == Origin::Host;
        let text = notice::to_owner(&undelivered(end), lane, by_host);
        // Where nothing can be said they can't be told so.
        let (channel, chat) = here;
        let elsewhere = Place::NotIn { channel, chat };
        let id = |owner| end.delivery.id.notice_to(owner);
        let words = owners::words(&self.base, &self.reach, (&text, &id), elsewhere).await?;
        if words.is_empty() {
            error!(outbound = %end.delivery.id, channel = %lane.channel,
                "no owner can be told of what was not delivered");
        }
        Ok(words)
    }
}

/// How people are told of an end.
fn way(end: &UntoldEnd) -> Way {
    let delivery = &end.delivery;
    // What refuses new messages for good refuses the next one, too; a change of an old message is
    // refused for that message's sake.
    let says_something = matches!(delivery.kind.as_str(), "post" | "ask");
    let chat_refuses = end.last == Some(AttemptOutcome::Permanent) && says_something;
    match (delivery.origin, delivery.status) {
        (Origin::Agent, DeliveryStatus::Dead) if chat_refuses => Way::Owners,
        (Origin::Agent, _) => Way::Here,
        (Origin::Host, DeliveryStatus::Dead) => Way::Owners,
        // A word about a word that may well have arrived helps nobody.
        (Origin::Host, _) => Way::Nobody,
    }
}

fn undelivered(end: &UntoldEnd) -> Undelivered<'_> {
    Undelivered {
        kind: &end.delivery.kind,
        why: end
            .delivery
            .last_error
            .as_deref()
            .unwrap_or("nobody knows why"),
        tries: end.failed,
        parts_sent: end.delivery.parts_sent,
        uncertain: end.delivery.status == DeliveryStatus::Unknown,
    }
}

/// The line in the conversation; where something said so already, it is that.
fn line(end: &UntoldEnd) -> Result<NewDelivery, Failure> {
    let delivery = &end.delivery;
    let said = Outgoing::notice(notice::not_delivered(&undelivered(end)));
    let (id, address) = (delivery.id.notice(), delivery.address.clone());
    Ok(said.delivery(id, address, delivery.in_reply_to)?)
}

/// A time that is `span` earlier, or the beginning of time.
fn earlier(now: Timestamp, span: Duration) -> Timestamp {
    now.checked_sub(span).unwrap_or(Timestamp::MIN)
}
