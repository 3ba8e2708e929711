-- The journal: what has been acknowledged is durable here, and a session's inbound file is made of it.

-- The key of one of the host's own words to an agent: the same one said twice is one.
ALTER TABLE messages ADD COLUMN word TEXT;
CREATE UNIQUE INDEX messages_word ON messages (session_id, channel, chat, word) WHERE word IS NOT NULL;
CREATE INDEX messages_context ON messages (session_id, seq, created_at) WHERE status = 'context';

-- What a row of a session's inbound file says, besides what `messages` says of it, until it has ended.
CREATE TABLE journal (
    session_id TEXT    NOT NULL,
    seq        INTEGER NOT NULL,
    kind       TEXT    NOT NULL,
    version    INTEGER NOT NULL,
    payload    TEXT    NOT NULL,
    -- Only a sandbox after this one gets it.
    fresh_only INTEGER CHECK (fresh_only >= 0),
    PRIMARY KEY (session_id, seq),
    FOREIGN KEY (session_id, seq) REFERENCES messages (session_id, seq) ON DELETE CASCADE
) STRICT, WITHOUT ROWID;

-- Whoever ends a message ends what is kept for it, in the same step.
CREATE TRIGGER messages_ended AFTER UPDATE OF status ON messages
    WHEN NEW.status IN ('done', 'failed')
BEGIN
    DELETE FROM journal WHERE session_id = NEW.session_id AND seq = NEW.seq;
END;

-- Which start of the machine the sessions' files were last written in. They are not synced: after
-- another one each is made anew before it is used.
ALTER TABLE install ADD COLUMN boot_id TEXT;
ALTER TABLE sessions ADD COLUMN rebuild INTEGER NOT NULL DEFAULT 0 CHECK (rebuild IN (0, 1));
CREATE INDEX sessions_rebuild ON sessions (id) WHERE rebuild = 1;
-- The highest request from inside that was answered.
ALTER TABLE sessions ADD COLUMN replied INTEGER NOT NULL DEFAULT 0 CHECK (replied >= 0);
-- A session of before the journal: what waits in its file is taken over once.
ALTER TABLE sessions ADD COLUMN journaled INTEGER NOT NULL DEFAULT 0 CHECK (journaled IN (0, 1));
CREATE INDEX sessions_not_journaled ON sessions (id) WHERE journaled = 0;
