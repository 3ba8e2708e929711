-- The central database: what the host knows about agents, people, conversations and work.
--
-- Times are milliseconds since 1970 in UTC, in columns that end in `_at`, `_since` or `_until`.
-- Ids of our own are UUIDs as text; ids of platforms are the platform's text, never split.
-- Every table is STRICT, every closed set of values has a CHECK, and every reference has an index,
-- so that a row can be deleted without a scan of those that point to it.

CREATE TABLE install (
    single     INTEGER PRIMARY KEY CHECK (single = 1),
    id         TEXT    NOT NULL,
    created_at INTEGER NOT NULL
) STRICT;

-- Agents.

CREATE TABLE agent_groups (
    id              TEXT    PRIMARY KEY NOT NULL,
    name            TEXT    NOT NULL,
    folder          TEXT    NOT NULL UNIQUE,
    provider        TEXT    NOT NULL,
    model           TEXT,
    runtime         TEXT    NOT NULL CHECK (runtime IN ('auto', 'docker', 'sandbox')),
    memory_bytes    INTEGER NOT NULL CHECK (memory_bytes >= 0),
    cpu_millis      INTEGER NOT NULL CHECK (cpu_millis >= 0),
    pids            INTEGER NOT NULL CHECK (pids >= 0),
    file_bytes      INTEGER NOT NULL CHECK (file_bytes >= 0),
    progress_ms     INTEGER NOT NULL CHECK (progress_ms >= 0),
    turn_ms         INTEGER NOT NULL CHECK (turn_ms >= 0),
    idle_ms         INTEGER NOT NULL CHECK (idle_ms >= 0),
    prompt_messages INTEGER NOT NULL CHECK (prompt_messages >= 0),
    tries           INTEGER NOT NULL CHECK (tries >= 0),
    managed_by      TEXT    NOT NULL CHECK (managed_by IN ('file', 'runtime')),
    retired_at      INTEGER,
    created_at      INTEGER NOT NULL
) STRICT;

-- What a group has besides; made together with it, so that it is always there.
CREATE TABLE group_config (
    agent_group_id    TEXT    PRIMARY KEY NOT NULL REFERENCES agent_groups (id) ON DELETE CASCADE,
    assistant_name    TEXT,
    effort            TEXT,
    image             TEXT,
    skills            TEXT    NOT NULL DEFAULT '"all"' CHECK (json_valid(skills)),
    mcp_servers       TEXT    NOT NULL DEFAULT '{}' CHECK (json_valid(mcp_servers)),
    packages          TEXT    NOT NULL DEFAULT '{}' CHECK (json_valid(packages)),
    additional_mounts TEXT    NOT NULL DEFAULT '[]' CHECK (json_valid(additional_mounts)),
    admin_scope       TEXT    NOT NULL DEFAULT 'group' CHECK (admin_scope IN ('disabled', 'group', 'global')),
    updated_at        INTEGER NOT NULL
) STRICT;

-- Conversations and who hears them.

CREATE TABLE conversations (
    id                TEXT    PRIMARY KEY NOT NULL,
    channel           TEXT    NOT NULL,
    chat              TEXT    NOT NULL,
    kind              TEXT    NOT NULL CHECK (kind IN ('direct', 'group')),
    name              TEXT,
    unknown_senders   TEXT    NOT NULL CHECK (unknown_senders IN ('strict', 'request_approval', 'public')),
    -- A policy that a person has set is not changed by the file any more.
    policy_managed_by TEXT    NOT NULL CHECK (policy_managed_by IN ('file', 'runtime')),
    declined_at       INTEGER,
    created_at        INTEGER NOT NULL,
    UNIQUE (channel, chat)
) STRICT;

CREATE TABLE wirings (
    id             TEXT    PRIMARY KEY NOT NULL,
    channel        TEXT    NOT NULL,
    -- NULL is every chat of the instance. A chat id is never empty, which the indexes rely on.
    chat           TEXT    CHECK (chat <> ''),
    agent_group_id TEXT    NOT NULL REFERENCES agent_groups (id) ON DELETE CASCADE,
    engage         TEXT    NOT NULL CHECK (engage IN ('pattern', 'mention', 'mention-sticky')),
    pattern        TEXT,
    sender_scope   TEXT    NOT NULL CHECK (sender_scope IN ('all', 'known')),
    ignored        TEXT    NOT NULL CHECK (ignored IN ('drop', 'accumulate')),
    session_mode   TEXT    NOT NULL CHECK (session_mode IN ('shared', 'per-thread', 'agent-shared')),
    priority       INTEGER NOT NULL DEFAULT 0,
    managed_by     TEXT    NOT NULL CHECK (managed_by IN ('file', 'runtime')),
    created_at     INTEGER NOT NULL,
    CHECK (engage <> 'pattern' OR pattern IS NOT NULL)
) STRICT;
CREATE UNIQUE INDEX wirings_key ON wirings (channel, COALESCE(chat, ''), agent_group_id);
CREATE INDEX wirings_agent_group ON wirings (agent_group_id);

-- People.

CREATE TABLE users (
    id           TEXT    PRIMARY KEY NOT NULL,
    channel      TEXT    NOT NULL,
    handle       TEXT    NOT NULL,
    display_name TEXT,
    created_at   INTEGER NOT NULL,
    UNIQUE (channel, handle)
) STRICT;

CREATE TABLE roles (
    user_id        TEXT    NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    role           TEXT    NOT NULL CHECK (role IN ('owner', 'admin')),
    -- NULL is global.
    agent_group_id TEXT    REFERENCES agent_groups (id) ON DELETE CASCADE,
    granted_by     TEXT    REFERENCES users (id) ON DELETE SET NULL,
    granted_at     INTEGER NOT NULL,
    CHECK (role <> 'owner' OR agent_group_id IS NULL)
) STRICT;
CREATE UNIQUE INDEX roles_key ON roles (user_id, role, COALESCE(agent_group_id, ''));
CREATE INDEX roles_agent_group ON roles (agent_group_id, role);
CREATE INDEX roles_granted_by ON roles (granted_by);

CREATE TABLE members (
    user_id        TEXT    NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    agent_group_id TEXT    NOT NULL REFERENCES agent_groups (id) ON DELETE CASCADE,
    added_by       TEXT    REFERENCES users (id) ON DELETE SET NULL,
    added_at       INTEGER NOT NULL,
    PRIMARY KEY (user_id, agent_group_id)
) STRICT;
CREATE INDEX members_agent_group ON members (agent_group_id);
CREATE INDEX members_added_by ON members (added_by);

-- Where a person can be reached first; a cache of what the platform told.
CREATE TABLE direct_chats (
    user_id         TEXT    PRIMARY KEY NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    conversation_id TEXT    NOT NULL REFERENCES conversations (id) ON DELETE CASCADE,
    resolved_at     INTEGER NOT NULL
) STRICT;
CREATE INDEX direct_chats_conversation ON direct_chats (conversation_id);

-- Agents that follow a conversation or thread since a mention.
CREATE TABLE subscriptions (
    agent_group_id  TEXT    NOT NULL REFERENCES agent_groups (id) ON DELETE CASCADE,
    conversation_id TEXT    NOT NULL REFERENCES conversations (id) ON DELETE CASCADE,
    thread          TEXT    CHECK (thread <> ''),
    why             TEXT    NOT NULL,
    began_at        INTEGER NOT NULL
) STRICT;
CREATE UNIQUE INDEX subscriptions_key
    ON subscriptions (agent_group_id, conversation_id, COALESCE(thread, ''));
CREATE INDEX subscriptions_conversation ON subscriptions (conversation_id);

-- Whom an agent may write to, and by what name: address book and permission in one.
CREATE TABLE destinations (
    agent_group_id        TEXT    NOT NULL REFERENCES agent_groups (id) ON DELETE CASCADE,
    name                  TEXT    NOT NULL,
    target_type           TEXT    NOT NULL CHECK (target_type IN ('channel', 'agent')),
    target_conversation_id TEXT   REFERENCES conversations (id) ON DELETE CASCADE,
    target_agent_group_id TEXT    REFERENCES agent_groups (id) ON DELETE CASCADE,
    created_at            INTEGER NOT NULL,
    PRIMARY KEY (agent_group_id, name),
    CHECK ((target_type = 'channel') = (target_conversation_id IS NOT NULL)),
    CHECK ((target_type = 'agent') = (target_agent_group_id IS NOT NULL))
) STRICT;
CREATE INDEX destinations_conversation ON destinations (target_conversation_id);
CREATE INDEX destinations_agent_group ON destinations (target_agent_group_id);

-- Sessions and the messages they owe an answer.

CREATE TABLE sessions (
    id              TEXT    PRIMARY KEY NOT NULL,
    agent_group_id  TEXT    NOT NULL REFERENCES agent_groups (id) ON DELETE CASCADE,
    conversation_id TEXT    REFERENCES conversations (id) ON DELETE CASCADE,
    thread          TEXT    CHECK (thread <> ''),
    generation      INTEGER NOT NULL DEFAULT 0 CHECK (generation >= 0),
    in_seq          INTEGER NOT NULL DEFAULT 0,
    out_cursor      INTEGER NOT NULL DEFAULT 0,
    handled_cursor  INTEGER NOT NULL DEFAULT 0,
    fault           TEXT,
    faulted_at      INTEGER,
    last_active_at  INTEGER NOT NULL,
    created_at      INTEGER NOT NULL,
    closed_at       INTEGER,
    CHECK ((fault IS NULL) = (faulted_at IS NULL))
) STRICT;
CREATE UNIQUE INDEX sessions_open_key
    ON sessions (agent_group_id, COALESCE(conversation_id, ''), COALESCE(thread, ''))
    WHERE closed_at IS NULL;
CREATE INDEX sessions_agent_group ON sessions (agent_group_id);
CREATE INDEX sessions_conversation ON sessions (conversation_id);
CREATE INDEX sessions_last_active ON sessions (last_active_at);
CREATE INDEX sessions_faulted ON sessions (faulted_at) WHERE faulted_at IS NOT NULL;

-- What the platforms have handed us: the ledger against repetition.
CREATE TABLE events (
    channel     TEXT    NOT NULL,
    chat        TEXT    NOT NULL,
    message_id  TEXT    NOT NULL,
    received_at INTEGER NOT NULL,
    outcome     TEXT    NOT NULL CHECK (outcome IN ('stored', 'declined')),
    PRIMARY KEY (channel, chat, message_id)
) STRICT, WITHOUT ROWID;
CREATE INDEX events_received ON events (received_at);

-- What was declined, for people: one row a sender and reason.
CREATE TABLE dropped (
    channel  TEXT    NOT NULL,
    chat     TEXT    NOT NULL,
    handle   TEXT    NOT NULL,
    reason   TEXT    NOT NULL,
    count    INTEGER NOT NULL CHECK (count > 0),
    first_at INTEGER NOT NULL,
    last_at  INTEGER NOT NULL,
    PRIMARY KEY (channel, chat, handle, reason)
) STRICT;
CREATE INDEX dropped_last ON dropped (last_at);

CREATE TABLE messages (
    id                  TEXT    PRIMARY KEY NOT NULL,
    session_id          TEXT    NOT NULL REFERENCES sessions (id) ON DELETE CASCADE,
    seq                 INTEGER NOT NULL CHECK (seq > 0),
    conversation_id     TEXT    REFERENCES conversations (id) ON DELETE SET NULL,
    channel             TEXT    NOT NULL,
    chat                TEXT    NOT NULL,
    thread              TEXT,
    platform_message_id TEXT,
    sender_user_id      TEXT    REFERENCES users (id) ON DELETE SET NULL,
    status              TEXT    NOT NULL CHECK (status IN ('pending', 'context', 'done', 'failed')),
    tries               INTEGER NOT NULL DEFAULT 0 CHECK (tries >= 0),
    next_at             INTEGER,
    due_since           INTEGER,
    last_error          TEXT,
    created_at          INTEGER NOT NULL,
    ended_at            INTEGER,
    UNIQUE (session_id, seq),
    UNIQUE (session_id, channel, chat, platform_message_id),
    -- A pending message without a time would wait for ever, unseen.
    CHECK (status <> 'pending' OR (next_at IS NOT NULL AND due_since IS NOT NULL))
) STRICT;
CREATE INDEX messages_due ON messages (next_at, session_id) WHERE status = 'pending';
CREATE INDEX messages_work ON messages (session_id, seq, next_at, due_since) WHERE status = 'pending';
CREATE INDEX messages_oldest ON messages (created_at) WHERE status = 'pending';
CREATE INDEX messages_failed ON messages (ended_at) WHERE status = 'failed';
CREATE INDEX messages_conversation ON messages (conversation_id);
CREATE INDEX messages_sender ON messages (sender_user_id);

-- Outbound rows that were refused, with the reason; `seq` is the outbound one.
CREATE TABLE rejected_rows (
    session_id  TEXT    NOT NULL REFERENCES sessions (id) ON DELETE CASCADE,
    seq         INTEGER NOT NULL,
    why         TEXT    NOT NULL,
    rejected_at INTEGER NOT NULL,
    PRIMARY KEY (session_id, seq)
) STRICT;
CREATE INDEX rejected_rows_at ON rejected_rows (rejected_at);

-- Deliveries: what is to be said, in the order of `position` within its lane.

CREATE TABLE deliveries (
    position            INTEGER PRIMARY KEY AUTOINCREMENT,
    id                  TEXT    NOT NULL UNIQUE,
    session_id          TEXT    REFERENCES sessions (id) ON DELETE CASCADE,
    -- The outbound sequence number; NULL where the host is the author.
    seq                 INTEGER,
    channel             TEXT    NOT NULL,
    chat                TEXT    NOT NULL,
    thread              TEXT    CHECK (thread <> ''),
    origin              TEXT    NOT NULL CHECK (origin IN ('agent', 'host')),
    in_reply_to         TEXT    REFERENCES messages (id) ON DELETE SET NULL,
    kind                TEXT    NOT NULL,
    payload             TEXT    NOT NULL CHECK (json_valid(payload)),
    status              TEXT    NOT NULL CHECK (status IN ('pending', 'sent', 'unknown', 'dead')),
    parts_sent          INTEGER NOT NULL DEFAULT 0 CHECK (parts_sent >= 0),
    tries               INTEGER NOT NULL DEFAULT 0 CHECK (tries >= 0),
    next_at             INTEGER NOT NULL,
    -- It waits until somebody is there to take it.
    parked              INTEGER NOT NULL DEFAULT 0 CHECK (parked IN (0, 1)),
    last_error          TEXT,
    platform_message_id TEXT,
    created_at          INTEGER NOT NULL,
    ended_at            INTEGER,
    UNIQUE (session_id, seq),
    CHECK (origin = 'host' OR (session_id IS NOT NULL AND seq IS NOT NULL)),
    CHECK ((status = 'pending') = (ended_at IS NULL))
) STRICT;
CREATE INDEX deliveries_lane ON deliveries (channel, chat, thread, position) WHERE status = 'pending';
CREATE INDEX deliveries_due ON deliveries (next_at) WHERE status = 'pending' AND parked = 0;
CREATE INDEX deliveries_parked ON deliveries (channel, chat) WHERE status = 'pending' AND parked = 1;
CREATE INDEX deliveries_oldest ON deliveries (created_at) WHERE status = 'pending';
CREATE INDEX deliveries_session ON deliveries (session_id) WHERE status = 'pending';
CREATE INDEX deliveries_failed ON deliveries (ended_at, status) WHERE status IN ('dead', 'unknown');
CREATE INDEX deliveries_in_reply_to ON deliveries (in_reply_to);

-- Channel instances whose deliveries all wait: the platform has asked for it.
CREATE TABLE parked_channels (
    channel      TEXT    PRIMARY KEY NOT NULL,
    parked_until INTEGER NOT NULL
) STRICT;
CREATE INDEX parked_channels_until ON parked_channels (parked_until);

-- Each try, written down before it is made.
CREATE TABLE attempts (
    id                  INTEGER PRIMARY KEY AUTOINCREMENT,
    delivery_id         TEXT    NOT NULL REFERENCES deliveries (id) ON DELETE CASCADE,
    number              INTEGER NOT NULL CHECK (number > 0),
    part                INTEGER NOT NULL CHECK (part >= 0),
    began_at            INTEGER NOT NULL,
    ended_at            INTEGER,
    outcome             TEXT    CHECK (outcome IN ('sent', 'rate_limited', 'transient', 'ambiguous',
                                                   'permanent', 'unauthorized', 'absent', 'interrupted')),
    platform_message_id TEXT,
    detail              TEXT,
    UNIQUE (delivery_id, number),
    CHECK ((ended_at IS NULL) = (outcome IS NULL))
) STRICT;
CREATE UNIQUE INDEX attempts_open ON attempts (delivery_id) WHERE ended_at IS NULL;
CREATE INDEX attempts_interrupted ON attempts (began_at) WHERE ended_at IS NULL;

-- Questions to people.

CREATE TABLE questions (
    id          TEXT    PRIMARY KEY NOT NULL,
    session_id  TEXT    NOT NULL REFERENCES sessions (id) ON DELETE CASCADE,
    delivery_id TEXT    NOT NULL UNIQUE REFERENCES deliveries (id) ON DELETE CASCADE,
    title       TEXT    NOT NULL,
    options     TEXT    NOT NULL CHECK (json_valid(options)),
    status      TEXT    NOT NULL CHECK (status IN ('open', 'answered', 'expired')),
    answer      TEXT,
    answered_by TEXT    REFERENCES users (id) ON DELETE SET NULL,
    created_at  INTEGER NOT NULL,
    expires_at  INTEGER NOT NULL,
    answered_at INTEGER
) STRICT;
CREATE INDEX questions_session ON questions (session_id);
CREATE INDEX questions_answered_by ON questions (answered_by);
CREATE INDEX questions_open ON questions (expires_at) WHERE status = 'open';

-- Privileged acts that wait for a person: bound to the exact action by its hash.
CREATE TABLE approvals (
    id                  TEXT    PRIMARY KEY NOT NULL,
    action              TEXT    NOT NULL,
    action_hash         TEXT    NOT NULL,
    -- What it is about, so that the same thing is asked once: a sender, a conversation, a package.
    subject             TEXT    NOT NULL,
    payload             TEXT    NOT NULL CHECK (json_valid(payload)),
    title               TEXT    NOT NULL,
    options             TEXT    NOT NULL CHECK (json_valid(options)),
    agent_group_id      TEXT    REFERENCES agent_groups (id) ON DELETE CASCADE,
    conversation_id     TEXT    REFERENCES conversations (id) ON DELETE CASCADE,
    session_id          TEXT    REFERENCES sessions (id) ON DELETE CASCADE,
    requested_by        TEXT    REFERENCES users (id) ON DELETE SET NULL,
    approver_id         TEXT    REFERENCES users (id) ON DELETE SET NULL,
    delivery_id         TEXT    REFERENCES deliveries (id) ON DELETE SET NULL,
    status              TEXT    NOT NULL CHECK (status IN ('pending', 'approved', 'rejected', 'expired')),
    decided_by          TEXT    REFERENCES users (id) ON DELETE SET NULL,
    created_at          INTEGER NOT NULL,
    expires_at          INTEGER NOT NULL,
    decided_at          INTEGER
) STRICT;
CREATE UNIQUE INDEX approvals_pending ON approvals (action, subject, action_hash) WHERE status = 'pending';
CREATE INDEX approvals_expiry ON approvals (expires_at) WHERE status = 'pending';
CREATE INDEX approvals_agent_group ON approvals (agent_group_id);
CREATE INDEX approvals_conversation ON approvals (conversation_id);
CREATE INDEX approvals_session ON approvals (session_id);
CREATE INDEX approvals_requested_by ON approvals (requested_by);
CREATE INDEX approvals_approver ON approvals (approver_id);
CREATE INDEX approvals_delivery ON approvals (delivery_id);
CREATE INDEX approvals_decided_by ON approvals (decided_by);

-- Where each channel stands in what it reads from its platform.
CREATE TABLE cursors (
    channel TEXT NOT NULL,
    name    TEXT NOT NULL,
    value   TEXT NOT NULL,
    PRIMARY KEY (channel, name)
) STRICT, WITHOUT ROWID;
