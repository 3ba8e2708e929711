//! What the host looks up while it deals with requests: whether somebody has a card, what was
//! refused, what is overdue, and where a session's agent is to be spoken to.

use anchorhold_core::{
    address::Address,
    guard::act::Act,
    ids::{ChannelName, ChatId, ConversationId, QuestionId, SessionId, WiringId},
    inbound::ChatKind,
};
use jiff::Timestamp;

use crate::{
    Error, Store,
    rows::{Fields, chat_kind_text},
    store::{Durability, begin},
    work::END_ALL,
};

pub(crate) const CARD: &str = "SELECT EXISTS (SELECT 1 FROM approvals a
     JOIN deliveries d ON d.id = a.delivery_id
     WHERE a.id = ?1 AND d.status IN ('pending', 'sent', 'unknown'))";

pub(crate) const REJECTED: &str = "SELECT EXISTS (SELECT 1 FROM approvals
     WHERE action = ?1 AND subject = ?2 AND status = 'rejected' AND decided_at >= ?3)";

pub(crate) const PENDING: &str = "SELECT EXISTS (SELECT 1 FROM approvals
     WHERE action = ?1 AND subject = ?2 AND status = 'pending')";

pub(crate) const BEING_CARRIED_OUT: &str = "SELECT id FROM approvals
     WHERE action = ?1 AND subject = ?2 AND status = 'approved' AND carried_out_at IS NULL LIMIT 1";

pub(crate) const REPLAYED_AT: &str = "SELECT a.id FROM approvals a
     JOIN held_events h ON h.approval_id = a.id
     WHERE a.status = 'approved' AND a.carried_out_at IS NULL
         AND h.channel = ?1 AND h.chat = ?2 LIMIT 1";

pub(crate) const OVERDUE: &str = "SELECT id FROM approvals
     WHERE status = 'pending' AND expires_at <= ?1 ORDER BY expires_at LIMIT ?2";

pub(crate) const LAST_ADDRESS: &str = "SELECT channel, chat, thread FROM messages
     WHERE session_id = ?1 ORDER BY seq DESC LIMIT 1";

pub(crate) const OF_CONVERSATION: &str = "SELECT id FROM sessions
     WHERE conversation_id = ?1 AND closed_at IS NULL";

pub(crate) const FORGET_SUBSCRIPTIONS: &str = "DELETE FROM subscriptions
     WHERE agent_group_id = (SELECT agent_group_id FROM wirings WHERE id = ?1)
         AND conversation_id IN (SELECT c.id FROM conversations c
             JOIN wirings w ON w.channel = c.channel AND (w.chat IS NULL OR w.chat = c.chat)
             WHERE w.id = ?1)";

impl Store {
    /// Ends an open session on request: what waits in it is done for this reason, and the next
    /// message of its key begins a fresh one. What it has said is still delivered. `false` if it was
    /// not open.
    pub async fn end_session(
        &self,
        session: SessionId,
        why: &str,
        now: Timestamp,
    ) -> Result<bool, Error> {
        let failed = |source| Error::CloseSession { session, source };
        let mut conn = self.writer(Durability::Process).await.map_err(failed)?;
        let mut tx = begin(&mut conn).await.map_err(failed)?;
        let closed =
            sqlx::query("UPDATE sessions SET closed_at = ?2 WHERE id = ?1 AND closed_at IS NULL")
                .bind(session.to_string())
                .bind(now.as_millisecond())
                .execute(&mut *tx)
                .await
                .map_err(failed)?;
        sqlx::query(END_ALL)
            .bind(session.to_string())
            .bind(why)
            .bind(now.as_millisecond())
            .execute(&mut *tx)
            .await
            .map_err(failed)?;
        tx.commit().await.map_err(failed)?;
        Ok(closed.rows_affected() > 0)
    }

    /// The agent of a wiring follows nothing any more that it heard by that wiring.
    pub async fn forget_subscriptions(&self, wiring: WiringId) -> Result<u64, Error> {
        let failed = |source| Error::UpdateWiring { wiring, source };
        let mut conn = self.writer(Durability::Process).await.map_err(failed)?;
        let done = sqlx::query(FORGET_SUBSCRIPTIONS)
            .bind(wiring.to_string())
            .execute(&mut *conn)
            .await
            .map_err(failed)?;
        Ok(done.rows_affected())
    }

    /// The platform says what kind of chat a conversation is, which was only guessed before.
    pub async fn correct_kind(
        &self,
        conversation: ConversationId,
        kind: ChatKind,
    ) -> Result<(), Error> {
        let failed = |source| Error::ChangeConversation {
            conversation,
            source,
        };
        let mut conn = self.writer(Durability::Process).await.map_err(failed)?;
        sqlx::query("UPDATE conversations SET kind = ?2 WHERE id = ?1")
            .bind(conversation.to_string())
            .bind(chat_kind_text(kind))
            .execute(&mut *conn)
            .await
            .map_err(failed)?;
        Ok(())
    }

    /// Has the card of an approval reached somebody, or is it on its way?
    pub async fn approval_card_is_out(&self, approval: QuestionId) -> Result<bool, Error> {
        let failed = |source| Error::Approval { approval, source };
        let mut conn = self.reader().await.map_err(failed)?;
        sqlx::query_scalar(CARD)
            .bind(approval.to_string())
            .fetch_one(&mut *conn)
            .await
            .map_err(failed)
    }

    /// Was the same, as far as its subject goes, refused since then?
    pub async fn was_rejected_since(&self, act: &Act, since: Timestamp) -> Result<bool, Error> {
        let failed = |source| Error::PendingApprovals { source };
        let mut conn = self.reader().await.map_err(failed)?;
        sqlx::query_scalar(REJECTED)
            .bind(act.name())
            .bind(act.subject())
            .bind(since.as_millisecond())
            .fetch_one(&mut *conn)
            .await
            .map_err(failed)
    }

    /// Is the same, as far as its subject goes, asked for now?
    pub async fn is_asked_for(&self, act: &Act) -> Result<bool, Error> {
        let failed = |source| Error::PendingApprovals { source };
        let mut conn = self.reader().await.map_err(failed)?;
        sqlx::query_scalar(PENDING)
            .bind(act.name())
            .bind(act.subject())
            .fetch_one(&mut *conn)
            .await
            .map_err(failed)
    }

    /// The approval of the same, as far as its subject goes, that is given and not carried out yet.
    pub async fn being_carried_out(&self, act: &Act) -> Result<Option<QuestionId>, Error> {
        let failed = |source| Error::ApprovalsToCarryOut { source };
        let mut conn = self.reader().await.map_err(failed)?;
        let row = sqlx::query(BEING_CARRIED_OUT)
            .bind(act.name())
            .bind(act.subject())
            .fetch_optional(&mut *conn)
            .await
            .map_err(failed)?;
        row.as_ref()
            .map(|row| Fields::new("approvals", row).parsed("id", QuestionId::parse))
            .transpose()
            .map_err(failed)
    }

    /// The approval whose messages of this chat are about to be routed: a later one has to wait
    /// behind them.
    pub async fn replayed_at(
        &self,
        channel: &ChannelName,
        chat: &ChatId,
    ) -> Result<Option<QuestionId>, Error> {
        let failed = |source| Error::ApprovalsToCarryOut { source };
        let mut conn = self.reader().await.map_err(failed)?;
        let row = sqlx::query(REPLAYED_AT)
            .bind(channel.as_str())
            .bind(chat.as_str())
            .fetch_optional(&mut *conn)
            .await
            .map_err(failed)?;
        row.as_ref()
            .map(|row| Fields::new("approvals", row).parsed("id", QuestionId::parse))
            .transpose()
            .map_err(failed)
    }

    /// The approvals that nobody decided in time, the longest overdue first, at most `limit`. They
    /// are still to be withdrawn.
    pub async fn overdue_approvals(
        &self,
        now: Timestamp,
        limit: u32,
    ) -> Result<Vec<QuestionId>, Error> {
        let failed = |source| Error::ExpireApprovals { source };
        let mut conn = self.reader().await.map_err(failed)?;
        let rows = sqlx::query(OVERDUE)
            .bind(now.as_millisecond())
            .bind(limit)
            .fetch_all(&mut *conn)
            .await
            .map_err(failed)?;
        rows.iter()
            .map(|row| Fields::new("approvals", row).parsed("id", QuestionId::parse))
            .collect::<sqlx::Result<_>>()
            .map_err(failed)
    }

    /// Where the last message of a session came from.
    pub async fn last_address(&self, session: SessionId) -> Result<Option<Address>, Error> {
        let failed = |source| Error::Session { session, source };
        let mut conn = self.reader().await.map_err(failed)?;
        let row = sqlx::query(LAST_ADDRESS)
            .bind(session.to_string())
            .fetch_optional(&mut *conn)
            .await
            .map_err(failed)?;
        row.as_ref()
            .map(|row| Fields::new("messages", row).address())
            .transpose()
            .map_err(failed)
    }

    /// The open sessions that only this conversation feeds.
    pub async fn conversation_sessions(
        &self,
        conversation: ConversationId,
    ) -> Result<Vec<SessionId>, Error> {
        let failed = |source| Error::ConversationById {
            conversation,
            source,
        };
        let mut conn = self.reader().await.map_err(failed)?;
        let rows = sqlx::query(OF_CONVERSATION)
            .bind(conversation.to_string())
            .fetch_all(&mut *conn)
            .await
            .map_err(failed)?;
        rows.iter()
            .map(|row| Fields::new("sessions", row).parsed("id", SessionId::parse))
            .collect::<sqlx::Result<_>>()
            .map_err(failed)
    }
}

#[cfg(test)]
mod tests;
