//! Many wirings and many people in a host's central database, for a measurement to route among.
//!
//! They are written straight into the file while no host runs: to ask a host for each of a million
//! people would take longer than all measurements together.

use std::path::Path;

use anyhow::{Context, Result, ensure};
use rusqlite::{Connection, OpenFlags, ToSql, Transaction};

use crate::bench::client::OWNER;

/// The channel instance that they are all on.
pub(super) const CHANNEL: &str = "cli";
/// The agents that hear each of the chats.
pub(super) const AGENTS: usize = 2;
/// How many chats have wirings of their own, one for each agent.
pub(super) const CHATS: u32 = 2500;
/// How many people are known, the socket's owner included.
pub(super) const USERS: u32 = 1_000_000;
/// Of so many people one is a member at each agent,
const MEMBER_EVERY: u32 = 50;
/// one administers an agent, and
const GROUP_ADMIN_EVERY: u32 = 10_000;
/// one administers everything; the first of these is the owner.
const ADMIN_EVERY: u32 = 100_000;
/// Of so many chats one is quiet: nobody has said there yet what its agents wait for.
const QUIET_EVERY: u32 = 4;
/// When everything came about: in 2023.
const SINCE_MS: i64 = 1_700_000_000_000;
/// Spreads numbers over handles, each to one of its own, since it is odd.
const SPREAD: i64 = 2_654_435_761;
/// So much of the database is kept in memory while it is filled, in KiB.
const CACHE_KIB: i64 = 256 * 1024;

/// Numbers from 0 to below `?1`; before each statement that has `numbers`.
const NUMBERS: &str = "WITH RECURSIVE numbers (n) AS
     (SELECT 0 UNION ALL SELECT n + 1 FROM numbers WHERE n + 1 < ?1)";

const FILL_USERS: &str = "INSERT INTO users (id, channel, handle, display_name, created_at)
     SELECT printf('018bcfe5-6800-7000-8000-%012x', n), ?2,
         CASE n WHEN 0 THEN ?3 ELSE printf('person-%08x', n * ?4 & 0xffffffff) END,
         CASE n WHEN 0 THEN NULL ELSE printf('Person %d', n) END, ?5
     FROM numbers";

const FILL_CONVERSATIONS: &str = "INSERT INTO conversations
     (id, channel, chat, kind, name, unknown_senders, policy_managed_by, created_at)
     SELECT printf('018bcfe5-6800-7000-8001-%012x', n), ?2, printf('chat-%d', n),
         CASE n % 4 WHEN 0 THEN 'direct' ELSE 'group' END, printf('Chat %d', n),
         CASE n % 4 WHEN 2 THEN 'strict' ELSE 'public' END, 'runtime', ?3
     FROM numbers";

// No two patterns are the same, so that there are more of them than a host keeps compiled.
const FILL_WIRINGS: &str =
    "INSERT INTO wirings (id, channel, chat, agent_group_id, engage, pattern,
         sender_scope, ignored, session_mode, priority, managed_by, created_at)
     SELECT printf('018bcfe5-6800-7000-8002-%04x%08x', ?4, n), ?2, printf('chat-%d', n), ?3,
         CASE n % 4 WHEN 2 THEN 'mention' WHEN 3 THEN 'mention-sticky' ELSE 'pattern' END,
         CASE n % 4 WHEN 0 THEN printf('(?i)\\bwake-%d-%d\\b', ?4, n)
                    WHEN 1 THEN CASE ?4 WHEN 0 THEN '.'
                                        ELSE printf('(?i)\\bproject-%d\\b', n) END END,
         CASE WHEN n % 4 = 2 AND ?4 = 1 THEN 'known' ELSE 'all' END,
         CASE WHEN n % 4 = 0 OR ?4 = 0 THEN 'drop' ELSE 'accumulate' END,
         CASE n % 4 WHEN 3 THEN 'per-thread' ELSE 'shared' END, n % 3, 'runtime', ?5
     FROM numbers";

const FILL_DESTINATIONS: &str = "INSERT INTO destinations (agent_group_id, name, target_type,
         target_conversation_id, wiring_id, managed_by, created_at)
     SELECT w.agent_group_id, w.chat, 'channel', c.id, w.id, 'runtime', w.created_at
     FROM wirings w JOIN conversations c ON c.channel = w.channel AND c.chat = w.chat";

const FILL_SUBSCRIPTIONS: &str = "INSERT INTO subscriptions
         (agent_group_id, conversation_id, thread, why, began_at)
     SELECT w.agent_group_id, c.id, NULL, 'mentioned', w.created_at
     FROM wirings w JOIN conversations c ON c.channel = w.channel AND c.chat = w.chat
     WHERE w.engage = 'mention-sticky' AND w.priority = 0";

const FILL_ROLES: &str = "INSERT INTO roles (user_id, role, agent_group_id, granted_at)
     SELECT printf('018bcfe5-6800-7000-8000-%012x', n * ?2 + ?3),
         CASE WHEN n = 0 AND ?3 = 0 THEN 'owner' ELSE 'admin' END, ?4, ?5
     FROM numbers";

const FILL_MEMBERS: &str = "INSERT INTO members (user_id, agent_group_id, added_at)
     SELECT printf('018bcfe5-6800-7000-8000-%012x', n * ?2), ?3, ?4
     FROM numbers";

/// Fills the database of a host that was started once and has [`AGENTS`] agents.
pub(super) fn fill(database: &Path, users: u32) -> Result<()> {
    let mut conn = open(database)?;
    conn.pragma_update(None, "cache_size", -CACHE_KIB)?;
    let tx = conn.transaction()?;
    fill_in(&tx, users).context("fill a database")?;
    tx.commit()?;
    // The last one to close it folds the log into the file.
    conn.close().map_err(|(_conn, err)| err)?;
    Ok(())
}

/// The name of one of the [`CHATS`].
pub(super) fn chat(number: u32) -> String {
    format!("chat-{number}")
}

/// One of the people.
pub(super) fn handle(number: u32) -> String {
    if number == 0 {
        OWNER.to_owned()
    } else {
        let spread = i64::from(number).wrapping_mul(SPREAD) & 0xffff_ffff;
        format!("person-{spread:08x}")
    }
}

/// The name of a chat where nobody has said yet what its agents wait for; no other of the first
/// [`CHATS`] / 4 numbers gives the same.
pub(super) fn quiet_chat(number: u32) -> String {
    chat(number.saturating_mul(QUIET_EVERY))
}

#[expect(
    clippy::disallowed_methods,
    reason = "it is the central database, and no host has it open"
)]
fn open(database: &Path) -> Result<Connection> {
    Connection::open_with_flags(database, OpenFlags::SQLITE_OPEN_READ_WRITE)
        .with_context(|| format!("open {}", database.display()))
}

fn fill_in(tx: &Transaction<'_>, users: u32) -> Result<()> {
    let agents: Vec<String> = tx
        .prepare("SELECT id FROM agent_groups ORDER BY folder")?
        .query_map([], |row| row.get(0))?
        .collect::<rusqlite::Result<_>>()?;
    ensure!(
        agents.len() == AGENTS,
        "there should be {AGENTS} agents, and there are {}",
        agents.len()
    );
    let fill = |sql: &str, values: &[&dyn ToSql]| tx.execute(&format!("{NUMBERS} {sql}"), values);
    fill(FILL_USERS, &[&users, &CHANNEL, &OWNER, &SPREAD, &SINCE_MS])?;
    fill(FILL_CONVERSATIONS, &[&CHATS, &CHANNEL, &SINCE_MS])?;
    let roles = |every: u32, first: u32, agent: Option<&str>| {
        let count = users.div_ceil(every);
        fill(FILL_ROLES, &[&count, &every, &first, &agent, &SINCE_MS])
    };
    roles(ADMIN_EVERY, 0, None)?;
    for (number, agent) in (0_u32..).zip(&agents) {
        fill(FILL_WIRINGS, &[&CHATS, &CHANNEL, agent, &number, &SINCE_MS])?;
        // Not the same people as those who administer everything.
        roles(GROUP_ADMIN_EVERY, number.saturating_add(1), Some(agent))?;
        let members = users.div_ceil(MEMBER_EVERY);
        fill(FILL_MEMBERS, &[&members, &MEMBER_EVERY, agent, &SINCE_MS])?;
    }
    tx.execute(FILL_DESTINATIONS, [])?;
    tx.execute(FILL_SUBSCRIPTIONS, [])?;
    Ok(())
}

#[cfg(test)]
mod tests;
