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

-- name: update_environment
UPDATE environments SET row_version = ?, record = ? WHERE environment_id = ? AND row_version = ? - 1

-- name: environments
SELECT environment_id, name_index, row_version, created_ms, record FROM environments ORDER BY created_ms, rowid

-- name: environment
SELECT environment_id, name_index, row_version, created_ms, record FROM environments WHERE name_index = ?

-- name: insert_flow
INSERT INTO flows (flow_id, name_index, domain, version, row_version, created_ms, updated_ms, record) VALUES (?, ?, ?, ?, ?, ?, ?, ?)

-- name: update_flow
-- Changes no row unless the stored row is the one that the writer read.
UPDATE flows SET name_index = ?, domain = ?, version = ?, row_version = ?, updated_ms = ?, record = ?
WHERE flow_id = ? AND row_version = ? - 1

-- name: flows
SELECT flow_id, name_index, domain, version, row_version, created_ms, updated_ms, record FROM flows ORDER BY id

-- name: flow_by_id
SELECT flow_id, name_index, domain, version, row_version, created_ms, updated_ms, record FROM flows WHERE flow_id = ?

-- name: flow_by_name
SELECT flow_id, name_index, domain, version, row_version, created_ms, updated_ms, record FROM flows WHERE name_index IN ({indexes})

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
UPDATE runs SET status = ?, ended_ms = ?, head_version = ?, head = ?, summary_version = ?, summary = coalesce(?, summary) WHERE id = ? AND head_version = ?

-- name: run
SELECT run_id, flow_id, version, domain, status, started_ms, ended_ms, parent, head_version, head, summary_version, summary
FROM runs WHERE run_id = ?

-- name: runs
-- Newest first; the conditions are those of runs_where_* that apply.
SELECT run_id, flow_id, version, domain, status, started_ms, ended_ms, parent, head_version, head, summary_version, summary
FROM runs WHERE {conditions} ORDER BY id DESC LIMIT ?

-- name: runs_of_statuses
-- The newest of each status, and of these the newest: an index of one status is in order, one of several is not.
SELECT run_id, flow_id, version, domain, status, started_ms, ended_ms, parent, head_version, head, summary_version, summary
FROM runs WHERE id IN ({each}) ORDER BY id DESC LIMIT ?

-- name: runs_of_status
SELECT id FROM (SELECT id FROM runs WHERE status = ? AND {conditions} ORDER BY id DESC LIMIT ?)

-- name: runs_where_flow
flow_id = ?

-- name: runs_where_parent
parent = ?

-- name: runs_where_before
id < (SELECT id FROM runs WHERE run_id = ?)

-- name: run_ids
SELECT id, run_id FROM runs WHERE id > ? ORDER BY id LIMIT ?

-- name: unfinished
SELECT run_id FROM runs WHERE ended_ms IS NULL ORDER BY id

-- name: insert_pages
INSERT INTO pages (run, seq, link, record) VALUES

-- name: pages
SELECT seq, link, record FROM pages WHERE run = ? AND seq >= ? ORDER BY seq LIMIT ?

-- name: insert_large_values
INSERT INTO large_values (value_id, run_id, created_ms, settled) VALUES

-- name: value_number
SELECT id FROM large_values WHERE value_id = ?

-- name: insert_chunks
INSERT INTO chunks (value, number, record) VALUES

-- name: settle_value
UPDATE large_values SET settled = 1 WHERE value_id = ?

-- name: delete_unsettled_chunks
DELETE FROM chunks WHERE value = (SELECT id FROM large_values WHERE value_id = ? AND settled = 0)

-- name: delete_unsettled_value
DELETE FROM large_values WHERE value_id = ? AND settled = 0

-- name: chunks
SELECT value_id, number, record FROM chunks JOIN large_values ON large_values.id = value
WHERE value_id = ? AND number > ? ORDER BY number LIMIT ?

-- name: large_values
SELECT value_id, run_id, created_ms, settled FROM large_values WHERE run_id = ? ORDER BY id

-- name: unsettled_values
SELECT value_id, run_id, created_ms, settled FROM large_values
WHERE settled = 0 AND created_ms < ?
AND NOT EXISTS (SELECT 1 FROM runs WHERE runs.run_id = large_values.run_id AND ended_ms IS NULL) ORDER BY id LIMIT ?

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

-- name: inbox_of
SELECT id, item_id, kind, run_id, dedupe, created_ms, record FROM inbox WHERE run_id = ? ORDER BY id

-- name: inbox_item
SELECT item_id, kind, run_id, dedupe, created_ms, record FROM inbox WHERE item_id = ?

-- name: other_item
SELECT id FROM inbox WHERE dedupe = ? AND item_id != ?

-- name: reseal_item
UPDATE inbox SET dedupe = ?, record = ? WHERE item_id = ?

-- name: delete_inbox
DELETE FROM inbox WHERE id = ?

-- name: inbox_key
SELECT key_id, created_ms, public, mac, record FROM inbox_keys LIMIT 1

-- name: insert_inbox_key
INSERT INTO inbox_keys (key_id, created_ms, public, mac, record) VALUES (?, ?, ?, ?, ?)

-- name: delete_inbox_keys
DELETE FROM inbox_keys

-- name: delete_inbox_scope_keys
-- But for the one that comes with the new key.
DELETE FROM keys WHERE kind = ? AND scope <> ?

-- name: insert_sealed_item
-- Adds no row if the key is not the current one any more.
INSERT INTO sealed_inbox (key_id, sequence, kind, scope, created_ms, mac, sealed)
SELECT ?, ?, ?, ?, ?, ?, ? WHERE EXISTS (SELECT 1 FROM inbox_keys WHERE key_id = ?)

-- name: some_sealed_item
SELECT 1 FROM sealed_inbox LIMIT 1

-- name: sealed_items
SELECT key_id, sequence, kind, scope, created_ms, mac, sealed FROM sealed_inbox ORDER BY sequence LIMIT ?

-- name: sealed_size
SELECT count(*), coalesce(sum(length(sealed)), 0), coalesce(max(sequence), 0) FROM sealed_inbox

-- name: delete_sealed_item
DELETE FROM sealed_inbox WHERE key_id = ? AND sequence = ?

-- name: insert_callback_token
INSERT OR IGNORE INTO callback_tokens (token_hash, scope) VALUES (?, ?)

-- name: claim_callback_token
UPDATE callback_tokens SET claimed = 1 WHERE token_hash = ? AND claimed = 0

-- name: reopen_callback_tokens
UPDATE callback_tokens SET claimed = 0 WHERE scope = ?

-- name: delete_callback_tokens
DELETE FROM callback_tokens WHERE scope = ?

-- name: callback_scope
SELECT scope FROM callback_tokens WHERE token_hash = ?

-- name: orphaned_inbox_key_keys
SELECT DISTINCT scope FROM keys WHERE kind = 16 AND scope NOT IN (SELECT key_id FROM inbox_keys)

-- name: orphaned_policy_keys
SELECT scope FROM keys WHERE kind = 10 AND scope NOT IN (SELECT policy_id FROM policies)

-- name: orphaned_assignment_keys
SELECT scope FROM keys WHERE kind = 17 AND scope NOT IN (SELECT environment_id FROM assignments)

-- name: insert_trigger
INSERT INTO triggers (flow_id, due_ms, row_version, record) VALUES (?, ?, ?, ?)

-- name: update_trigger
-- Changes no row unless the stored row is the one that the writer read.
UPDATE triggers SET due_ms = ?, row_version = ?, record = ? WHERE flow_id = ? AND row_version = ? - 1

-- name: trigger
SELECT flow_id, due_ms, row_version, record FROM triggers WHERE flow_id = ?

-- name: triggers
SELECT flow_id, due_ms, row_version, record FROM triggers ORDER BY due_ms IS NULL, due_ms, id

-- name: due_triggers
SELECT flow_id, due_ms, row_version, record FROM triggers WHERE due_ms <= ? ORDER BY due_ms, id LIMIT ?

-- name: orphaned_trigger_keys
SELECT scope FROM keys WHERE kind = 7 AND scope NOT IN (SELECT flow_id FROM triggers)

-- name: insert_message
INSERT INTO messages (message_id, flow_id, partition_index, dedupe, size, created_ms, record) VALUES (?, ?, ?, ?, ?, ?, ?)

-- name: message_by_dedupe
SELECT id FROM messages WHERE flow_id = ? AND dedupe = ?

-- name: messages
SELECT id, message_id, flow_id, partition_index, dedupe, size, created_ms, record FROM messages
WHERE flow_id = ? AND id > ? ORDER BY id LIMIT ?

-- name: messages_of_partition
SELECT id, message_id, flow_id, partition_index, dedupe, size, created_ms, record FROM messages
WHERE flow_id = ? AND id > ? AND partition_index IN ({indexes}) ORDER BY id LIMIT ?

-- name: message
SELECT message_id, flow_id, partition_index, dedupe, size, created_ms, record FROM messages WHERE message_id = ?

-- name: other_message
SELECT id FROM messages WHERE flow_id = ? AND dedupe = ? AND message_id != ?

-- name: reseal_message
UPDATE messages SET partition_index = ?, dedupe = ?, record = ? WHERE message_id = ?

-- name: message_counts
SELECT partition_index, count(*), sum(size), min(created_ms), min(id) FROM messages
WHERE flow_id = ? GROUP BY partition_index ORDER BY min(id)

-- name: orphaned_message_keys
-- A row that says it is of a flow that is not there counts as missing: nobody would ever ask for it.
SELECT scope FROM keys WHERE kind = 8
AND scope NOT IN (SELECT message_id FROM messages WHERE flow_id IN (SELECT flow_id FROM flows))

-- name: delete_message_keys
-- Of a message's kind only, as with the inbox.
DELETE FROM keys WHERE scope = (SELECT message_id FROM messages WHERE id = ? AND flow_id = ?) AND kind = ?

-- name: delete_message
DELETE FROM messages WHERE id = ? AND flow_id = ?

-- name: key_state
SELECT epoch, lock_epoch, record FROM key_state

-- name: insert_key_state
INSERT INTO key_state (id, epoch, lock_epoch, record) VALUES (1, ?, ?, ?)

-- name: update_key_state
-- Changes nothing unless it is the next state: one of the epochs is one more.
UPDATE key_state SET epoch = ?, lock_epoch = ?, record = ? WHERE (epoch = ? AND lock_epoch = ?) OR (epoch = ? AND lock_epoch = ?)

-- name: replace_environment_key
UPDATE environment_keys SET kek = ?, kid = ?, wrapped = ?, policy_epoch = ?, mac = ?, predecessor_mac = ?, created_ms = ?
WHERE domain = ? AND version = ?

-- name: retire_environment_key
DELETE FROM environment_keys WHERE domain = ? AND version = ?

-- name: rewrap_key
UPDATE keys SET domain = ?, key_version = ?, wrapped = ? WHERE scope = ? AND kind = ? AND generation = ? AND kid = ?

-- name: drop_generations
DELETE FROM keys WHERE scope = ? AND kind = ? AND generation < ?

-- name: replace_version
UPDATE versions SET record = ? WHERE flow_id = ? AND number = ?

-- name: replace_trigger
UPDATE triggers SET record = ? WHERE flow_id = ? AND row_version = ?

-- name: replace_page
UPDATE pages SET link = ?, record = ? WHERE run = (SELECT id FROM runs WHERE run_id = ?) AND seq = ?

-- name: delete_read_pages
DELETE FROM pages WHERE run = (SELECT id FROM runs WHERE run_id = ?) AND seq > 0

-- name: delete_waiting_pages
DELETE FROM pages WHERE run = (SELECT id FROM runs WHERE run_id = ?) AND seq < 0

-- name: show_waiting_pages
UPDATE pages SET seq = -seq WHERE run = (SELECT id FROM runs WHERE run_id = ?) AND seq < 0

-- name: delete_read_chunks
DELETE FROM chunks WHERE value IN (SELECT id FROM large_values WHERE run_id = ?) AND number > 0

-- name: delete_waiting_chunks
DELETE FROM chunks WHERE value IN (SELECT id FROM large_values WHERE run_id = ?) AND number < 0

-- name: show_waiting_chunks
UPDATE chunks SET number = -number WHERE value IN (SELECT id FROM large_values WHERE run_id = ?) AND number < 0

-- name: delete_snapshot
DELETE FROM snapshots WHERE run = (SELECT id FROM runs WHERE run_id = ?)

-- name: mixed_scopes
SELECT scope FROM keys WHERE kind = ? GROUP BY scope HAVING count(*) > 1

-- name: set_run_domain
UPDATE runs SET domain = ? WHERE run_id = ?

-- name: key_generations
SELECT kind, scope, generation, domain, key_version, kid, wrapped FROM keys WHERE scope = ? AND kind = ? ORDER BY generation

-- name: keys_of_domain
SELECT id, kind, scope, generation, domain, key_version, kid, wrapped FROM keys WHERE domain = ? AND id > ? ORDER BY id LIMIT ?

-- name: keys_of_version
SELECT id, kind, scope, generation, domain, key_version, kid, wrapped FROM keys WHERE domain = ? AND key_version = ? AND id > ? ORDER BY id LIMIT ?

-- name: key_counts
SELECT kind, domain, key_version, count(*) FROM keys GROUP BY domain, key_version, kind

-- name: run_counts
SELECT domain, count(*) FROM runs GROUP BY domain

-- name: policies
SELECT policy_id, name_index, row_version, created_ms, record FROM policies ORDER BY created_ms, policy_id

-- name: policy
SELECT policy_id, name_index, row_version, created_ms, record FROM policies WHERE name_index = ?

-- name: insert_policy
INSERT INTO policies (policy_id, name_index, row_version, created_ms, record) VALUES (?, ?, ?, ?, ?)

-- name: update_policy
UPDATE policies SET name_index = ?, row_version = ?, record = ? WHERE policy_id = ? AND row_version = ? - 1

-- name: delete_policy
DELETE FROM policies WHERE policy_id = ?

-- name: assignments
SELECT environment_id, row_version, updated_ms, record FROM assignments ORDER BY environment_id

-- name: insert_assignment
INSERT INTO assignments (environment_id, row_version, updated_ms, record) VALUES (?, ?, ?, ?)

-- name: update_assignment
UPDATE assignments SET row_version = ?, updated_ms = ?, record = ? WHERE environment_id = ? AND row_version = ? - 1

-- name: audit
SELECT number, created_ms, link, record FROM audit WHERE number > ? ORDER BY number LIMIT ?

-- name: last_audit
SELECT number, created_ms, link, record FROM audit ORDER BY number DESC LIMIT 1

-- name: insert_audit
INSERT INTO audit (number, created_ms, link, record) VALUES

-- name: connections
SELECT connection_id, name_index, domain, row_version, created_ms, updated_ms, record FROM connections ORDER BY created_ms, connection_id

-- name: connection
SELECT connection_id, name_index, domain, row_version, created_ms, updated_ms, record FROM connections WHERE name_index IN ({indexes})

-- name: insert_connection
INSERT INTO connections (connection_id, name_index, domain, row_version, created_ms, updated_ms, record) VALUES (?, ?, ?, ?, ?, ?, ?)

-- name: update_connection
UPDATE connections SET name_index = ?, domain = ?, row_version = ?, updated_ms = ?, record = ? WHERE connection_id = ? AND row_version = ? - 1

-- name: delete_connection
DELETE FROM connections WHERE connection_id = ?

-- name: operations
SELECT operation_id, row_version, created_ms, ended_ms, record FROM operations ORDER BY created_ms, operation_id

-- name: insert_operation
INSERT INTO operations (operation_id, row_version, created_ms, ended_ms, record) VALUES (?, ?, ?, ?, ?)

-- name: update_operation
UPDATE operations SET row_version = ?, ended_ms = ?, record = ? WHERE operation_id = ? AND row_version = ? - 1

-- name: ledger
SELECT number, created_ms, link, record FROM ledger WHERE number > ? ORDER BY number LIMIT ?

-- name: last_ledger
SELECT number, created_ms, link, record FROM ledger ORDER BY number DESC LIMIT 1

-- name: insert_ledger
INSERT INTO ledger (number, created_ms, link, record) VALUES

-- name: retentions
SELECT flow_id, row_version, record FROM retention ORDER BY flow_id

-- name: insert_retention
INSERT INTO retention (flow_id, row_version, record) VALUES (?, ?, ?)

-- name: update_retention
UPDATE retention SET row_version = ?, record = ? WHERE flow_id = ? AND row_version = ? - 1

-- name: delete_retention
DELETE FROM retention WHERE flow_id = ?

-- name: backups
SELECT backup_id, environment_id, created_ms, record FROM backups ORDER BY created_ms, backup_id

-- name: insert_backup
INSERT INTO backups (backup_id, environment_id, created_ms, record) VALUES (?, ?, ?, ?)

-- name: delete_backup
DELETE FROM backups WHERE backup_id = ?

-- name: needed_run
-- Why a run may not be removed: it has not ended, or its parent has not and may still ask for what became of it.
SELECT 1 FROM runs WHERE run_id = ? AND (ended_ms IS NULL
OR EXISTS (SELECT 1 FROM runs AS above WHERE above.run_id = runs.parent AND above.ended_ms IS NULL))

-- name: delete_pages
DELETE FROM pages WHERE run = (SELECT id FROM runs WHERE run_id = ?)

-- name: delete_chunks
DELETE FROM chunks WHERE value IN (SELECT id FROM large_values WHERE run_id = ?)

-- name: delete_large_values
DELETE FROM large_values WHERE run_id = ?

-- name: delete_run
DELETE FROM runs WHERE run_id = ?

-- name: delete_versions
DELETE FROM versions WHERE flow_id = ?

-- name: delete_trigger
DELETE FROM triggers WHERE flow_id = ?

-- name: delete_keys_of_messages
DELETE FROM keys WHERE kind = ? AND scope IN (SELECT message_id FROM messages WHERE flow_id = ?)

-- name: delete_messages
DELETE FROM messages WHERE flow_id = ?

-- name: delete_flow
DELETE FROM flows WHERE flow_id = ? AND NOT EXISTS (SELECT 1 FROM runs WHERE runs.flow_id = flows.flow_id)

-- name: delete_environment
DELETE FROM environments WHERE environment_id = ?

-- name: version_numbers
SELECT number FROM versions WHERE flow_id = ? ORDER BY number

-- name: run_sizes
SELECT run_id, (SELECT coalesce(sum(length(record)), 0) FROM pages WHERE pages.run = runs.id)
+ (SELECT coalesce(sum(length(record)), 0) FROM large_values JOIN chunks ON chunks.value = large_values.id
WHERE large_values.run_id = runs.run_id) FROM runs WHERE flow_id = ?

-- name: stray_pages
SELECT count(*) FROM pages WHERE run NOT IN (SELECT id FROM runs)

-- name: stray_snapshots
SELECT count(*) FROM snapshots WHERE run NOT IN (SELECT id FROM runs)

-- name: stray_large_values
-- One that is not settled may come before its run.
SELECT count(*) FROM large_values WHERE settled = 1 AND run_id NOT IN (SELECT run_id FROM runs)

-- name: stray_versions
SELECT count(*) FROM versions WHERE flow_id NOT IN (SELECT flow_id FROM flows)

-- name: stray_triggers
SELECT count(*) FROM triggers WHERE flow_id NOT IN (SELECT flow_id FROM flows)

-- name: stray_messages
SELECT count(*) FROM messages WHERE flow_id NOT IN (SELECT flow_id FROM flows)

-- name: stray_retentions
SELECT count(*) FROM retention WHERE flow_id NOT IN (SELECT flow_id FROM flows)

-- name: orphaned_run_keys
SELECT DISTINCT scope FROM keys WHERE kind = 1 AND scope NOT IN (SELECT run_id FROM runs)

-- name: orphaned_flow_keys
SELECT DISTINCT scope FROM keys WHERE kind = 2 AND scope NOT IN (SELECT flow_id FROM flows)

-- name: orphaned_connection_keys
SELECT DISTINCT scope FROM keys WHERE kind = 3 AND scope NOT IN (SELECT connection_id FROM connections)

-- name: orphaned_inbox_keys
SELECT DISTINCT scope FROM keys WHERE kind = 5 AND scope NOT IN (SELECT item_id FROM inbox)

-- name: orphaned_operation_keys
SELECT DISTINCT scope FROM keys WHERE kind = 12 AND scope NOT IN (SELECT operation_id FROM operations)

-- name: orphaned_retention_keys
SELECT DISTINCT scope FROM keys WHERE kind = 14 AND scope NOT IN (SELECT flow_id FROM retention)

-- name: set_wait
-- Who was told something meanwhile does not fall asleep over it.
UPDATE runs SET wake_ms = CASE WHEN ?1 > 0 AND wake_ms = -1 THEN -1 ELSE ?1 END WHERE run_id = ?2 AND ended_ms IS NULL

-- name: wake
UPDATE runs SET wake_ms = -1 WHERE run_id = ? AND ended_ms IS NULL

-- name: due_waits
SELECT id, run_id, wake_ms FROM runs WHERE ended_ms IS NULL AND wake_ms < 0 AND (queue IS NULL OR rank >= 0)
UNION ALL
SELECT id, run_id, wake_ms FROM runs WHERE ended_ms IS NULL AND wake_ms > 0 AND wake_ms <= ? AND (queue IS NULL OR rank >= 0)
ORDER BY wake_ms, id LIMIT ?

-- name: claim_wait
UPDATE runs SET wake_ms = 0 WHERE id = ?

-- name: ready_runs
SELECT id, run_id FROM runs WHERE ended_ms IS NULL AND wake_ms = 0 AND queue IS NULL AND id > ? AND id <= ? ORDER BY id LIMIT ?

-- name: queued_runs
SELECT id, run_id FROM runs WHERE ended_ms IS NULL AND (rank >= 0 OR wake_ms <= ?) AND queue IN ({queues})
ORDER BY rank, id LIMIT ?

-- name: claim_queued
UPDATE runs SET wake_ms = 0, rank = CASE WHEN rank >= 0 THEN rank - 2 ELSE rank END WHERE id = ?

-- name: queue_of
SELECT queue FROM runs WHERE run_id = ? AND ended_ms IS NULL

-- name: queued
SELECT run_id, queue, rank FROM runs WHERE queue IN ({queues}) AND ended_ms IS NULL ORDER BY rank, id LIMIT ?

-- name: put_queue
UPDATE runs SET queue = ?, rank = ? WHERE run_id = ? AND ended_ms IS NULL

-- name: next_wake
SELECT min(wake_ms) FROM runs WHERE ended_ms IS NULL AND wake_ms > 0
AND CASE WHEN queue IS NULL OR rank >= 0 THEN NOT ? ELSE queue IN ({queues}) END

-- name: unfinished_of_flow
SELECT run_id FROM runs WHERE flow_id = ? AND ended_ms IS NULL ORDER BY id
