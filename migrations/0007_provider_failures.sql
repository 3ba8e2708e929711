-- What a provider that fails does to a message: it waits, which is no try of the message's own.

-- How often a provider has failed with it, and since when.
ALTER TABLE messages ADD COLUMN failures INTEGER NOT NULL DEFAULT 0;
ALTER TABLE messages ADD COLUMN failing_since INTEGER;
