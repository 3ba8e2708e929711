//! The queries of the listings, with the names of their columns.
//!
//! Parameters: `?1` an id, `?2` a group, `?3` a channel, `?4` a user, `?5` whether what is over is
//! shown too, `?6` the limit; the first four are NULL where they do not matter. Ids of ours sort by
//! age, so the latest come first by the primary key.

use crate::views::View;

pub(crate) struct Listing {
    pub(crate) columns: &'static [&'static str],
    pub(crate) sql: &'static str,
}

impl View {
    pub(crate) fn listing(self) -> &'static Listing {
        match self {
            Self::Groups => &GROUPS,
            Self::Conversations => &CONVERSATIONS,
            Self::Wirings => &WIRINGS,
            Self::Users => &USERS,
            Self::Roles => &ROLES,
            Self::Members => &MEMBERS,
            Self::Destinations => &DESTINATIONS,
            Self::Sessions => &SESSIONS,
            Self::Dms => &DMS,
            Self::Dropped => &DROPPED,
            Self::Approvals => &APPROVALS,
            Self::Audit => &AUDIT,
            Self::Undo => &UNDO,
            Self::Deadletters => &DEADLETTERS,
            Self::Requests => &REQUESTS,
            Self::Tasks => &TASKS,
        }
    }
}

const GROUPS: Listing = Listing {
    columns: &["id", "folder", "name", "provider", "model", "runtime", "admin_scope", "assistant_name", "prompt_messages", "tries", "sessions", "managed_by", "created_at", "retired_at"],
    sql: "SELECT g.id, g.folder, g.name, g.provider, g.model, g.runtime, c.admin_scope, c.assistant_name,
         g.prompt_messages, g.tries,
         (SELECT COUNT(*) FROM sessions s WHERE s.agent_group_id = g.id AND s.closed_at IS NULL) AS sessions,
         g.managed_by, g.created_at, g.retired_at
     FROM agent_groups g LEFT JOIN group_config c ON c.agent_group_id = g.id
     WHERE (?1 IS NULL OR g.id = ?1 OR g.folder = ?1) AND (?2 IS NULL OR g.id = ?2)
         AND (?3 IS NULL OR EXISTS (SELECT 1 FROM wirings w
                                    WHERE w.agent_group_id = g.id AND w.channel = ?3))
         AND (?4 IS NULL OR EXISTS (SELECT 1 FROM members m
                                    WHERE m.agent_group_id = g.id AND m.user_id = ?4)
              OR EXISTS (SELECT 1 FROM roles r WHERE r.agent_group_id = g.id AND r.user_id = ?4))
         AND (?5 OR g.retired_at IS NULL)
     ORDER BY g.folder LIMIT ?6",
};

const CONVERSATIONS: Listing = Listing {
    columns: &[
        "id",
        "channel",
        "chat",
        "kind",
        "name",
        "unknown_senders",
        "policy_managed_by",
        "declined_at",
        "created_at",
    ],
    sql: "SELECT c.id, c.channel, c.chat, c.kind, c.name, c.unknown_senders, c.policy_managed_by,
         c.declined_at, c.created_at
     FROM conversations c
     WHERE (?1 IS NULL OR c.id = ?1 OR c.chat = ?1)
         AND (?2 IS NULL
             OR EXISTS (SELECT 1 FROM wirings w WHERE w.channel = c.channel
                        AND COALESCE(w.chat, '') IN ('', c.chat) AND w.agent_group_id = ?2)
             OR EXISTS (SELECT 1 FROM sessions s
                        WHERE s.conversation_id = c.id AND s.agent_group_id = ?2))
         AND (?3 IS NULL OR c.channel = ?3)
         AND (?4 IS NULL OR EXISTS (SELECT 1 FROM direct_chats d
                                    WHERE d.conversation_id = c.id AND d.user_id = ?4))
     ORDER BY c.id DESC LIMIT ?6",
};

const WIRINGS: Listing = Listing {
    columns: &[
        "id",
        "channel",
        "chat",
        "group",
        "group_id",
        "engage",
        "pattern",
        "senders",
        "ignored",
        "session",
        "priority",
        "managed_by",
        "created_at",
    ],
    sql: r#"SELECT w.id, w.channel, COALESCE(w.chat, '*') AS chat, g.folder AS "group", g.id AS group_id,
         w.engage, w.pattern, w.sender_scope AS senders, w.ignored, w.session_mode AS session,
         w.priority, w.managed_by, w.created_at
     FROM wirings w JOIN agent_groups g ON g.id = w.agent_group_id
     WHERE (?1 IS NULL OR w.id = ?1) AND (?2 IS NULL OR w.agent_group_id = ?2)
         AND (?3 IS NULL OR w.channel = ?3) AND ?4 IS NULL
     ORDER BY w.channel, COALESCE(w.chat, ''), w.priority DESC, w.id LIMIT ?6"#,
};

const USERS: Listing = Listing {
    columns: &[
        "id",
        "channel",
        "handle",
        "name",
        "roles",
        "member_of",
        "created_at",
    ],
    sql: "SELECT u.id, u.channel, u.handle, u.display_name AS name,
         (SELECT group_concat(r.role || COALESCE(' of ' || g.folder, ''), ', ') FROM roles r
          LEFT JOIN agent_groups g ON g.id = r.agent_group_id WHERE r.user_id = u.id) AS roles,
         (SELECT group_concat(g.folder, ', ') FROM members m
          JOIN agent_groups g ON g.id = m.agent_group_id WHERE m.user_id = u.id) AS member_of,
         u.created_at
     FROM users u
     WHERE (?1 IS NULL OR u.id = ?1 OR u.handle = ?1)
         AND (?2 IS NULL
             OR EXISTS (SELECT 1 FROM members m WHERE m.user_id = u.id AND m.agent_group_id = ?2)
             OR EXISTS (SELECT 1 FROM roles r WHERE r.user_id = u.id AND r.agent_group_id = ?2))
         AND (?3 IS NULL OR u.channel = ?3) AND (?4 IS NULL OR u.id = ?4)
     ORDER BY u.id DESC LIMIT ?6",
};

const ROLES: Listing = Listing {
    columns: &[
        "user_id",
        "channel",
        "handle",
        "name",
        "role",
        "group",
        "group_id",
        "managed_by",
        "granted_by",
        "granted_at",
    ],
    sql: r#"SELECT r.user_id, u.channel, u.handle, u.display_name AS name, r.role, g.folder AS "group",
         r.agent_group_id AS group_id, r.managed_by, b.handle AS granted_by, r.granted_at
     FROM roles r JOIN users u ON u.id = r.user_id
         LEFT JOIN agent_groups g ON g.id = r.agent_group_id
         LEFT JOIN users b ON b.id = r.granted_by
     WHERE (?1 IS NULL OR u.id = ?1 OR u.handle = ?1) AND (?2 IS NULL OR r.agent_group_id = ?2)
         AND (?3 IS NULL OR u.channel = ?3) AND (?4 IS NULL OR u.id = ?4)
     ORDER BY r.granted_at, u.id LIMIT ?6"#,
};

const MEMBERS: Listing = Listing {
    columns: &[
        "user_id",
        "channel",
        "handle",
        "name",
        "group",
        "group_id",
        "managed_by",
        "added_by",
        "added_at",
    ],
    sql: r#"SELECT m.user_id, u.channel, u.handle, u.display_name AS name, g.folder AS "group",
         m.agent_group_id AS group_id, m.managed_by, b.handle AS added_by, m.added_at
     FROM members m JOIN users u ON u.id = m.user_id
         JOIN agent_groups g ON g.id = m.agent_group_id
         LEFT JOIN users b ON b.id = m.added_by
     WHERE (?1 IS NULL OR u.id = ?1 OR u.handle = ?1) AND (?2 IS NULL OR m.agent_group_id = ?2)
         AND (?3 IS NULL OR u.channel = ?3) AND (?4 IS NULL OR u.id = ?4)
     ORDER BY m.added_at, u.id, g.folder LIMIT ?6"#,
};

const DESTINATIONS: Listing = Listing {
    columns: &[
        "group",
        "group_id",
        "name",
        "type",
        "channel",
        "chat",
        "conversation_id",
        "agent",
        "agent_id",
        "wiring_id",
        "managed_by",
        "created_at",
    ],
    sql: r#"SELECT g.folder AS "group", d.agent_group_id AS group_id, d.name, d.target_type AS type,
         c.channel, c.chat, d.target_conversation_id AS conversation_id,
         t.folder AS agent, d.target_agent_group_id AS agent_id,
         d.wiring_id, d.managed_by, d.created_at
     FROM destinations d JOIN agent_groups g ON g.id = d.agent_group_id
         LEFT JOIN conversations c ON c.id = d.target_conversation_id
         LEFT JOIN agent_groups t ON t.id = d.target_agent_group_id
     WHERE (?1 IS NULL OR d.name = ?1) AND (?2 IS NULL OR d.agent_group_id = ?2)
         AND (?3 IS NULL OR c.channel = ?3) AND ?4 IS NULL
     ORDER BY g.folder, d.name LIMIT ?6"#,
};

const SESSIONS: Listing = Listing {
    columns: &[
        "id",
        "group",
        "group_id",
        "channel",
        "chat",
        "thread",
        "pending",
        "fault",
        "created_at",
        "last_active_at",
        "closed_at",
    ],
    sql: r#"SELECT s.id, g.folder AS "group", s.agent_group_id AS group_id, c.channel, c.chat, s.thread,
         (SELECT COUNT(*) FROM messages m WHERE m.session_id = s.id AND m.status = 'pending') AS pending,
         s.fault, s.created_at, s.last_active_at, s.closed_at
     FROM sessions s JOIN agent_groups g ON g.id = s.agent_group_id
         LEFT JOIN conversations c ON c.id = s.conversation_id
     WHERE (?1 IS NULL OR s.id = ?1) AND (?2 IS NULL OR s.agent_group_id = ?2)
         AND (?3 IS NULL OR c.channel = ?3)
         AND (?4 IS NULL OR EXISTS (SELECT 1 FROM messages m
                                    WHERE m.session_id = s.id AND m.sender_user_id = ?4))
         AND (?5 OR s.closed_at IS NULL)
     ORDER BY s.last_active_at DESC LIMIT ?6"#,
};

const DMS: Listing = Listing {
    columns: &[
        "user_id",
        "channel",
        "handle",
        "name",
        "conversation_id",
        "chat",
        "resolved_at",
    ],
    sql: "SELECT d.user_id, u.channel, u.handle, u.display_name AS name, d.conversation_id, c.chat,
         d.resolved_at
     FROM direct_chats d JOIN users u ON u.id = d.user_id
         JOIN conversations c ON c.id = d.conversation_id
     WHERE (?1 IS NULL OR u.id = ?1 OR u.handle = ?1)
         AND (?2 IS NULL
             OR EXISTS (SELECT 1 FROM members m WHERE m.user_id = u.id AND m.agent_group_id = ?2)
             OR EXISTS (SELECT 1 FROM roles r WHERE r.user_id = u.id AND r.agent_group_id = ?2))
         AND (?3 IS NULL OR u.channel = ?3) AND (?4 IS NULL OR u.id = ?4)
     ORDER BY d.resolved_at DESC LIMIT ?6",
};

const DROPPED: Listing = Listing {
    columns: &["channel", "chat", "handle", "name", "reason", "count", "first_at", "last_at"],
    sql: "SELECT d.channel, d.chat, d.handle, u.display_name AS name, d.reason, d.count, d.first_at, d.last_at
     FROM dropped d LEFT JOIN users u ON u.channel = d.channel AND u.handle = d.handle
     WHERE (?1 IS NULL OR d.handle = ?1 OR d.chat = ?1)
         AND (?2 IS NULL OR EXISTS (SELECT 1 FROM wirings w WHERE w.channel = d.channel
                        AND COALESCE(w.chat, '') IN ('', d.chat) AND w.agent_group_id = ?2))
         AND (?3 IS NULL OR d.channel = ?3) AND (?4 IS NULL OR u.id = ?4)
     ORDER BY d.last_at DESC LIMIT ?6",
};

const APPROVALS: Listing = Listing {
    columns: &[
        "id",
        "code",
        "action",
        "title",
        "status",
        "group",
        "group_id",
        "channel",
        "chat",
        "requested_by",
        "requesting_group",
        "decided_by",
        "created_at",
        "expires_at",
        "decided_at",
        "carried_out_at",
    ],
    sql: r#"SELECT a.id, substr(a.id, -6) AS code, a.action, a.title, a.status, g.folder AS "group",
         a.agent_group_id AS group_id, c.channel, c.chat, r.handle AS requested_by,
         q.folder AS requesting_group, b.handle AS decided_by,
         a.created_at, a.expires_at, a.decided_at, a.carried_out_at
     FROM approvals a LEFT JOIN agent_groups g ON g.id = a.agent_group_id
         LEFT JOIN conversations c ON c.id = a.conversation_id
         LEFT JOIN users r ON r.id = a.requested_by
         LEFT JOIN agent_groups q ON q.id = a.requesting_group_id
         LEFT JOIN users b ON b.id = a.decided_by
     WHERE (?1 IS NULL OR a.id = ?1 OR substr(a.id, -6) = ?1)
         AND (?2 IS NULL OR a.agent_group_id = ?2 OR a.requesting_group_id = ?2)
         AND (?3 IS NULL OR c.channel = ?3) AND (?4 IS NULL OR a.requested_by = ?4)
         AND (?5 OR a.status = 'pending')
     ORDER BY a.id DESC LIMIT ?6"#,
};

const AUDIT: Listing = Listing {
    columns: &["id", "happened_at", "actor", "act", "detail", "ruling"],
    sql: "SELECT a.id, a.at AS happened_at, a.actor, a.act, a.detail, a.ruling
     FROM audit a
     WHERE (?1 IS NULL OR a.id = CAST(?1 AS INTEGER)) AND ?2 IS NULL AND ?3 IS NULL
         AND (?4 IS NULL OR a.actor = 'user ' || ?4)
     ORDER BY a.id DESC LIMIT ?6",
};

const UNDO: Listing = Listing {
    columns: &["id", "what", "deleted_at", "restored_at"],
    sql: "SELECT u.id, u.what, u.deleted_at, u.restored_at
     FROM undo u
     WHERE (?1 IS NULL OR u.id = CAST(?1 AS INTEGER)) AND ?2 IS NULL AND ?3 IS NULL AND ?4 IS NULL
         AND (?5 OR u.restored_at IS NULL)
     ORDER BY u.id DESC LIMIT ?6",
};

const DEADLETTERS: Listing = Listing {
    columns: &[
        "id",
        "status",
        "kind",
        "origin",
        "group",
        "channel",
        "chat",
        "thread",
        "session_id",
        "seq",
        "why",
        "parts_sent",
        "created_at",
        "ended_at",
        "discarded_at",
    ],
    sql: r#"SELECT d.id, d.status, d.kind, d.origin, g.folder AS "group", d.channel, d.chat, d.thread,
         d.session_id, d.seq, d.last_error AS why, d.parts_sent, d.created_at, d.ended_at,
         d.discarded_at
     FROM deliveries d LEFT JOIN sessions s ON s.id = d.session_id
         LEFT JOIN agent_groups g ON g.id = s.agent_group_id
     WHERE d.status IN ('dead', 'unknown') AND (?1 IS NULL OR d.id = ?1)
         AND (?2 IS NULL OR s.agent_group_id = ?2) AND (?3 IS NULL OR d.channel = ?3)
         AND ?4 IS NULL AND (?5 OR d.discarded_at IS NULL)
     ORDER BY d.ended_at DESC LIMIT ?6"#,
};

const REQUESTS: Listing = Listing {
    columns: &[
        "id",
        "came_at",
        "group",
        "session_id",
        "method",
        "host",
        "path",
        "outcome",
        "status",
        "rule",
        "sent_bytes",
        "received_bytes",
        "model",
        "turn",
        "took_ms",
    ],
    sql: r#"SELECT r.id, r.at AS came_at, g.folder AS "group", r.session_id, r.method, r.host, r.path,
         r.outcome, r.status, r.rule, r.sent_bytes, r.received_bytes, r.model, r.turn, r.took_ms
     FROM requests_out r LEFT JOIN agent_groups g ON g.id = r.agent_group_id
     WHERE (?1 IS NULL OR r.id = CAST(?1 AS INTEGER)) AND (?2 IS NULL OR r.agent_group_id = ?2)
         AND ?3 IS NULL AND ?4 IS NULL AND (?5 OR r.outcome <> 'answered')
     ORDER BY r.id DESC LIMIT ?6"#,
};

const TASKS: Listing = Listing {
    columns: &[
        "id",
        "group",
        "name",
        "state",
        "next_at",
        "once_at",
        "cron",
        "zone",
        "channel",
        "chat",
        "thread",
        "runs_in",
        "gated",
        "runs",
        "running",
        "failures",
        "last",
        "last_why",
        "why",
        "created_at",
    ],
    sql: r#"SELECT t.id, g.folder AS "group", t.name, t.state, t.next_at, t.once_at, t.cron, t.zone,
         c.channel, c.chat, t.thread, iif(t.apart, 'its own', 'conversation') AS runs_in,
         t.script IS NOT NULL AS gated, t.runs, t.running, t.failures,
         coalesce(r.outcome, iif(r.number IS NULL, NULL, 'running')) AS last, r.why AS last_why,
         t.why, t.created_at
     FROM tasks t JOIN agent_groups g ON g.id = t.agent_group_id
     JOIN conversations c ON c.id = t.conversation_id
     LEFT JOIN task_runs r ON r.task_id = t.id AND r.number = t.runs
     WHERE (?1 IS NULL OR t.id = ?1 OR t.name = ?1) AND (?2 IS NULL OR t.agent_group_id = ?2)
         AND (?3 IS NULL OR c.channel = ?3) AND ?4 IS NULL AND (?5 OR t.state <> 'ended')
     ORDER BY g.folder, t.next_at IS NULL, t.next_at, t.id LIMIT ?6"#,
};
