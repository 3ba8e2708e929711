//! From a stored delivery to the operations that are left to do: numbers become the platform's ids, names
//! become files, a question is opened.

use std::time::Duration;

use anchorhold_core::{ids::PlatformMessageId, outbound::OutboundOp};
use anchorhold_sessiondb::{Disposition, Seq};
use anchorhold_store::{Error as StoreError, deliveries::Delivery, questions::NewQuestion};
use tracing::warn;

use crate::{
    blocking::blocking,
    deliver::{
        Deliver, Failure,
        outcome::later,
        outgoing::{Outgoing, Resolved, operations},
    },
    registry::Instance,
    report::report,
};

/// How long an agent's question can be answered where it does not say, and at most.
const QUESTION_LIFE: Duration = Duration::from_hours(24);
const QUESTION_LIFE_LIMIT: Duration = Duration::from_hours(7 * 24);

impl Deliver {
    /// The operations that are left to do; an inner error says why there can be none.
    pub(super) async fn prepare(
        &self,
        delivery: &Delivery,
        outgoing: Result<Outgoing, serde_json::Error>,
        answers: Option<PlatformMessageId>,
        instance: &Instance,
    ) -> Result<Result<Vec<OutboundOp>, String>, Failure> {
        let Ok(outgoing) = outgoing else {
            return Ok(Err("its record can't be read".to_owned()));
        };
        let mut resolved = match self.resolve(delivery, &outgoing).await? {
            Ok(resolved) => resolved,
            Err(why) => return Ok(Err(why)),
        };
        resolved.reply_to = answers;
        let caps = instance.adapter.caps();
        let operations = match operations(outgoing, resolved, caps) {
            Ok(operations) => operations,
            Err(why) => return Ok(Err(why)),
        };
        let done = usize::try_from(delivery.parts_sent).unwrap_or(usize::MAX);
        let left: Vec<_> = operations.into_iter().skip(done).collect();
        if left.is_empty() {
            // The platform's limit has grown since the first parts were sent.
            return Ok(Err("nobody can say which of its parts are left".to_owned()));
        }
        Ok(Ok(left))
    }

    async fn resolve(
        &self,
        delivery: &Delivery,
        outgoing: &Outgoing,
    ) -> Result<Result<Resolved, String>, Failure> {
        let mut resolved = Resolved::default();
        match outgoing {
            Outgoing::Post { files, .. } if files.is_empty() => {}
            Outgoing::Post { files, .. } => {
                let Some((session, seq)) = delivery.session.zip(delivery.seq.and_then(Seq::new))
                else {
                    return Ok(Err("its files belong to no session".to_owned()));
                };
                let (side, names) = (self.base.files(session), files.clone());
                match blocking(move || side.read_outbox(seq, &names)).await? {
                    Ok(files) => resolved.files = files,
                    Err(failure) if failure.disposition() != Disposition::Quarantine => {
                        // The host's own trouble is no reason to give the delivery up.
                        return Err(failure.into());
                    }
                    Err(failure) => {
                        warn!(error = %report(&failure), "outbox refused");
                        return Ok(Err(
                            "one of its files is not a plain file of acceptable size".to_owned(),
                        ));
                    }
                }
            }
            Outgoing::Edit { target, .. }
            | Outgoing::Delete { target }
            | Outgoing::React { target, .. } => {
                resolved.target = self.platform_id(delivery, *target).await?;
            }
            Outgoing::Ask { .. } => self.open_question(delivery, outgoing).await?,
        }
        Ok(Ok(resolved))
    }

    /// Puts an agent's question on record before it is asked, so that no answer comes too early.
    /// One of the host's own is on record as what it asks for.
    async fn open_question(
        &self,
        delivery: &Delivery,
        outgoing: &Outgoing,
    ) -> Result<(), StoreError> {
        let Outgoing::Ask {
            question,
            title,
            options,
            expires_ms,
            ..
        } = outgoing
        else {
            return Ok(());
        };
        let Some(session) = delivery.session.filter(|_| delivery.seq.is_some()) else {
            return Ok(());
        };
        let wished = expires_ms.map_or(QUESTION_LIFE, Duration::from_millis);
        let life = wished.min(QUESTION_LIFE_LIMIT);
        let now = self.base.now();
        let fresh = NewQuestion {
            id: *question,
            session,
            delivery: delivery.id,
            title: title.clone(),
            options: options.clone(),
            expires_at: later(now, life),
        };
        self.base.store.open_question(&fresh, now).await
    }

    /// The platform's id of message `seq` of the delivery's session, if it has one.
    async fn platform_id(
        &self,
        delivery: &Delivery,
        seq: i64,
    ) -> Result<Option<PlatformMessageId>, StoreError> {
        let Some(session) = delivery.session else {
            return Ok(None);
        };
        if seq % 2 == 0 {
            let message = self.base.store.message(session, seq).await?;
            return Ok(message.and_then(|message| message.platform_message_id));
        }
        let earlier = self.base.store.delivery_by_seq(session, seq).await?;
        Ok(earlier.and_then(|earlier| earlier.platform_message_id))
    }
}
