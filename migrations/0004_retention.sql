-- What bounded lifetimes need on record.

-- When a session fell asleep: it was silent for long and owed nothing. It stays the session of its
-- key, so the next message wakes it, and its agent remembers.
ALTER TABLE sessions ADD COLUMN dormant_at INTEGER;
CREATE INDEX sessions_awake ON sessions (id) WHERE closed_at IS NULL AND dormant_at IS NULL;
-- When the sweep next looks whether something of the session has outlived its time.
ALTER TABLE sessions ADD COLUMN tend_at INTEGER NOT NULL DEFAULT 0;
CREATE INDEX sessions_tend ON sessions (tend_at);

CREATE INDEX messages_ended ON messages (session_id, ended_at) WHERE ended_at IS NOT NULL;
CREATE INDEX deliveries_ended ON deliveries (ended_at) WHERE ended_at IS NOT NULL;
