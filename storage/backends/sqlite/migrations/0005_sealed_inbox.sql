-- What a locked environment takes in: the key it is sealed to, the items, and the callbacks that are waited for.

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
    scope BLOB NOT NULL
);

CREATE INDEX callback_tokens_by_scope ON callback_tokens (scope);
