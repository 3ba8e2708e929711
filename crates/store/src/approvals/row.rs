//! A row of approvals as a value, if its act is still the one that was asked for.

use anchorhold_core::{
    entity::ApprovalStatus,
    guard::{self, act::Act},
    ids::{AgentGroupId, ConversationId, OutboundId, QuestionId, SessionId, UserId},
};
use sqlx::sqlite::SqliteRow;

use crate::{
    approvals::{Approval, Pick},
    rows::Fields,
};

/// `None` if the act can't be read or has another hash than what was asked for: it was changed
/// behind the host's back.
pub(super) fn parse_approval(row: &SqliteRow) -> sqlx::Result<Option<Approval>> {
    let fields = Fields::new("approvals", row);
    let hash: String = fields.get("action_hash")?;
    let action: &str = fields.get("action")?;
    let Some(act) = intact(fields.get("payload")?, action, &hash) else {
        return Ok(None);
    };
    let pick: Option<&str> = fields.get("pick")?;
    let pick: Option<Pick> = match pick {
        Some(_) => Some(fields.json("pick")?),
        None => None,
    };
    Ok(Some(Approval {
        id: fields.parsed("id", QuestionId::parse)?,
        act,
        hash,
        title: fields.get("title")?,
        options: fields.json("options")?,
        conversation: fields.opt_parsed("conversation_id", ConversationId::parse)?,
        group: fields.opt_parsed("agent_group_id", AgentGroupId::parse)?,
        session: fields.opt_parsed("session_id", SessionId::parse)?,
        requested_by: fields.opt_parsed("requested_by", UserId::parse)?,
        requesting_group: fields.opt_parsed("requesting_group_id", AgentGroupId::parse)?,
        approver: fields.opt_parsed("approver_id", UserId::parse)?,
        delivery: fields.opt_parsed("delivery_id", OutboundId::parse)?,
        status: fields.value("status", ApprovalStatus::parse)?,
        pick,
        decided_by: fields.opt_parsed("decided_by", UserId::parse)?,
        created_at: fields.time("created_at")?,
        expires_at: fields.time("expires_at")?,
        decided_at: fields.opt_time("decided_at")?,
        carried_out_at: fields.opt_time("carried_out_at")?,
    }))
}

fn intact(payload: &str, action: &str, hash: &str) -> Option<Act> {
    let act: Act = serde_json::from_str(payload).ok()?;
    (act.name() == action && guard::hash(&act) == hash).then_some(act)
}
