-- What became of each message, step by step, for whoever asks; and how channels fare.

-- What no other row keeps: decisions with their rules, holds, starts and ends of sandboxes, plans to
-- try again. Rows are added in the transaction that does what they tell of, never changed, and
-- forgotten after a time. They refer to what may be gone, and hold no message text.
CREATE TABLE trace (
    id          INTEGER PRIMARY KEY,
    at          INTEGER NOT NULL,
    what        TEXT    NOT NULL,
    -- The message as its platform knows it.
    channel     TEXT,
    chat        TEXT,
    message_id  TEXT,
    -- The session it happened in, and its message where it is about one.
    session_id  TEXT,
    seq         INTEGER,
    delivery_id TEXT,
    detail      TEXT    NOT NULL CHECK (json_valid(detail))
) STRICT;
-- Each row is in one of these at the most.
CREATE INDEX trace_message ON trace (message_id, chat, channel) WHERE message_id IS NOT NULL;
CREATE INDEX trace_session ON trace (session_id, at) WHERE session_id IS NOT NULL;
CREATE INDEX trace_delivery ON trace (delivery_id) WHERE delivery_id IS NOT NULL;
CREATE INDEX trace_host ON trace (at) WHERE what = 'host';

-- What was decided is forgotten in time, and so is who follows what where nothing is left of it.
CREATE INDEX approvals_over ON approvals (COALESCE(decided_at, expires_at)) WHERE status <> 'pending';
CREATE INDEX subscriptions_began ON subscriptions (began_at);

-- How channel instances fare, across restarts of the host: what was observed, written down coarsely.
CREATE TABLE channel_health (
    channel       TEXT    PRIMARY KEY NOT NULL,
    -- The account that the instance last proved to be.
    identity      TEXT,
    -- The last proof that the way in works, and the last thing that the platform took.
    inbound_at    INTEGER,
    outbound_at   INTEGER,
    -- How often the connection came back, and how often the host started the adapter anew.
    reconnects    INTEGER NOT NULL DEFAULT 0 CHECK (reconnects >= 0),
    restarts      INTEGER NOT NULL DEFAULT 0 CHECK (restarts >= 0),
    last_error    TEXT,
    last_error_at INTEGER,
    -- Since when it is not connected, if it is not, and when the owners were told of that.
    down_since    INTEGER,
    told_at       INTEGER,
    CHECK ((last_error IS NULL) = (last_error_at IS NULL)),
    CHECK (told_at IS NULL OR down_since IS NOT NULL)
) STRICT;
