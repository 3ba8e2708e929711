//! What waits for somebody, looked after now and then: approved and not carried out, never decided,
//! or settled in another way.

use anchorhold_core::{guard::act::Act, ids::QuestionId};
use anchorhold_store::{
    Error as StoreError,
    approvals::{Decided, Pick},
    audit::AuditRuling,
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
            let done = Box::pin(self.carry_out_late(id)).await;
            note(id, done);
        }
        for id in store.pending_approvals(LIMIT).await? {
            let done = Box::pin(self.close_if_wired_now(id)).await;
            note(id, done);
        }
        for id in store.overdue_approvals(now, LIMIT).await? {
            let done = self.end_overdue(id).await;
            note(id, done);
        }
        store.expire_questions(now, LIMIT).await?;
        Ok(())
    }

    async fn carry_out_late(&self, id: QuestionId) -> Result<(), Failure> {
        match self.base.store.approval(id).await {
            Ok(Some(approval)) => Box::pin(self.carry_out(&approval)).await.map(drop),
            Ok(None) => Ok(()),
            Err(failure) => self.withdraw(id, failure).await,
        }
    }

    async fn end_overdue(&self, id: QuestionId) -> Result<(), Failure> {
        let approval = match self.base.store.approval(id).await {
            Ok(Some(approval)) => approval,
            Ok(None) => return Ok(()),
            Err(failure) => return self.withdraw(id, failure).await,
        };
        let said = notice::nobody_decided();
        self.tell_who_waits(&approval, said).await?;
        self.tell_agent(&approval, "Nobody decided in time.")
            .await?;
        let now = self.base.now();
        self.base.store.withdraw_approval(id, now).await?;
        info!(approval = %id, "nobody decided in time");
        Ok(())
    }

    /// A conversation that somebody wired while an owner was asked about it: what waits is answered.
    async fn close_if_wired_now(&self, id: QuestionId) -> Result<(), Failure> {
        let (store, now) = (&self.base.store, self.base.now());
        let approval = match store.approval(id).await {
            Ok(Some(approval)) => approval,
            Ok(None) => return Ok(()),
            Err(failure) => return self.withdraw(id, failure).await,
        };
        let Act::WireConversation { conversation, .. } = &approval.act else {
            return Ok(());
        };
        let Some(row) = store.conversation_by_id(*conversation).await? else {
            return Ok(());
        };
        let (channel, chat) = (&row.conversation.channel, &row.conversation.chat);
        if store.wirings_for(channel, chat).await?.is_empty() {
            return Ok(());
        }
        let decided = store.decide_approval(id, &Pick::Approve, None, now).await?;
        if decided == Decided::Now {
            let (act, ruling) = (&approval.act, AuditRuling::Approved);
            self.approvals.audit("host", act, ruling).await;
            Box::pin(self.carry_out_late(id)).await?;
        }
        Ok(())
    }

    /// An approval whose record can't be read, or whose act was changed, is never carried out.
    pub(super) async fn withdraw(
        &self,
        id: QuestionId,
        failure: StoreError,
    ) -> Result<(), Failure> {
        if !matches!(failure, StoreError::ActChanged { .. }) {
            return Err(failure.into());
        }
        error!(approval = %id, error = %report(&failure), "approval withdrawn");
        let now = self.base.now();
        self.base.store.withdraw_approval(id, now).await?;
        Ok(())
    }
}

/// What fails for one request fails for it alone, and is tried again with the next chores.
fn note(id: QuestionId, done: Result<(), Failure>) {
    if let Err(failure) = done {
        error!(approval = %id, error = %report(&*failure), "request not looked after");
    }
}
