-- Large values, apart from the records that name them. `settled` is 1 once a record does; the others are left over when
-- whoever wrote them dies. A value may come before the run that it belongs to.
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
