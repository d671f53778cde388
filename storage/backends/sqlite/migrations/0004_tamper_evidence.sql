-- What was shredded and anchored, how long runs are kept (environments); registered backups (control store). BLOBs named record are sealed records.

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
