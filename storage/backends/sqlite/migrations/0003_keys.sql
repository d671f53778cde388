-- Policies, assignments and the audit (control store); the state of keys, connections and operations (environments). BLOBs named record are sealed records.

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
CREATE INDEX runs_by_domain ON runs (domain);
