-- Where each trigger stands, and the messages that wait for a batch trigger. BLOBs named record are sealed records.

-- Few are due at a time: those that wait for something else than a time are left out of the index.
CREATE TABLE triggers (
    id INTEGER PRIMARY KEY,
    flow_id BLOB NOT NULL UNIQUE,
    due_ms INTEGER,
    row_version INTEGER NOT NULL,
    record BLOB NOT NULL
);
CREATE INDEX triggers_by_due ON triggers (due_ms) WHERE due_ms IS NOT NULL;

-- AUTOINCREMENT as in inbox: a number is never used twice, so consuming twice cannot take another message.
CREATE TABLE messages (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    message_id BLOB NOT NULL UNIQUE,
    flow_id BLOB NOT NULL,
    partition_index BLOB NOT NULL,
    dedupe BLOB,
    size INTEGER NOT NULL,
    created_ms INTEGER NOT NULL,
    record BLOB NOT NULL
);
CREATE INDEX messages_by_partition ON messages (flow_id, partition_index, id);
CREATE UNIQUE INDEX messages_by_dedupe ON messages (flow_id, dedupe) WHERE dedupe IS NOT NULL;

-- To find keys whose row somebody has removed.
CREATE INDEX keys_of_triggers ON keys (scope) WHERE kind = 7;
CREATE INDEX keys_of_messages ON keys (scope) WHERE kind = 8;
