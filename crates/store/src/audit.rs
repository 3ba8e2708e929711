//! Privileged acts on record, refused ones included: who, what, and what was decided.

use anchorhold_core::guard::Ruling;
use jiff::Timestamp;

use crate::{
    Error, Store,
    rows::text_enum,
    store::{Durability, begin},
};

/// So many of the newest lines are kept.
const KEPT: i64 = 10_000;
/// The most lines that one new line prunes: more than come in, and never a long transaction.
const PRUNED_AT_ONCE: i64 = 100;
/// The longest detail that is kept, in characters.
const DETAIL_CHARS: usize = 1000;

pub(crate) const PRUNE: &str = "DELETE FROM audit WHERE id IN (
     SELECT id FROM audit WHERE id <= ?1 ORDER BY id LIMIT ?2)";

text_enum! {
    /// What was decided.
    AuditRuling {
        /// It was carried out at once.
        Allowed = "allowed",
        /// It waits for an approval.
        Held = "held",
        /// It was denied.
        Denied = "denied",
        /// Somebody approved it.
        Approved = "approved",
        /// Somebody rejected it.
        Rejected = "rejected",
        /// Somebody tried to decide who may not.
        Refused = "refused",
    }
}

impl From<Ruling> for AuditRuling {
    fn from(ruling: Ruling) -> Self {
        match ruling {
            Ruling::Allow => Self::Allowed,
            Ruling::Hold => Self::Held,
            Ruling::Deny(_) => Self::Denied,
        }
    }
}

/// One line of the record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AuditEntry<'a> {
    /// Who; see `anchorhold_core::guard::Actor::label`.
    pub actor: &'a str,
    /// The act's name.
    pub act: &'a str,
    /// What it was about, by ids; what is too long is cut.
    pub detail: &'a str,
    /// What was decided.
    pub ruling: AuditRuling,
}

impl Store {
    /// Puts a privileged act on record, and forgets the oldest where there are too many.
    pub async fn audit(&self, entry: &AuditEntry<'_>, now: Timestamp) -> Result<(), Error> {
        self.audit_inner(entry, now)
            .await
            .map_err(|source| Error::Audit { source })
    }

    async fn audit_inner(&self, entry: &AuditEntry<'_>, now: Timestamp) -> sqlx::Result<()> {
        let detail: String = entry.detail.chars().take(DETAIL_CHARS).collect();
        let mut conn = self.writer(Durability::Process).await?;
        let mut tx = begin(&mut conn).await?;
        let done = sqlx::query(
            "INSERT INTO audit (at, actor, act, detail, ruling) VALUES (?1, ?2, ?3, ?4, ?5)",
        )
        .bind(now.as_millisecond())
        .bind(entry.actor)
        .bind(entry.act)
        .bind(detail)
        .bind(entry.ruling.as_str())
        .execute(&mut *tx)
        .await?;
        sqlx::query(PRUNE)
            .bind(done.last_insert_rowid().saturating_sub(KEPT))
            .bind(PRUNED_AT_ONCE)
            .execute(&mut *tx)
            .await?;
        tx.commit().await
    }
}

#[cfg(test)]
mod tests;
