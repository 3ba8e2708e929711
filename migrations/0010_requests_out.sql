-- What went through the ways out of the sandboxes: who asked whom, and how much, never what.

-- One row for each request, added when it has ended, never changed, and forgotten after a time. Rows
-- refer to what may be gone.
CREATE TABLE requests_out (
    id                 INTEGER PRIMARY KEY,
    session_id         TEXT    NOT NULL,
    agent_group_id     TEXT,
    -- When it came, and how long it took.
    at                 INTEGER NOT NULL,
    took_ms            INTEGER NOT NULL CHECK (took_ms >= 0),
    method             TEXT    NOT NULL,
    host               TEXT    NOT NULL,
    path               TEXT    NOT NULL,
    -- The turn that called a model: its first message's number, as the sandbox tells it.
    turn               INTEGER CHECK (turn > 0),
    -- The model that was called, if one was.
    model              TEXT,
    -- 'answered', 'refused', 'abandoned' or 'unreachable'.
    outcome            TEXT    NOT NULL,
    status             INTEGER,
    rule               TEXT,
    sent_bytes         INTEGER NOT NULL CHECK (sent_bytes >= 0),
    received_bytes     INTEGER NOT NULL CHECK (received_bytes >= 0),
    -- NULL where the provider did not tell.
    input_tokens       INTEGER CHECK (input_tokens >= 0),
    output_tokens      INTEGER CHECK (output_tokens >= 0),
    cache_read_tokens  INTEGER CHECK (cache_read_tokens >= 0),
    cache_write_tokens INTEGER CHECK (cache_write_tokens >= 0),
    reasoning_tokens   INTEGER CHECK (reasoning_tokens >= 0),
    -- Millionths of a dollar; NULL where no prices are known.
    cost_micros        INTEGER CHECK (cost_micros >= 0),
    CHECK ((outcome = 'answered') = (status IS NOT NULL)),
    CHECK ((outcome = 'refused') = (rule IS NOT NULL))
) STRICT;
-- What was spent is summed up from a day on, for all agents or for one.
CREATE INDEX requests_out_at ON requests_out (at);
CREATE INDEX requests_out_group ON requests_out (agent_group_id, at);

CREATE TRIGGER requests_out_stay BEFORE UPDATE ON requests_out
BEGIN SELECT RAISE(ABORT, 'a request on record is not changed'); END;
