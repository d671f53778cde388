-- The first schema. Every column is listed in docs/reference/clear-columns.md; BLOBs named record, head and summary are sealed records.

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
    summary BLOB NOT NULL
);
CREATE INDEX runs_by_flow ON runs (flow_id);
CREATE INDEX runs_by_parent ON runs (parent) WHERE parent IS NOT NULL;
CREATE INDEX runs_unfinished ON runs (id) WHERE ended_ms IS NULL;

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
