-- The first released schema. Its number is 11: numbers 1 to 10 belong to versions that were never released.
--
-- docs/reference/clear-columns.md lists every column; BLOBs named record, head, summary and sealed are sealed records.

CREATE TABLE meta (
    id INTEGER PRIMARY KEY CHECK (id = 1),
    environment_id BLOB NOT NULL
);

CREATE TABLE environment_keys (
    domain INTEGER NOT NULL,
    version INTEGER NOT NULL,
    kek BLOB NOT NULL,
    kid BLOB NOT NULL,
    wrapped BLOB NOT NULL,
    policy_epoch INTEGER NOT NULL,
    mac BLOB NOT NULL,
    predecessor_mac BLOB,
    created_ms INTEGER NOT NULL,
    PRIMARY KEY (domain, version)
);

-- Scope keys. Deleting a row shreds what it sealed. Ids are random or ordered by time, so one index serves both look-up and uniqueness.
CREATE TABLE keys (
    id INTEGER PRIMARY KEY,
    kind INTEGER NOT NULL,
    scope BLOB NOT NULL,
    generation INTEGER NOT NULL,
    domain INTEGER NOT NULL,
    key_version INTEGER NOT NULL,
    kid BLOB NOT NULL,
    wrapped BLOB NOT NULL,
    FOREIGN KEY (domain, key_version) REFERENCES environment_keys (domain, version)
);
CREATE UNIQUE INDEX keys_by_scope ON keys (scope, kind, generation);
CREATE INDEX keys_of_flows ON keys (scope) WHERE kind = 2;

-- Filled in the control store only.
CREATE TABLE environments (
    environment_id BLOB PRIMARY KEY,
    name_index BLOB NOT NULL UNIQUE,
    row_version INTEGER NOT NULL,
    created_ms INTEGER NOT NULL,
    record BLOB NOT NULL
);

CREATE TABLE flows (
    id INTEGER PRIMARY KEY,
    flow_id BLOB NOT NULL UNIQUE,
    name_index BLOB NOT NULL UNIQUE,
    domain INTEGER NOT NULL,
    version INTEGER NOT NULL,
    row_version INTEGER NOT NULL,
    created_ms INTEGER NOT NULL,
    updated_ms INTEGER NOT NULL,
    record BLOB NOT NULL
);

CREATE TABLE versions (
    flow_id BLOB NOT NULL,
    number INTEGER NOT NULL,
    created_ms INTEGER NOT NULL,
    record BLOB NOT NULL,
    PRIMARY KEY (flow_id, number),
    FOREIGN KEY (flow_id) REFERENCES flows (flow_id)
);

-- The integer key keeps the pages' index small; it never leaves the backend.
--
-- wake_ms: 0 for a run that is ready or runs, -1 for one that was signalled while it ran, else when it is checked again
-- (Unix milliseconds; the largest number for a run that only an event resumes).
--
-- queue: the group whose machines execute the run, null for all others. rank orders the runs of a queue: 0 and 1 while they
-- wait, two less once the run was taken. A waiting run is checked at wake_ms, when it has waited too long.
CREATE TABLE runs (
    id INTEGER PRIMARY KEY,
    run_id BLOB NOT NULL UNIQUE,
    flow_id BLOB NOT NULL,
    version INTEGER NOT NULL,
    domain INTEGER NOT NULL,
    status INTEGER NOT NULL,
    started_ms INTEGER NOT NULL,
    ended_ms INTEGER,
    parent BLOB,
    head_version INTEGER NOT NULL,
    head BLOB NOT NULL,
    summary_version INTEGER NOT NULL,
    summary BLOB NOT NULL,
    wake_ms INTEGER NOT NULL DEFAULT 0,
    queue BLOB,
    rank INTEGER NOT NULL DEFAULT 0
);
-- Every list has an index with just its rows in their order (newest first is the index read backwards), and so have the
-- runs that have not ended: signalled ones first, then those that are ready or run, then those that wait, by time.
-- Neither a list nor a start walks through other rows, however many runs there are.
CREATE INDEX runs_by_flow ON runs (flow_id);
CREATE INDEX runs_by_parent ON runs (parent) WHERE parent IS NOT NULL;
CREATE INDEX runs_unfinished_by_flow ON runs (flow_id, id) WHERE ended_ms IS NULL;
CREATE INDEX runs_by_status ON runs (status);
CREATE INDEX runs_by_flow_and_status ON runs (flow_id, status);
CREATE INDEX runs_under_way ON runs (wake_ms, id) WHERE ended_ms IS NULL;
CREATE INDEX runs_queued ON runs (queue, rank, id) WHERE queue IS NOT NULL AND ended_ms IS NULL;

-- Appended in the order of rows: a WITHOUT ROWID table ordered by run costs four times as much for each page.
CREATE TABLE pages (
    id INTEGER PRIMARY KEY,
    run INTEGER NOT NULL REFERENCES runs (id),
    seq INTEGER NOT NULL,
    link BLOB NOT NULL,
    record BLOB NOT NULL
);
CREATE UNIQUE INDEX pages_by_run ON pages (run, seq);

CREATE TABLE snapshots (
    run INTEGER PRIMARY KEY REFERENCES runs (id),
    seq INTEGER NOT NULL,
    record BLOB NOT NULL
);

-- AUTOINCREMENT: a number is never used twice, so consuming twice cannot take another item.
CREATE TABLE inbox (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    item_id BLOB NOT NULL UNIQUE,
    kind INTEGER NOT NULL,
    run_id BLOB,
    dedupe BLOB UNIQUE,
    created_ms INTEGER NOT NULL,
    record BLOB NOT NULL
);
CREATE INDEX inbox_by_run ON inbox (run_id);

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
CREATE INDEX messages_by_flow ON messages (flow_id);
CREATE UNIQUE INDEX messages_by_dedupe ON messages (flow_id, dedupe) WHERE dedupe IS NOT NULL;

-- To find keys whose row somebody has removed.
CREATE INDEX keys_of_triggers ON keys (scope) WHERE kind = 7;
CREATE INDEX keys_of_messages ON keys (scope) WHERE kind = 8;

-- Policies, assignments and the audit are in the control store; the key state, connections and operations in environments.

-- One row at most. Compared within every transaction.
CREATE TABLE key_state (
    id INTEGER PRIMARY KEY CHECK (id = 1),
    epoch INTEGER NOT NULL,
    lock_epoch INTEGER NOT NULL,
    record BLOB NOT NULL
);

CREATE TABLE policies (
    policy_id BLOB PRIMARY KEY,
    name_index BLOB NOT NULL UNIQUE,
    row_version INTEGER NOT NULL,
    created_ms INTEGER NOT NULL,
    record BLOB NOT NULL
);

CREATE TABLE assignments (
    environment_id BLOB PRIMARY KEY,
    row_version INTEGER NOT NULL,
    updated_ms INTEGER NOT NULL,
    record BLOB NOT NULL
);

CREATE TABLE audit (
    number INTEGER PRIMARY KEY,
    created_ms INTEGER NOT NULL,
    link BLOB NOT NULL,
    record BLOB NOT NULL
);

CREATE TABLE connections (
    connection_id BLOB PRIMARY KEY,
    name_index BLOB NOT NULL UNIQUE,
    domain INTEGER NOT NULL,
    row_version INTEGER NOT NULL,
    created_ms INTEGER NOT NULL,
    updated_ms INTEGER NOT NULL,
    record BLOB NOT NULL
);

CREATE TABLE operations (
    operation_id BLOB PRIMARY KEY,
    row_version INTEGER NOT NULL,
    created_ms INTEGER NOT NULL,
    ended_ms INTEGER,
    record BLOB NOT NULL
);

-- What an environment key wraps: to exchange it, and to tell whether anything still needs it.
CREATE INDEX keys_by_environment_key ON keys (domain, key_version, kind);
CREATE INDEX keys_by_version ON keys (domain, key_version);
CREATE INDEX runs_by_domain ON runs (domain);

-- The ledger and retention are in environments; registered backups in the control store.

CREATE TABLE ledger (
    number INTEGER PRIMARY KEY,
    created_ms INTEGER NOT NULL,
    link BLOB NOT NULL,
    record BLOB NOT NULL
);

CREATE TABLE retention (
    flow_id BLOB PRIMARY KEY,
    row_version INTEGER NOT NULL,
    record BLOB NOT NULL
);

CREATE TABLE backups (
    backup_id BLOB PRIMARY KEY,
    environment_id BLOB NOT NULL,
    created_ms INTEGER NOT NULL,
    record BLOB NOT NULL
);

-- What a locked environment accepts: the key to which it is sealed, the items, and the expected callbacks.

CREATE TABLE inbox_keys (
    key_id BLOB PRIMARY KEY,
    created_ms INTEGER NOT NULL,
    public BLOB NOT NULL,
    mac BLOB NOT NULL,
    record BLOB NOT NULL
);

CREATE TABLE sealed_inbox (
    key_id BLOB NOT NULL,
    sequence INTEGER NOT NULL,
    kind INTEGER NOT NULL,
    scope BLOB NOT NULL,
    created_ms INTEGER NOT NULL,
    mac BLOB NOT NULL,
    sealed BLOB NOT NULL,
    PRIMARY KEY (key_id, sequence)
);

CREATE TABLE callback_tokens (
    token_hash BLOB PRIMARY KEY,
    scope BLOB NOT NULL,
    -- The first callback of an action counts: a commit that accepts one sets this of its token.
    claimed INTEGER NOT NULL DEFAULT 0
);

CREATE INDEX callback_tokens_by_scope ON callback_tokens (scope);

-- Large values, apart from the records that name them. `settled` is 1 once a record names the value; others are left over
-- from a writer that crashed. A value may be written before its run.
CREATE TABLE large_values (
    id INTEGER PRIMARY KEY,
    value_id BLOB NOT NULL UNIQUE,
    run_id BLOB NOT NULL,
    created_ms INTEGER NOT NULL,
    settled INTEGER NOT NULL
);
CREATE INDEX large_values_by_run ON large_values (run_id);
CREATE INDEX large_values_unsettled ON large_values (id) WHERE settled = 0;

-- Their sealed pieces. Those with a negative number wait to take the place of the others, as in pages.
CREATE TABLE chunks (
    value INTEGER NOT NULL REFERENCES large_values (id),
    number INTEGER NOT NULL,
    record BLOB NOT NULL,
    PRIMARY KEY (value, number)
);
