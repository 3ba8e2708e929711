//! Privileged acts that wait for a person, each bound to exactly what was asked for.
//!
//! An act is asked for once at a time: two that want the same have one approval. What is decided is
//! decided once, and carried out until [`Store::carried_out`] says that it was; a host that dies in
//! between does it again, so carrying out must bear repetition.

pub mod held;
mod row;

use anchorhold_core::{
    entity::ApprovalStatus,
    guard::{self, act::Act},
    ids::{AgentGroupId, ConversationId, OutboundId, QuestionId, SessionId, UserId},
};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use sqlx::SqliteConnection;

use crate::{
    Error, Store,
    approvals::{held::delete_held, row::parse_approval},
    questions::{CODE_CHARS, CODE_MATCHES, parse_id},
    rows::{Fields, opt_id, to_json},
    store::{Durability, begin},
    trace::Released,
};

pub(crate) const SAME: &str =
    "SELECT id FROM approvals WHERE action = ?1 AND subject = ?2 AND status = 'pending'";

pub(crate) const BY_CODE: &str = "SELECT id FROM approvals
     WHERE status = 'pending' AND substr(id, -length(?1)) = ?1 ORDER BY expires_at LIMIT ?2";

pub(crate) const PENDING: &str =
    "SELECT id FROM approvals WHERE status = 'pending' ORDER BY expires_at LIMIT ?1";

pub(crate) const TO_CARRY_OUT: &str = "SELECT id FROM approvals
     WHERE status = 'approved' AND carried_out_at IS NULL ORDER BY decided_at LIMIT ?1";

pub(crate) const OVERDUE: &str = "SELECT * FROM approvals
     WHERE status = 'pending' AND expires_at <= ?1 ORDER BY expires_at LIMIT ?2";

/// One answer that a card offers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Choice {
    /// What the person reads.
    pub label: String,
    /// What it means.
    pub pick: Pick,
}

/// What an answer means.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Pick {
    /// Do it.
    Approve,
    /// Don't.
    Reject,
    /// Let this agent hear the conversation.
    Connect(AgentGroupId),
    /// Make an agent that hears the conversation.
    NewAgent,
}

/// An approval that is about to be asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewApproval<'a> {
    /// Its id, which is also that of the question to the person.
    pub id: QuestionId,
    /// What is to be done.
    pub act: &'a Act,
    /// A short heading.
    pub title: String,
    /// The answers to choose from, in order.
    pub options: Vec<Choice>,
    /// The conversation it is about.
    pub conversation: Option<ConversationId>,
    /// The agent group it is about.
    pub group: Option<AgentGroupId>,
    /// The session that asked.
    pub session: Option<SessionId>,
    /// The person who asked, or whose message did.
    pub requested_by: Option<UserId>,
    /// The agent group that asked: nobody of it counts as its approver.
    pub requesting_group: Option<AgentGroupId>,
    /// From when on no decision counts.
    pub expires_at: Timestamp,
}

/// Was an approval asked for by this call?
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Opened {
    /// Yes.
    New,
    /// This one is asked for already.
    Exists(QuestionId),
}

/// One approval as it stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Approval {
    /// Its id.
    pub id: QuestionId,
    /// What is to be done: exactly what was asked for.
    pub act: Act,
    /// The act's hash.
    pub hash: String,
    /// Its heading.
    pub title: String,
    /// The answers to choose from, in order.
    pub options: Vec<Choice>,
    /// The conversation it is about.
    pub conversation: Option<ConversationId>,
    /// The agent group it is about.
    pub group: Option<AgentGroupId>,
    /// The session that asked.
    pub session: Option<SessionId>,
    /// The person who asked, or whose message did.
    pub requested_by: Option<UserId>,
    /// The agent group that asked.
    pub requesting_group: Option<AgentGroupId>,
    /// Whom the card went to.
    pub approver: Option<UserId>,
    /// The delivery of the card.
    pub delivery: Option<OutboundId>,
    /// Where it stands.
    pub status: ApprovalStatus,
    /// What was chosen, once it is decided.
    pub pick: Option<Pick>,
    /// Who decided; `None` for the operator, or if nobody has.
    pub decided_by: Option<UserId>,
    /// When it was asked for.
    pub created_at: Timestamp,
    /// From when on no decision counts.
    pub expires_at: Timestamp,
    /// When it was decided.
    pub decided_at: Option<Timestamp>,
    /// When it was carried out.
    pub carried_out_at: Option<Timestamp>,
}

/// What became of a decision.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Decided {
    /// It counts.
    Now,
    /// It was decided before, or has expired.
    Already(ApprovalStatus),
    /// There is no such approval.
    Gone,
}

impl Store {
    /// Asks for an approval, unless the same is asked for already: the same act, or for a sender
    /// or a conversation the same one, whichever agents are offered. However many ask at once, one
    /// is new. Repeating it changes nothing.
    pub async fn open_approval(
        &self,
        fresh: &NewApproval<'_>,
        now: Timestamp,
    ) -> Result<Opened, Error> {
        self.open_inner(fresh, now)
            .await
            .map_err(|source| Error::OpenApproval {
                approval: fresh.id,
                source,
            })
    }

    async fn open_inner(&self, fresh: &NewApproval<'_>, now: Timestamp) -> sqlx::Result<Opened> {
        let hash = guard::hash(fresh.act);
        let subject = match fresh.act.subject() {
            subject if subject.is_empty() => hash.clone(),
            subject => subject,
        };
        let mut conn = self.writer(Durability::Process).await?;
        let mut tx = begin(&mut conn).await?;
        let done = sqlx::query(
            "INSERT INTO approvals (id, action, action_hash, subject, payload, title, options,
                 agent_group_id, conversation_id, session_id, requested_by, requesting_group_id,
                 status, created_at, expires_at)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, 'pending', ?13, ?14)
             ON CONFLICT DO NOTHING",
        )
        .bind(fresh.id.to_string())
        .bind(fresh.act.name())
        .bind(hash)
        .bind(&subject)
        .bind(to_json(fresh.act)?)
        .bind(&fresh.title)
        .bind(to_json(&fresh.options)?)
        .bind(opt_id(fresh.group))
        .bind(opt_id(fresh.conversation))
        .bind(opt_id(fresh.session))
        .bind(opt_id(fresh.requested_by))
        .bind(opt_id(fresh.requesting_group))
        .bind(now.as_millisecond())
        .bind(fresh.expires_at.as_millisecond())
        .execute(&mut *tx)
        .await?;
        if done.rows_affected() > 0 {
            tx.commit().await?;
            return Ok(Opened::New);
        }
        let same = sqlx::query(SAME)
            .bind(fresh.act.name())
            .bind(&subject)
            .fetch_optional(&mut *tx)
            .await?;
        // Without one, it is this very id that is on record, and decided.
        let id = same.as_ref().map_or(Ok(fresh.id), parse_id)?;
        Ok(Opened::Exists(id))
    }

    /// One approval. [`Error::ActChanged`] if its act is not the one that was asked for.
    pub async fn approval(&self, approval: QuestionId) -> Result<Option<Approval>, Error> {
        let failed = |source| Error::Approval { approval, source };
        let mut conn = self.reader().await.map_err(failed)?;
        let row = sqlx::query("SELECT * FROM approvals WHERE id = ?1")
            .bind(approval.to_string())
            .fetch_optional(&mut *conn)
            .await
            .map_err(failed)?;
        let Some(row) = row else {
            return Ok(None);
        };
        match parse_approval(&row).map_err(failed)? {
            Some(known) => Ok(Some(known)),
            None => Err(Error::ActChanged { approval }),
        }
    }

    /// The approvals that wait for a decision and whose id ends in `code`. One of fewer than six
    /// digits names none.
    pub async fn approval_by_code(&self, code: &str) -> Result<Vec<QuestionId>, Error> {
        let failed = |source| Error::ApprovalByCode { source };
        if code.len() < CODE_CHARS {
            return Ok(Vec::new());
        }
        let mut conn = self.reader().await.map_err(failed)?;
        sqlx::query(BY_CODE)
            .bind(code.to_ascii_lowercase())
            .bind(CODE_MATCHES)
            .fetch_all(&mut *conn)
            .await
            .and_then(|rows| rows.iter().map(parse_id).collect())
            .map_err(failed)
    }

    /// Notes whom the card went to, in the place of whoever had it before.
    /// `false`, and nothing changed, if it does not wait any more.
    pub async fn set_approvers(
        &self,
        approval: QuestionId,
        approver: UserId,
        delivery: OutboundId,
    ) -> Result<bool, Error> {
        let failed = |source| Error::SetApprovers { approval, source };
        let mut conn = self.writer(Durability::Process).await.map_err(failed)?;
        let done = sqlx::query(
            "UPDATE approvals SET approver_id = ?2, delivery_id = ?3
             WHERE id = ?1 AND status = 'pending'",
        )
        .bind(approval.to_string())
        .bind(approver.to_string())
        .bind(delivery.to_string())
        .execute(&mut *conn)
        .await
        .map_err(failed)?;
        Ok(done.rows_affected() > 0)
    }

    /// Decides an approval; only the first decision in time counts. With a refusal the messages
    /// that waited are gone. Whether the person may decide is the caller's to judge.
    pub async fn decide_approval(
        &self,
        approval: QuestionId,
        pick: &Pick,
        by: Option<UserId>,
        now: Timestamp,
    ) -> Result<Decided, Error> {
        self.decide_inner(approval, pick, by, now)
            .await
            .map_err(|source| Error::DecideApproval { approval, source })
    }

    async fn decide_inner(
        &self,
        approval: QuestionId,
        pick: &Pick,
        by: Option<UserId>,
        now: Timestamp,
    ) -> sqlx::Result<Decided> {
        let status = match pick {
            Pick::Reject => ApprovalStatus::Rejected,
            Pick::Approve | Pick::Connect(_) | Pick::NewAgent => ApprovalStatus::Approved,
        };
        let mut conn = self.writer(Durability::Process).await?;
        let mut tx = begin(&mut conn).await?;
        let done = sqlx::query(
            "UPDATE approvals SET status = ?2, pick = ?3, decided_by = ?4, decided_at = ?5
             WHERE id = ?1 AND status = 'pending' AND expires_at > ?5",
        )
        .bind(approval.to_string())
        .bind(status.as_str())
        .bind(to_json(pick)?)
        .bind(opt_id(by))
        .bind(now.as_millisecond())
        .execute(&mut *tx)
        .await?;
        if done.rows_affected() == 0 {
            return stands(&mut tx, approval).await;
        }
        if status == ApprovalStatus::Rejected {
            delete_held(&mut tx, approval, Released::Refused, now).await?;
        }
        tx.commit().await?;
        Ok(Decided::Now)
    }

    /// Expires an approval before its time, or one that was given but can't be carried out; the
    /// messages that waited are gone. `false`, and nothing changed, if it is over already.
    pub async fn withdraw_approval(
        &self,
        approval: QuestionId,
        now: Timestamp,
    ) -> Result<bool, Error> {
        let failed = |source| Error::WithdrawApproval { approval, source };
        let mut conn = self.writer(Durability::Process).await.map_err(failed)?;
        let mut tx = begin(&mut conn).await.map_err(failed)?;
        let done = sqlx::query(
            "UPDATE approvals SET status = 'expired' WHERE id = ?1 AND (status = 'pending'
                 OR status = 'approved' AND carried_out_at IS NULL)",
        )
        .bind(approval.to_string())
        .execute(&mut *tx)
        .await
        .map_err(failed)?;
        if done.rows_affected() == 0 {
            return Ok(false);
        }
        delete_held(&mut tx, approval, Released::Expired, now)
            .await
            .map_err(failed)?;
        tx.commit().await.map_err(failed)?;
        Ok(true)
    }

    /// Approvals that wait for a decision, those that expire first, at most `limit`.
    pub async fn pending_approvals(&self, limit: u32) -> Result<Vec<QuestionId>, Error> {
        let failed = |source| Error::PendingApprovals { source };
        let mut conn = self.reader().await.map_err(failed)?;
        ids(&mut conn, PENDING, limit).await.map_err(failed)
    }

    /// Approvals that were given and are not carried out, the oldest decision first, at most
    /// `limit`. One that can't be is to be withdrawn, or it would be here for ever.
    pub async fn approvals_to_carry_out(&self, limit: u32) -> Result<Vec<QuestionId>, Error> {
        let failed = |source| Error::ApprovalsToCarryOut { source };
        let mut conn = self.reader().await.map_err(failed)?;
        ids(&mut conn, TO_CARRY_OUT, limit).await.map_err(failed)
    }

    /// An approval was carried out, and all that waited for it was replayed and dropped.
    ///
    /// `false`, and nothing changed, if messages still wait: one may have come since they were
    /// read. Then they are to be replayed too, and this is to be called again. Also `false` if it
    /// is not one that is to be carried out.
    pub async fn carried_out(&self, approval: QuestionId, now: Timestamp) -> Result<bool, Error> {
        let failed = |source| Error::CarriedOut { approval, source };
        let mut conn = self.writer(Durability::Process).await.map_err(failed)?;
        let done = sqlx::query(
            "UPDATE approvals SET carried_out_at = ?2
             WHERE id = ?1 AND status = 'approved' AND carried_out_at IS NULL
                 AND NOT EXISTS (SELECT 1 FROM held_events WHERE approval_id = ?1)",
        )
        .bind(approval.to_string())
        .bind(now.as_millisecond())
        .execute(&mut *conn)
        .await
        .map_err(failed)?;
        Ok(done.rows_affected() > 0)
    }

    /// Expires approvals whose time is over at `now`, at most `limit`, with the messages that
    /// waited, and returns them. One whose row is damaged expires too, but is not returned.
    pub async fn expire_approvals(
        &self,
        now: Timestamp,
        limit: u32,
    ) -> Result<Vec<Approval>, Error> {
        let failed = |source| Error::ExpireApprovals { source };
        self.expire_inner(now, limit).await.map_err(failed)
    }

    async fn expire_inner(&self, now: Timestamp, limit: u32) -> sqlx::Result<Vec<Approval>> {
        let mut conn = self.writer(Durability::Process).await?;
        let mut tx = begin(&mut conn).await?;
        let rows = sqlx::query(OVERDUE)
            .bind(now.as_millisecond())
            .bind(limit)
            .fetch_all(&mut *tx)
            .await?;
        let mut expired = Vec::new();
        for row in &rows {
            let id = parse_id(row)?;
            sqlx::query("UPDATE approvals SET status = 'expired' WHERE id = ?1")
                .bind(id.to_string())
                .execute(&mut *tx)
                .await?;
            delete_held(&mut tx, id, Released::Expired, now).await?;
            // silent: what can't be read must not keep the others from expiring
            if let Ok(Some(approval)) = parse_approval(row) {
                let status = ApprovalStatus::Expired;
                expired.push(Approval { status, ..approval });
            }
        }
        tx.commit().await?;
        Ok(expired)
    }
}

/// Where an approval stands that can't be decided: one that is pending is past its time.
async fn stands(conn: &mut SqliteConnection, approval: QuestionId) -> sqlx::Result<Decided> {
    let row = sqlx::query("SELECT status FROM approvals WHERE id = ?1")
        .bind(approval.to_string())
        .fetch_optional(conn)
        .await?;
    let Some(row) = row else {
        return Ok(Decided::Gone);
    };
    let status = Fields::new("approvals", &row).value("status", ApprovalStatus::parse)?;
    Ok(Decided::Already(match status {
        ApprovalStatus::Pending | ApprovalStatus::Expired => ApprovalStatus::Expired,
        ApprovalStatus::Approved | ApprovalStatus::Rejected => status,
    }))
}

async fn ids(
    conn: &mut SqliteConnection,
    sql: &'static str,
    limit: u32,
) -> sqlx::Result<Vec<QuestionId>> {
    let rows = sqlx::query(sql).bind(limit).fetch_all(conn).await?;
    rows.iter().map(parse_id).collect()
}

#[cfg(test)]
mod tests;
