-- What routing for strangers, approvals, pairing and administration needs on record.

-- Rows that the configuration file made are removed when it no longer has them; others never are.
ALTER TABLE roles ADD COLUMN managed_by TEXT NOT NULL DEFAULT 'runtime'
    CHECK (managed_by IN ('file', 'runtime'));
ALTER TABLE members ADD COLUMN managed_by TEXT NOT NULL DEFAULT 'runtime'
    CHECK (managed_by IN ('file', 'runtime'));
ALTER TABLE destinations ADD COLUMN managed_by TEXT NOT NULL DEFAULT 'runtime'
    CHECK (managed_by IN ('file', 'runtime'));
-- A destination that a wiring implied goes with the wiring.
ALTER TABLE destinations ADD COLUMN wiring_id TEXT REFERENCES wirings (id) ON DELETE CASCADE;
CREATE INDEX destinations_wiring ON destinations (wiring_id);

-- The same index as before for the reference, and it also finds somebody's newest message in a chat.
DROP INDEX messages_sender;
CREATE INDEX messages_sender ON messages (sender_user_id, conversation_id, created_at);
-- All rows of one message: each agent that heard it has one.
CREATE INDEX messages_platform ON messages (platform_message_id, chat, channel);

-- The one-time code that makes a person the owner; one open code a channel instance.
CREATE TABLE pairings (
    channel    TEXT    PRIMARY KEY NOT NULL,
    -- SHA-256 of the salt and the code, both in hexadecimal: the code itself is never stored.
    salt       TEXT    NOT NULL,
    code_hash  TEXT    NOT NULL,
    tries_left INTEGER NOT NULL CHECK (tries_left >= 0),
    created_at INTEGER NOT NULL,
    expires_at INTEGER NOT NULL
) STRICT;

-- Messages that wait for an approval, text only: replayed when it is given, gone with it otherwise.
CREATE TABLE held_events (
    id          INTEGER PRIMARY KEY AUTOINCREMENT,
    approval_id TEXT    NOT NULL REFERENCES approvals (id) ON DELETE CASCADE,
    channel     TEXT    NOT NULL,
    chat        TEXT    NOT NULL,
    thread      TEXT    CHECK (thread <> ''),
    message_id  TEXT    NOT NULL,
    event       TEXT    NOT NULL CHECK (json_valid(event)),
    held_at     INTEGER NOT NULL,
    UNIQUE (approval_id, channel, chat, message_id)
) STRICT;
-- One open request a subject. Where an act has no subject of its own, its hash is the subject, so the
-- act decides; for a sender or a conversation it is asked once, whichever agents are offered.
DROP INDEX approvals_pending;
CREATE UNIQUE INDEX approvals_pending ON approvals (action, subject) WHERE status = 'pending';
-- What was chosen, for whoever carries it out.
ALTER TABLE approvals ADD COLUMN pick TEXT CHECK (json_valid(pick));
-- An approval that was given is carried out once; a host that dies in between does it again.
ALTER TABLE approvals ADD COLUMN carried_out_at INTEGER;
CREATE INDEX approvals_rejected ON approvals (action, subject, decided_at) WHERE status = 'rejected';
CREATE INDEX approvals_to_carry_out ON approvals (decided_at)
    WHERE status = 'approved' AND carried_out_at IS NULL;
-- The agent group that asked, where it was an agent: nobody of it counts as its approver.
ALTER TABLE approvals ADD COLUMN requesting_group_id TEXT REFERENCES agent_groups (id) ON DELETE CASCADE;
CREATE INDEX approvals_requesting_group ON approvals (requesting_group_id);

-- Privileged acts, refused clicks included: who, what, and what was decided.
CREATE TABLE audit (
    id     INTEGER PRIMARY KEY AUTOINCREMENT,
    at     INTEGER NOT NULL,
    actor  TEXT    NOT NULL,
    act    TEXT    NOT NULL,
    detail TEXT    NOT NULL,
    ruling TEXT    NOT NULL CHECK (ruling IN ('allowed', 'held', 'denied', 'approved', 'rejected', 'refused'))
) STRICT;
CREATE INDEX audit_at ON audit (at);

-- What was deleted on request, as rows, so that it can be had back.
CREATE TABLE undo (
    id         INTEGER PRIMARY KEY AUTOINCREMENT,
    what       TEXT    NOT NULL,
    body       TEXT    NOT NULL CHECK (json_valid(body)),
    deleted_at INTEGER NOT NULL,
    restored_at INTEGER
) STRICT;
CREATE INDEX undo_deleted ON undo (deleted_at);
