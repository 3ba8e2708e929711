//! A provider failed: the message waits for it, or is given up, and who should know is told.

use std::time::Duration;

use anchorhold_core::{
    entity::{MessageStatus, SessionKey},
    ids::{OutboundId, SessionId},
    turn_failure::{LONGEST_WAIT, OnRecord, Past, needs_a_person, on_record},
};
use anchorhold_sessiondb::{Seq, Trouble};
use anchorhold_store::{pull::WaitingMessage, work::Message};
use jiff::Timestamp;
use tracing::{error, info};

use crate::{
    deliver::outcome::later,
    notice,
    pull::{Pull, PullError},
};

/// The clocks of both sides of the wall are one, but for what lies between two looks at it.
const LEEWAY: Duration = Duration::from_secs(10);
/// The most of what a provider said that is kept, in characters.
const DETAIL_CHARS: usize = 300;

impl Pull {
    /// The sandbox wants to try a message again at `until`; the wait, unless it is given up.
    pub(super) async fn later(
        &self,
        key: &SessionKey,
        message: &Message,
        trouble: &Trouble,
        until: Timestamp,
    ) -> Result<Option<WaitingMessage>, PullError> {
        let (now, session, seq) = (self.base.now(), message.session, message.seq);
        let past = Past {
            failures: message.failures,
            age: span(message.failing_since.unwrap_or(now), now),
        };
        let class = trouble.class;
        // What was in one turn stays together, so all of a session wait for the same time.
        let [.., jitter] = session.uuid().into_bytes();
        // A wish for longer than anybody waits was made before the clock was set back.
        let wished = span(now, until);
        let wait = if wished > LONGEST_WAIT + LEEWAY {
            Duration::ZERO
        } else {
            wished
        };
        let decided = on_record(class, wait, past, self.patience, jitter);
        let (wait, tell) = match decided {
            OnRecord::Wait { wait, tell } => (wait, tell),
            OnRecord::GiveUp => {
                // Closed before it ends on record: who dies in between decides the same again.
                self.close(session, seq).await?;
                self.surface(message, trouble, message.failures + 1).await?;
                return Ok(None);
            }
        };
        let next_at = later(now, wait);
        let failures = message.failures + 1;
        let kind = class.as_str();
        info!(%session, seq, kind, failures, %next_at, "message waits for its provider");
        // What is context, or has ended, waits for nothing on record.
        let task = self.base.store.task_of_message(session, seq).await?;
        // Nor does anybody sit and wait for a task.
        if tell && message.status == MessageStatus::Pending && task.is_none() {
            let id = OutboundId::of_row(session, seq).waiting();
            let text = notice::waits_for_provider(class);
            self.say_as(id, message, text).await?;
        }
        if needs_a_person(class) {
            Box::pin(self.owners.provider(key.agent_group, class)).await?;
        }
        Ok(Some(WaitingMessage {
            seq,
            next_at,
            why: why(trouble),
        }))
    }

    /// Tells the session's file how long messages wait. It comes before the record: who dies in
    /// between reads the wish again, and decides anew.
    pub(super) async fn let_wait(
        &self,
        session: SessionId,
        waiting: &[WaitingMessage],
    ) -> Result<(), PullError> {
        let mut dues = Vec::with_capacity(waiting.len());
        for waiting in waiting {
            let tries = self.base.store.message(session, waiting.seq).await?;
            let tries = tries.map_or(0, |message| message.tries);
            dues.extend(Seq::new(waiting.seq).map(|seq| (seq, tries, waiting.next_at)));
        }
        if dues.is_empty() {
            return Ok(());
        }
        self.feed
            .on_file(session, move |files| files.reschedule(&dues))
            .await?;
        Ok(())
    }

    /// A provider's failure that is not waited for: on record with what the provider said, and told
    /// to the person without it.
    pub(super) async fn surface(
        &self,
        message: &Message,
        trouble: &Trouble,
        tries: u32,
    ) -> Result<(), PullError> {
        let (session, seq, class) = (message.session, message.seq, trouble.class);
        let kind = class.as_str();
        error!(%session, seq, kind, tries, "provider failed, message given up");
        let notice = notice::provider_failed(class, tries);
        self.fail(message, &why(trouble), notice).await
    }

    async fn close(&self, session: SessionId, seq: i64) -> Result<(), PullError> {
        if let Some(seq) = Seq::new(seq) {
            self.feed
                .on_file(session, move |files| files.close(&[seq]))
                .await?;
        }
        Ok(())
    }
}

/// What is on record of a failure: for the operator.
fn why(trouble: &Trouble) -> String {
    let class = trouble.class.as_str().replace('_', " ");
    let detail: String = trouble.detail.chars().take(DETAIL_CHARS).collect();
    let detail = detail.replace(char::is_control, " ");
    match detail.trim() {
        "" => format!("the provider failed: {class}"),
        detail => format!("the provider failed: {class} ({detail})"),
    }
}

/// From `earlier` to `later`; zero if that is backwards.
fn span(earlier: Timestamp, later: Timestamp) -> Duration {
    Duration::try_from(later.duration_since(earlier)).unwrap_or_default()
}
