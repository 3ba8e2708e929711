//! What belongs to what is deleted, and how it goes.

use jiff::Timestamp;
use sqlx::{AssertSqlSafe, SqliteConnection};

use crate::undo::What;

/// Rows of one table that belong to what is deleted; `?1` is its id.
pub(super) struct Part {
    pub(super) table: &'static str,
    pub(super) rows: &'static str,
}

const GROUP: &[Part] = &[
    Part {
        table: "agent_groups",
        rows: "id = ?1",
    },
    Part {
        table: "group_config",
        rows: "agent_group_id = ?1",
    },
    Part {
        table: "wirings",
        rows: "agent_group_id = ?1",
    },
    Part {
        table: "roles",
        rows: "agent_group_id = ?1",
    },
    Part {
        table: "members",
        rows: "agent_group_id = ?1",
    },
    Part {
        table: "destinations",
        rows: "agent_group_id = ?1 OR target_agent_group_id = ?1",
    },
    Part {
        table: "subscriptions",
        rows: "agent_group_id = ?1",
    },
];

const CONVERSATION: &[Part] = &[
    Part {
        table: "conversations",
        rows: "id = ?1",
    },
    Part {
        table: "wirings",
        rows: "managed_by = 'runtime'
             AND (channel, chat) = (SELECT channel, chat FROM conversations WHERE id = ?1)",
    },
    Part {
        table: "destinations",
        rows: "target_conversation_id = ?1 AND managed_by = 'runtime' AND NOT EXISTS (
             SELECT 1 FROM wirings w WHERE w.id = wiring_id AND w.managed_by = 'file')",
    },
    Part {
        table: "direct_chats",
        rows: "conversation_id = ?1",
    },
    Part {
        table: "subscriptions",
        rows: "conversation_id = ?1",
    },
];

const WIRING: &[Part] = &[
    Part {
        table: "wirings",
        rows: "id = ?1",
    },
    Part {
        table: "destinations",
        rows: "wiring_id = ?1",
    },
];

const USER: &[Part] = &[
    Part {
        table: "users",
        rows: "id = ?1",
    },
    Part {
        table: "roles",
        rows: "user_id = ?1",
    },
    Part {
        table: "members",
        rows: "user_id = ?1",
    },
    Part {
        table: "direct_chats",
        rows: "user_id = ?1",
    },
];

const OPEN_SESSIONS_OF_GROUP: &str = "agent_group_id = ?1 AND closed_at IS NULL";
const OPEN_SESSIONS_OF_CONVERSATION: &str = "conversation_id = ?1 AND closed_at IS NULL";

/// The parts, in an order in which they can be put back; the first is what is deleted itself.
pub(super) fn parts(what: What) -> &'static [Part] {
    match what {
        What::Group(_) => GROUP,
        What::Conversation(_) => CONVERSATION,
        What::Wiring(_) => WIRING,
        What::User(_) => USER,
    }
}

fn open_sessions(what: What) -> Option<&'static str> {
    match what {
        What::Group(_) => Some(OPEN_SESSIONS_OF_GROUP),
        What::Conversation(_) => Some(OPEN_SESSIONS_OF_CONVERSATION),
        What::Wiring(_) | What::User(_) => None,
    }
}

pub(super) async fn is_there(conn: &mut SqliteConnection, what: What) -> sqlx::Result<bool> {
    let sql = match what {
        What::Group(_) => {
            "SELECT EXISTS (SELECT 1 FROM agent_groups WHERE id = ?1 AND retired_at IS NULL)"
        }
        What::Conversation(_) => "SELECT EXISTS (SELECT 1 FROM conversations WHERE id = ?1)",
        What::Wiring(_) => "SELECT EXISTS (SELECT 1 FROM wirings WHERE id = ?1)",
        What::User(_) => "SELECT EXISTS (SELECT 1 FROM users WHERE id = ?1)",
    };
    sqlx::query_scalar(sql)
        .bind(what.id())
        .fetch_one(conn)
        .await
}

/// Would the configuration file want it back, or fail without it?
pub(super) async fn is_of_file(conn: &mut SqliteConnection, what: What) -> sqlx::Result<bool> {
    let managed: &[&str] = match what {
        What::Group(_) => &[
            "agent_groups",
            "wirings",
            "roles",
            "members",
            "destinations",
        ],
        What::Conversation(_) => &[],
        What::Wiring(_) => &["wirings"],
        What::User(_) => &["roles", "members"],
    };
    for part in parts(what).iter().filter(|p| managed.contains(&p.table)) {
        let sql = format!(
            "SELECT EXISTS (SELECT 1 FROM {} WHERE ({}) AND managed_by = 'file')",
            part.table, part.rows
        );
        let found: bool = sqlx::query_scalar(AssertSqlSafe(sql))
            .bind(what.id())
            .fetch_one(&mut *conn)
            .await?;
        if found {
            return Ok(true);
        }
    }
    Ok(false)
}

pub(super) async fn goes_with(
    conn: &mut SqliteConnection,
    what: What,
) -> sqlx::Result<Vec<(String, u64)>> {
    let mut counted = Vec::new();
    let dependent = parts(what).iter().skip(1);
    let dependent = dependent.filter(|part| part.table != "group_config");
    let sessions = open_sessions(what).map(|rows| ("sessions", rows));
    for (table, rows) in dependent
        .map(|part| (part.table, part.rows))
        .chain(sessions)
    {
        let sql = format!("SELECT COUNT(*) FROM {table} WHERE {rows}");
        let count: i64 = sqlx::query_scalar(AssertSqlSafe(sql))
            .bind(what.id())
            .fetch_one(&mut *conn)
            .await?;
        let count = count.unsigned_abs();
        if count > 0 {
            counted.push((table.to_owned(), count));
        }
    }
    Ok(counted)
}

pub(super) async fn delete(
    conn: &mut SqliteConnection,
    what: What,
    now: Timestamp,
) -> sqlx::Result<()> {
    let id = what.id();
    match what {
        What::Wiring(_) => run(conn, "DELETE FROM wirings WHERE id = ?1", &id).await,
        What::User(_) => run(conn, "DELETE FROM users WHERE id = ?1", &id).await,
        What::Group(_) => {
            delete_parts(conn, what).await?;
            close_sessions(conn, (OPEN_SESSIONS_OF_GROUP, &id), now).await?;
            run(conn, EXPIRE_OF_GROUP, &id).await?;
            sqlx::query(DROP_HELD).execute(&mut *conn).await?;
            retire(conn, &id, now).await
        }
        What::Conversation(_) => {
            delete_parts(conn, what).await?;
            close_sessions(conn, (OPEN_SESSIONS_OF_CONVERSATION, &id), now).await?;
            run(conn, EXPIRE_OF_CONVERSATION, &id).await?;
            sqlx::query(DROP_HELD).execute(&mut *conn).await?;
            run(conn, FORGET, &id).await?;
            run(conn, DELETE_UNUSED, &id).await
        }
    }
}

const EXPIRE_OF_GROUP: &str = "UPDATE approvals SET status = 'expired'
     WHERE status = 'pending' AND (agent_group_id = ?1 OR requesting_group_id = ?1)";

const EXPIRE_OF_CONVERSATION: &str = "UPDATE approvals SET status = 'expired'
     WHERE status = 'pending' AND conversation_id = ?1";

// Messages wait only for approvals that can still be given or carried out.
const DROP_HELD: &str = "DELETE FROM held_events WHERE NOT EXISTS (
     SELECT 1 FROM approvals a WHERE a.id = approval_id
         AND (a.status = 'pending' OR a.status = 'approved' AND a.carried_out_at IS NULL))";

const FORGET: &str = "UPDATE conversations
     SET name = NULL, declined_at = NULL, policy_managed_by = 'file' WHERE id = ?1";

const DELETE_UNUSED: &str = "DELETE FROM conversations WHERE id = ?1
     AND NOT EXISTS (SELECT 1 FROM sessions WHERE conversation_id = ?1)
     AND NOT EXISTS (SELECT 1 FROM messages WHERE conversation_id = ?1)
     AND NOT EXISTS (SELECT 1 FROM approvals WHERE conversation_id = ?1)
     AND NOT EXISTS (SELECT 1 FROM destinations WHERE target_conversation_id = ?1)";

async fn run(conn: &mut SqliteConnection, sql: &'static str, id: &str) -> sqlx::Result<()> {
    sqlx::query(sql).bind(id).execute(conn).await?;
    Ok(())
}

/// The dependent rows go in the opposite order: what others are chosen by goes after them.
async fn delete_parts(conn: &mut SqliteConnection, what: What) -> sqlx::Result<()> {
    let dependent = parts(what).iter().skip(1);
    for part in dependent.rev().filter(|p| p.table != "group_config") {
        let sql = format!("DELETE FROM {} WHERE {}", part.table, part.rows);
        sqlx::query(AssertSqlSafe(sql))
            .bind(what.id())
            .execute(&mut *conn)
            .await?;
    }
    Ok(())
}

/// Closes sessions; what they still had to answer ends.
async fn close_sessions(
    conn: &mut SqliteConnection,
    (rows, id): (&'static str, &str),
    now: Timestamp,
) -> sqlx::Result<()> {
    let end = format!(
        "UPDATE messages SET status = 'done', next_at = NULL, due_since = NULL,
             last_error = 'its session was closed on request', ended_at = ?2
         WHERE status IN ('pending', 'context')
             AND session_id IN (SELECT id FROM sessions WHERE {rows})"
    );
    let close = format!("UPDATE sessions SET closed_at = ?2 WHERE {rows}");
    for sql in [end, close] {
        sqlx::query(AssertSqlSafe(sql))
            .bind(id)
            .bind(now.as_millisecond())
            .execute(&mut *conn)
            .await?;
    }
    Ok(())
}

/// The folder becomes free: the retired group's gets the end of its id, which is random. Folders
/// have at most 64 characters.
async fn retire(conn: &mut SqliteConnection, id: &str, now: Timestamp) -> sqlx::Result<()> {
    sqlx::query(
        "UPDATE agent_groups SET retired_at = ?2,
             folder = substr(folder, 1, 50) || '-' || substr(id, -12) WHERE id = ?1",
    )
    .bind(id)
    .bind(now.as_millisecond())
    .execute(conn)
    .await?;
    Ok(())
}
