//! Sessions and deliveries in a host's central database, for measurements of what is idle and of how
//! fast answers leave.
//!
//! They are written straight into the file, as if a host had had them for long.

use std::{path::Path, time::Duration};

use anyhow::{Context, Result};
use rusqlite::{Connection, OpenFlags, params};

use crate::machine;

/// How long a host that runs is waited for.
const PATIENCE: Duration = Duration::from_secs(10);
/// Sessions are looked after once a day.
const A_DAY_MS: i64 = 24 * 60 * 60 * 1000;

/// Numbers from 0 to below `?1`; before each statement that has `numbers`.
const NUMBERS: &str = "WITH RECURSIVE numbers (n) AS
     (SELECT 0 UNION ALL SELECT n + 1 FROM numbers WHERE n + 1 < ?1)";

const FILL_CONVERSATIONS: &str = "INSERT INTO conversations
     (id, channel, chat, kind, name, unknown_senders, policy_managed_by, created_at)
     SELECT printf('018bcfe5-6800-7000-8001-%012x', n), 'cli', printf('filled-%d', n), 'direct',
         NULL, 'public', 'runtime', ?2
     FROM numbers WHERE ?3 > 0";

const FILL_SESSIONS: &str = "INSERT INTO sessions
     (id, agent_group_id, conversation_id, generation, in_seq, out_cursor, handled_cursor,
      last_active_at, created_at, tend_at)
     SELECT printf('018bcfe5-6800-7000-8002-%012x', n), g.id,
         printf('018bcfe5-6800-7000-8001-%012x', n), 1, 2, 3, 1, ?2, ?2, ?3
     FROM numbers, (SELECT id FROM agent_groups ORDER BY folder LIMIT 1) g";

const FILL_MESSAGES: &str = "INSERT INTO messages
     (id, session_id, seq, conversation_id, channel, chat, platform_message_id, status, tries,
      created_at, ended_at)
     SELECT printf('018bcfe5-6800-7000-8003-%012x', n),
         printf('018bcfe5-6800-7000-8002-%012x', n), 2,
         printf('018bcfe5-6800-7000-8001-%012x', n), 'cli', printf('filled-%d', n), 'm', 'done', 0,
         ?2, ?2
     FROM numbers WHERE ?3 > 0";

const FILL_DELIVERIES: &str = "INSERT INTO deliveries
     (id, channel, chat, origin, kind, payload, status, next_at, created_at)
     SELECT printf('018bcfe5-6800-7000-8004-%012x', n),
         CASE n % ?2 / ?3 WHEN 0 THEN 'cli' ELSE printf('cli%d', n % ?2 / ?3 + 1) END,
         printf('out-%d', n % ?2), 'host', 'post',
         json_object('do', 'post', 'text', printf('answer %d', n), 'voice', 'agent'),
         'pending', ?4, ?4
     FROM numbers";

/// So many sessions, each of which was answered once. Only while no host runs.
pub(super) fn sessions(database: &Path, count: u32) -> Result<()> {
    let mut conn = open(database)?;
    let now = now_ms()?;
    let tx = conn.transaction()?;
    for sql in [FILL_CONVERSATIONS, FILL_SESSIONS, FILL_MESSAGES] {
        let values = params![count, now, now.saturating_add(A_DAY_MS)];
        tx.execute(&format!("{NUMBERS} {sql}"), values)
            .context("fill a database with sessions")?;
    }
    tx.commit()?;
    conn.close().map_err(|(_conn, err)| err)?;
    Ok(())
}

/// The chat of one of the lanes that [`deliveries`] fills.
pub(super) fn lane(number: u32) -> String {
    format!("out-{number}")
}

/// So many deliveries in so many lanes, `per_channel` of them on each channel instance: `cli`,
/// `cli2` and so on. A host may run: it finds them when it looks next.
pub(super) fn deliveries(database: &Path, count: u32, lanes: u32, per_channel: u32) -> Result<()> {
    let conn = open(database)?;
    let values = params![count, lanes, per_channel, now_ms()?];
    conn.execute(&format!("{NUMBERS} {FILL_DELIVERIES}"), values)
        .context("fill a database with deliveries")?;
    Ok(())
}

fn now_ms() -> Result<i64> {
    Ok(i64::try_from(machine::since_epoch()?.as_millis())?)
}

#[expect(
    clippy::disallowed_methods,
    reason = "it is the central database, not a session's file"
)]
fn open(database: &Path) -> Result<Connection> {
    let conn = Connection::open_with_flags(database, OpenFlags::SQLITE_OPEN_READ_WRITE)
        .with_context(|| format!("open {}", database.display()))?;
    conn.busy_timeout(PATIENCE)?;
    Ok(conn)
}
