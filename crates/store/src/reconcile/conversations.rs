//! The file's conversations, and what happens to strangers' messages in all of them.

use std::collections::{BTreeMap, BTreeSet};

use anchorhold_core::{
    entity::{ManagedBy, UnknownSenderPolicy},
    ids::{ChannelName, ChatId, ConversationId},
};
use jiff::Timestamp;
use sqlx::SqliteConnection;

use crate::{
    reconcile::{
        Reconciled,
        conflict::Conflict,
        desired::{DesiredConversation, DesiredPolicy, DesiredTarget, FileConfig},
    },
    rows::{Fields, chat_kind_text},
};

/// The id of a conversation that may not be there.
pub(super) async fn find(
    conn: &mut SqliteConnection,
    channel: &ChannelName,
    chat: &ChatId,
) -> sqlx::Result<Option<ConversationId>> {
    let row = sqlx::query("SELECT id FROM conversations WHERE channel = ?1 AND chat = ?2")
        .bind(channel.as_str())
        .bind(chat.as_str())
        .fetch_optional(conn)
        .await?;
    row.as_ref()
        .map(|row| Fields::new("conversations", row).parsed("id", ConversationId::parse))
        .transpose()
}

/// Destinations that lead to a conversation nobody knows.
pub(super) async fn unknown(
    conn: &mut SqliteConnection,
    file: &FileConfig,
) -> sqlx::Result<Vec<Conflict>> {
    let declared: BTreeSet<_> = file
        .conversations
        .iter()
        .map(|c| (&c.channel, &c.chat))
        .collect();
    let mut conflicts = Vec::new();
    for destination in &file.destinations {
        let DesiredTarget::Chat { channel, chat } = &destination.target else {
            continue;
        };
        if !declared.contains(&(channel, chat)) && find(conn, channel, chat).await?.is_none() {
            conflicts.push(Conflict::UnknownConversation {
                channel: channel.clone(),
                chat: chat.clone(),
            });
        }
    }
    Ok(conflicts)
}

/// Makes the conversations that are not there, and sets policies where no person has.
pub(super) async fn apply(
    conn: &mut SqliteConnection,
    file: &FileConfig,
    now: Timestamp,
    done: &mut Reconciled,
) -> sqlx::Result<()> {
    let of_channels: BTreeMap<_, _> = file
        .policies
        .iter()
        .map(|policy| (&policy.channel, policy.unknown_senders))
        .collect();
    let mut own = BTreeSet::new();
    for desired in &file.conversations {
        let policy = desired
            .unknown_senders
            .or(of_channels.get(&desired.channel).copied())
            .unwrap_or(UnknownSenderPolicy::Strict);
        done.conversations += insert(conn, desired, policy, now).await?;
        fill(conn, desired, now).await?;
        if desired.unknown_senders.is_some() {
            own.insert((desired.channel.as_str(), desired.chat.as_str()));
            set_own_policy(conn, desired, policy, done).await?;
        }
    }
    for policy in &file.policies {
        done.policies += set_policy(conn, policy, &own).await?;
    }
    Ok(())
}

async fn insert(
    conn: &mut SqliteConnection,
    desired: &DesiredConversation,
    policy: UnknownSenderPolicy,
    now: Timestamp,
) -> sqlx::Result<u64> {
    let made = sqlx::query(
        "INSERT INTO conversations (id, channel, chat, kind, name, unknown_senders,
             policy_managed_by, created_at)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, 'file', ?7)
         ON CONFLICT (channel, chat) DO NOTHING",
    )
    .bind(desired.fresh.to_string())
    .bind(desired.channel.as_str())
    .bind(desired.chat.as_str())
    .bind(chat_kind_text(desired.kind))
    .bind(desired.name.as_deref())
    .bind(policy.as_str())
    .bind(now.as_millisecond())
    .execute(conn)
    .await?;
    Ok(made.rows_affected())
}

/// Adds what nobody has said yet: a name, and that the conversation is declined.
async fn fill(
    conn: &mut SqliteConnection,
    desired: &DesiredConversation,
    now: Timestamp,
) -> sqlx::Result<()> {
    sqlx::query(
        "UPDATE conversations SET name = COALESCE(name, ?3),
             declined_at = CASE WHEN ?4 THEN COALESCE(declined_at, ?5) ELSE declined_at END
         WHERE channel = ?1 AND chat = ?2",
    )
    .bind(desired.channel.as_str())
    .bind(desired.chat.as_str())
    .bind(desired.name.as_deref())
    .bind(desired.declined)
    .bind(now.as_millisecond())
    .execute(conn)
    .await?;
    Ok(())
}

/// A policy that a person has set stays, which counts as overruled where the file has another.
async fn set_own_policy(
    conn: &mut SqliteConnection,
    desired: &DesiredConversation,
    policy: UnknownSenderPolicy,
    done: &mut Reconciled,
) -> sqlx::Result<()> {
    let row = sqlx::query(
        "SELECT id, policy_managed_by FROM conversations
         WHERE channel = ?1 AND chat = ?2 AND unknown_senders <> ?3",
    )
    .bind(desired.channel.as_str())
    .bind(desired.chat.as_str())
    .bind(policy.as_str())
    .fetch_optional(&mut *conn)
    .await?;
    let Some(row) = row else { return Ok(()) };
    let fields = Fields::new("conversations", &row);
    match fields.value("policy_managed_by", ManagedBy::parse)? {
        ManagedBy::Runtime => done.overruled += 1,
        ManagedBy::File => {
            write_policy(conn, fields.parsed("id", ConversationId::parse)?, policy).await?;
            done.policies += 1;
        }
    }
    Ok(())
}

/// The channel's policy for all of its conversations that have none of their `own`.
async fn set_policy(
    conn: &mut SqliteConnection,
    policy: &DesiredPolicy,
    own: &BTreeSet<(&str, &str)>,
) -> sqlx::Result<u64> {
    let rows = sqlx::query(
        "SELECT id, chat FROM conversations
         WHERE channel = ?1 AND policy_managed_by = 'file' AND unknown_senders <> ?2",
    )
    .bind(policy.channel.as_str())
    .bind(policy.unknown_senders.as_str())
    .fetch_all(&mut *conn)
    .await?;
    let mut changed = 0;
    for row in &rows {
        let fields = Fields::new("conversations", row);
        let chat: &str = fields.get("chat")?;
        if !own.contains(&(policy.channel.as_str(), chat)) {
            let id = fields.parsed("id", ConversationId::parse)?;
            write_policy(conn, id, policy.unknown_senders).await?;
            changed += 1;
        }
    }
    Ok(changed)
}

async fn write_policy(
    conn: &mut SqliteConnection,
    id: ConversationId,
    policy: UnknownSenderPolicy,
) -> sqlx::Result<()> {
    sqlx::query("UPDATE conversations SET unknown_senders = ?2 WHERE id = ?1")
        .bind(id.to_string())
        .bind(policy.as_str())
        .execute(conn)
        .await?;
    Ok(())
}

#[cfg(test)]
pub(super) mod tests;
