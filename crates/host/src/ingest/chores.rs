//! What waits for somebody, looked after now and then: approved and not carried out, never decided,
//! or settled in another way.

use anchorhold_core::{guard::act::Act, ids::QuestionId};
use anchorhold_store::{
    Error as StoreError,
    approvals::{Decided, Pick},
};
use tracing::{error, info};

use crate::{
    ingest::{Failure, Ingest},
    notice,
    report::report,
};

/// How much is done in one go.
const LIMIT: u32 = 100;

impl Ingest {
    /// Carries out what an earlier host only approved, and ends what nobody decided in time.
    pub(super) async fn chores(&self) -> Result<(), Failure> {
        let (store, now) = (&self.base.store, self.base.now());
        for id in store.approvals_to_carry_out(LIMIT).await? {
            match store.approval(id).await {
                Ok(Some(approval)) => drop(self.carry_out(&approval).await?),
                Ok(None) => {}
                Err(failure) => self.withdraw(id, &failure).await?,
            }
        }
        Box::pin(self.close_what_is_wired_now()).await?;
        for id in store.overdue_approvals(now, LIMIT).await? {
            match store.approval(id).await {
                Ok(Some(approval)) => {
                    let said = notice::nobody_decided();
                    self.tell_who_waits(&approval, said).await?;
                    self.tell_agent(&approval, "Nobody decided in time.")
                        .await?;
                    store.withdraw_approval(id).await?;
                    info!(approval = %id, "nobody decided in time");
                }
                Ok(None) => {}
                Err(failure) => self.withdraw(id, &failure).await?,
            }
        }
        store.expire_questions(now, LIMIT).await?;
        Ok(())
    }

    /// A conversation that somebody wired while an owner was asked about it: what waits is answered.
    async fn close_what_is_wired_now(&self) -> Result<(), Failure> {
        let (store, now) = (&self.base.store, self.base.now());
        for id in store.pending_approvals(LIMIT).await? {
            let Ok(Some(approval)) = store.approval(id).await else {
                continue;
            };
            let Act::WireConversation { conversation, .. } = &approval.act else {
                continue;
            };
            let Some(row) = store.conversation_by_id(*conversation).await? else {
                continue;
            };
            let (channel, chat) = (&row.conversation.channel, &row.conversation.chat);
            if store.wirings_for(channel, chat).await?.is_empty() {
                continue;
            }
            let decided = store.decide_approval(id, &Pick::Approve, None, now).await?;
            if decided == Decided::Now
                && let Some(approval) = store.approval(id).await?
            {
                self.carry_out(&approval).await?;
            }
        }
        Ok(())
    }

    /// An approval whose record can't be read, or whose act was changed, is never carried out.
    async fn withdraw(&self, id: QuestionId, failure: &StoreError) -> Result<(), Failure> {
        if !matches!(failure, StoreError::ActChanged { .. }) {
            return Err(report(failure).to_string().into());
        }
        error!(approval = %id, error = %report(failure), "approval withdrawn");
        self.base.store.withdraw_approval(id).await?;
        Ok(())
    }
}
