-- What agents do at times: tasks, and each run of them.

CREATE TABLE tasks (
    id                      TEXT    PRIMARY KEY NOT NULL,
    agent_group_id          TEXT    NOT NULL REFERENCES agent_groups (id) ON DELETE CASCADE,
    -- What it is called; of those that have not ended each name is one of a group.
    name                    TEXT    NOT NULL CHECK (name <> ''),
    prompt                  TEXT    NOT NULL,
    -- A command that is run in the sandbox first and says whether the agent is to be woken.
    script                  TEXT,
    -- Once at `once_at`, or again and again by `cron`.
    once_at                 INTEGER,
    cron                    TEXT,
    -- The time zone that it was written in, by its name in the IANA database.
    zone                    TEXT    NOT NULL,
    -- Where its answers go.
    conversation_id         TEXT    NOT NULL REFERENCES conversations (id) ON DELETE CASCADE,
    thread                  TEXT    CHECK (thread <> ''),
    -- The session of a conversation that it runs in, by its key; else it has one of its own.
    apart                   INTEGER NOT NULL CHECK (apart IN (0, 1)),
    session_conversation_id TEXT    REFERENCES conversations (id) ON DELETE CASCADE,
    session_thread          TEXT    CHECK (session_thread <> ''),
    state                   TEXT    NOT NULL CHECK (state IN ('active', 'paused', 'ended')),
    -- Why it is paused or has ended, for people.
    why                     TEXT,
    next_at                 INTEGER,
    -- The number of the run that is under way, or 0, and of the last one.
    running                 INTEGER NOT NULL DEFAULT 0 CHECK (running >= 0),
    runs                    INTEGER NOT NULL DEFAULT 0 CHECK (runs >= 0),
    -- The clock was set back: its next time is to be found anew.
    replan                  INTEGER NOT NULL DEFAULT 0 CHECK (replan IN (0, 1)),
    -- How many runs in a row have failed.
    failures                INTEGER NOT NULL DEFAULT 0 CHECK (failures >= 0),
    -- The request of an agent that made it, and the last that had it run: each is carried out once.
    made_by                 TEXT    UNIQUE,
    run_by                  TEXT,
    created_at              INTEGER NOT NULL,
    ended_at                INTEGER,
    CHECK ((once_at IS NULL) = (cron IS NOT NULL)),
    CHECK (apart = 0 OR (session_conversation_id IS NULL AND session_thread IS NULL)),
    -- One that is neither planned nor under way would wait for ever, unseen.
    CHECK (state <> 'active' OR next_at IS NOT NULL OR running > 0),
    CHECK ((state = 'ended') = (ended_at IS NOT NULL))
) STRICT;
CREATE UNIQUE INDEX tasks_name ON tasks (agent_group_id, name) WHERE state <> 'ended';
CREATE INDEX tasks_group ON tasks (agent_group_id);
CREATE INDEX tasks_conversation ON tasks (conversation_id);
CREATE INDEX tasks_session_conversation ON tasks (session_conversation_id);
CREATE INDEX tasks_due ON tasks (next_at) WHERE state = 'active' AND running = 0;
CREATE INDEX tasks_running ON tasks (id) WHERE running > 0;
CREATE INDEX tasks_replan ON tasks (id) WHERE replan = 1;
CREATE INDEX tasks_ended ON tasks (ended_at) WHERE ended_at IS NOT NULL;

-- A run is claimed in the transaction that makes its message: what has a row here is not run again.
CREATE TABLE task_runs (
    task_id    TEXT    NOT NULL REFERENCES tasks (id) ON DELETE CASCADE,
    number     INTEGER NOT NULL CHECK (number > 0),
    -- Its message, which may be gone.
    session_id TEXT    NOT NULL,
    seq        INTEGER NOT NULL,
    due_at     INTEGER NOT NULL,
    -- So many runs more were due by then.
    missed     INTEGER NOT NULL CHECK (missed >= 0),
    began_at   INTEGER NOT NULL,
    ended_at   INTEGER,
    outcome    TEXT    CHECK (outcome IN ('done', 'failed')),
    why        TEXT,
    PRIMARY KEY (task_id, number),
    CHECK ((ended_at IS NULL) = (outcome IS NULL))
) STRICT, WITHOUT ROWID;
CREATE INDEX task_runs_message ON task_runs (session_id, seq);
CREATE INDEX task_runs_ended ON task_runs (ended_at) WHERE ended_at IS NOT NULL;
