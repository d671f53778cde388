-- Named queries: each begins at its "-- name:" line. Those that end in VALUES get their rows from the backend, many a statement.

-- name: identity
SELECT environment_id FROM meta WHERE id = 1

-- name: insert_identity
INSERT INTO meta (id, environment_id) VALUES (1, ?)

-- name: insert_environment_keys
INSERT INTO environment_keys (domain, version, kek, kid, wrapped, policy_epoch, mac, predecessor_mac, created_ms) VALUES

-- name: environment_keys
SELECT domain, version, kek, kid, wrapped, policy_epoch, mac, predecessor_mac, created_ms FROM environment_keys ORDER BY domain, version

-- name: insert_keys
INSERT INTO keys (kind, scope, generation, domain, key_version, kid, wrapped) VALUES

-- name: keys
-- The newest generation of each scope.
SELECT kind, scope, max(generation), domain, key_version, kid, wrapped FROM keys
WHERE kind = ? AND scope IN ({scopes}) GROUP BY kind, scope

-- name: flow_scopes
SELECT DISTINCT scope FROM keys WHERE kind = 2

-- name: environment_scopes
-- In the control store, which has no other keys.
SELECT DISTINCT scope FROM keys WHERE kind = 4

-- name: delete_item_keys
-- Of an inbox item's kind only: an item that was made to name a run must not take the run's key with it.
DELETE FROM keys WHERE scope = (SELECT item_id FROM inbox WHERE id = ?) AND kind = ?

-- name: delete_scope_keys
DELETE FROM keys WHERE scope = ? AND kind = ?

-- name: insert_environments
INSERT INTO environments (environment_id, name_index, row_version, created_ms, record) VALUES

-- name: environments
SELECT environment_id, name_index, row_version, created_ms, record FROM environments ORDER BY created_ms, rowid

-- name: environment
SELECT environment_id, name_index, row_version, created_ms, record FROM environments WHERE name_index = ?

-- name: upsert_flow
-- Changes no row unless the stored row is the one that the writer read.
INSERT INTO flows (flow_id, name_index, domain, version, row_version, created_ms, updated_ms, record) VALUES (?, ?, ?, ?, ?, ?, ?, ?)
ON CONFLICT (flow_id) DO UPDATE SET
    name_index = excluded.name_index, domain = excluded.domain, version = excluded.version,
    row_version = excluded.row_version, updated_ms = excluded.updated_ms, record = excluded.record
WHERE flows.row_version = excluded.row_version - 1

-- name: flows
SELECT flow_id, name_index, domain, version, row_version, created_ms, updated_ms, record FROM flows ORDER BY id

-- name: flow_by_id
SELECT flow_id, name_index, domain, version, row_version, created_ms, updated_ms, record FROM flows WHERE flow_id = ?

-- name: flow_by_name
SELECT flow_id, name_index, domain, version, row_version, created_ms, updated_ms, record FROM flows WHERE name_index = ?

-- name: insert_versions
INSERT INTO versions (flow_id, number, created_ms, record) VALUES

-- name: version
SELECT flow_id, number, created_ms, record FROM versions WHERE flow_id = ? AND number = ?

-- name: last_run
SELECT coalesce(max(id), 0) FROM runs

-- name: run_number
SELECT id FROM runs WHERE run_id = ?

-- name: insert_runs
INSERT INTO runs (id, run_id, flow_id, version, domain, status, started_ms, ended_ms, parent, head_version, head, summary_version, summary) VALUES

-- name: update_run
UPDATE runs SET status = ?, ended_ms = ?, head_version = ?, head = ?, summary_version = ?, summary = coalesce(?, summary) WHERE id = ?

-- name: run
SELECT run_id, flow_id, version, domain, status, started_ms, ended_ms, parent, head_version, head, summary_version, summary
FROM runs WHERE run_id = ?

-- name: runs
-- Newest first; the conditions are those of runs_where_* that apply.
SELECT run_id, flow_id, version, domain, status, started_ms, ended_ms, parent, head_version, head, summary_version, summary
FROM runs WHERE {conditions} ORDER BY id DESC LIMIT ?

-- name: runs_where_flow
flow_id = ?

-- name: runs_where_status
status IN ({statuses})

-- name: runs_where_parent
parent = ?

-- name: runs_where_before
id < (SELECT id FROM runs WHERE run_id = ?)

-- name: unfinished
SELECT run_id FROM runs WHERE ended_ms IS NULL ORDER BY id

-- name: insert_pages
INSERT INTO pages (run, seq, link, record) VALUES

-- name: pages
SELECT seq, link, record FROM pages WHERE run = ? AND seq >= ? ORDER BY seq LIMIT ?

-- name: put_snapshots
INSERT OR REPLACE INTO snapshots (run, seq, record) VALUES

-- name: snapshot
SELECT seq, record FROM snapshots WHERE run = ?

-- name: insert_inbox
INSERT INTO inbox (item_id, kind, run_id, dedupe, created_ms, record) VALUES (?, ?, ?, ?, ?, ?)

-- name: inbox_by_dedupe
SELECT id FROM inbox WHERE dedupe = ?

-- name: inbox
SELECT id, item_id, kind, run_id, dedupe, created_ms, record FROM inbox WHERE id > ? ORDER BY id LIMIT ?

-- name: delete_inbox
DELETE FROM inbox WHERE id = ?
