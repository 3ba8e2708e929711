-- Deliveries that ended dead or unknown are told to the agent, to people, and kept for the operator.

-- When everybody who is to know had been told of the end, or put on the way to be told.
ALTER TABLE deliveries ADD COLUMN told_at INTEGER;
-- The number of the host's word to the agent about the end, in the session's inbound file.
ALTER TABLE deliveries ADD COLUMN note_seq INTEGER;
-- When the owners were told of it over another conversation.
ALTER TABLE deliveries ADD COLUMN owners_told_at INTEGER;
-- When the operator had seen it and wanted no more of it.
ALTER TABLE deliveries ADD COLUMN discarded_at INTEGER;
-- What ended before there was anybody to tell is old news.
UPDATE deliveries SET told_at = ended_at WHERE status IN ('dead', 'unknown');

CREATE INDEX deliveries_untold ON deliveries (ended_at, position)
    WHERE status IN ('dead', 'unknown') AND told_at IS NULL;
CREATE INDEX deliveries_notes ON deliveries (session_id, note_seq, told_at) WHERE note_seq IS NOT NULL;
CREATE INDEX deliveries_owners_told ON deliveries (channel, chat, owners_told_at)
    WHERE owners_told_at IS NOT NULL;
-- As before, and it also knows what the operator is done with.
DROP INDEX deliveries_failed;
CREATE INDEX deliveries_failed ON deliveries (ended_at, status, discarded_at)
    WHERE status IN ('dead', 'unknown');
