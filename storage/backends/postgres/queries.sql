-- Named queries: each begins at its "-- name:" line. The backend fills in the {} of lists of runs, which are made of several.

-- name: identity
SELECT environment_id FROM meta WHERE id = 1

-- name: environment_keys
SELECT domain, version, kek, kid, wrapped, policy_epoch, mac, predecessor_mac, created_ms FROM environment_keys ORDER BY domain, version

-- name: keys
-- The newest generation of each scope.
SELECT DISTINCT ON (kind, scope) kind, scope, generation, domain, key_version, kid, wrapped FROM keys
WHERE kind = $1 AND scope = ANY ($2) ORDER BY kind, scope, generation DESC


-- name: flow_scopes
SELECT DISTINCT scope FROM keys WHERE kind = 2

-- name: environment_scopes
-- In the control store, which has no other keys.
SELECT DISTINCT scope FROM keys WHERE kind = 4

-- name: environments
SELECT environment_id, name_index, row_version, created_ms, record FROM environments ORDER BY created_ms, environment_id

-- name: environment
SELECT environment_id, name_index, row_version, created_ms, record FROM environments WHERE name_index = $1

-- name: flows
SELECT flow_id, name_index, domain, version, row_version, created_ms, updated_ms, record FROM flows ORDER BY id

-- name: flow_by_id
SELECT flow_id, name_index, domain, version, row_version, created_ms, updated_ms, record FROM flows WHERE flow_id = $1

-- name: flow_by_name
SELECT flow_id, name_index, domain, version, row_version, created_ms, updated_ms, record FROM flows WHERE name_index = ANY ($1)

-- name: version
SELECT flow_id, number, created_ms, record FROM versions WHERE flow_id = $1 AND number = $2

-- name: run
SELECT run_id, flow_id, version, domain, status, started_ms, ended_ms, parent, head_version, head, summary_version, summary
FROM runs WHERE run_id = $1

-- name: runs
-- Newest first; the conditions are those of runs_where_* that apply.
SELECT run_id, flow_id, version, domain, status, started_ms, ended_ms, parent, head_version, head, summary_version, summary
FROM runs WHERE {conditions} ORDER BY {order} LIMIT {limit}

-- name: runs_of_statuses
-- The newest of each status, and of these the newest: an index of one status is in order, one of several is not.
SELECT run_id, flow_id, version, domain, found.status, started_ms, ended_ms, parent, head_version, head, summary_version, summary
FROM (SELECT DISTINCT unnest({statuses}::bigint[]) AS status) AS wanted CROSS JOIN LATERAL (
    SELECT * FROM runs WHERE runs.status = wanted.status AND {conditions} ORDER BY -id LIMIT {limit}
) AS found ORDER BY id DESC LIMIT {limit}

-- name: runs_where_flow
flow_id = {}

-- name: runs_where_parent
parent = {}

-- name: runs_where_before
id < (SELECT id FROM runs WHERE run_id = {})

-- name: runs_where_behind
-- The same of a list that has other conditions too, and is in the order of their index.
-id > (SELECT -id FROM runs WHERE run_id = {})

-- name: run_ids
SELECT id, run_id FROM runs WHERE id > $1 ORDER BY id LIMIT $2

-- name: unfinished
SELECT run_id FROM runs WHERE ended_ms IS NULL ORDER BY id

-- name: pages
-- Up to the page with which a number of bytes is reached. Lengths are known without reading what is long.
SELECT $1::bytea, seq, link, record FROM (
    SELECT seq, link, record, sum(octet_length(record)) OVER (ORDER BY seq) - octet_length(record) AS before
    FROM pages WHERE run = (SELECT id FROM runs WHERE run_id = $1) AND seq >= $2 ORDER BY seq LIMIT $3
) AS found WHERE before < $4 ORDER BY seq


-- name: chunks
SELECT value_id, number, record FROM chunks JOIN large_values ON large_values.id = value
WHERE value_id = $1 AND number > $2 ORDER BY number LIMIT $3

-- name: large_values
SELECT value_id, run_id, created_ms, settled FROM large_values WHERE run_id = $1 ORDER BY id

-- name: unsettled_values
SELECT value_id, run_id, created_ms, settled FROM large_values
WHERE settled = 0 AND created_ms < $1
AND NOT EXISTS (SELECT FROM runs WHERE runs.run_id = large_values.run_id AND ended_ms IS NULL) ORDER BY id LIMIT $2

-- name: snapshot
SELECT runs.run_id, seq, record FROM snapshots JOIN runs ON runs.id = snapshots.run WHERE runs.run_id = $1


-- name: inbox
SELECT id, item_id, kind, run_id, dedupe, created_ms, record FROM inbox WHERE id > $1 ORDER BY id LIMIT $2

-- name: inbox_of
SELECT id, item_id, kind, run_id, dedupe, created_ms, record FROM inbox WHERE run_id = $1 ORDER BY id

-- name: inbox_item
SELECT item_id, kind, run_id, dedupe, created_ms, record FROM inbox WHERE item_id = $1

-- name: inbox_key
SELECT key_id, created_ms, public, mac, record FROM inbox_keys LIMIT 1

-- name: sealed_items
SELECT key_id, sequence, kind, scope, created_ms, mac, sealed FROM sealed_inbox ORDER BY sequence LIMIT $1

-- name: sealed_size
SELECT count(*), coalesce(sum(octet_length(sealed)), 0)::bigint, coalesce(max(sequence), 0) FROM sealed_inbox


-- name: callback_scope
SELECT scope FROM callback_tokens WHERE token_hash = $1

-- name: orphaned_inbox_key_keys
SELECT DISTINCT scope FROM keys WHERE kind = 16 AND NOT EXISTS (SELECT FROM inbox_keys WHERE key_id = scope)

-- name: orphaned_policy_keys
SELECT scope FROM keys WHERE kind = 10 AND NOT EXISTS (SELECT FROM policies WHERE policy_id = scope)

-- name: orphaned_assignment_keys
SELECT scope FROM keys WHERE kind = 17 AND NOT EXISTS (SELECT FROM assignments WHERE environment_id = scope)

-- name: trigger
SELECT flow_id, due_ms, row_version, record FROM triggers WHERE flow_id = $1

-- name: triggers
SELECT flow_id, due_ms, row_version, record FROM triggers ORDER BY due_ms NULLS LAST, id

-- name: due_triggers
SELECT flow_id, due_ms, row_version, record FROM triggers WHERE due_ms <= $1 ORDER BY due_ms, id LIMIT $2

-- name: orphaned_trigger_keys
SELECT scope FROM keys WHERE kind = 7 AND NOT EXISTS (SELECT FROM triggers WHERE flow_id = scope)

-- name: messages
SELECT id, message_id, flow_id, partition_index, dedupe, size, created_ms, record FROM messages
WHERE flow_id = $1 AND id > $2 ORDER BY id LIMIT $3

-- name: messages_of_partition
SELECT id, message_id, flow_id, partition_index, dedupe, size, created_ms, record FROM messages
WHERE flow_id = $1 AND id > $2 AND partition_index = ANY ($3) ORDER BY id LIMIT $4

-- name: message
SELECT message_id, flow_id, partition_index, dedupe, size, created_ms, record FROM messages WHERE message_id = $1

-- name: message_counts
SELECT partition_index, count(*), sum(size)::bigint, min(created_ms), min(id) FROM messages
WHERE flow_id = $1 GROUP BY partition_index ORDER BY min(id)


-- name: orphaned_message_keys
-- A row that says it is of a flow that is not there counts as missing: nobody would ever ask for it.
SELECT scope FROM keys WHERE kind = 8
AND NOT EXISTS (SELECT FROM messages JOIN flows USING (flow_id) WHERE message_id = scope)

-- name: key_state
-- The row is always there; it says something once one of the epochs is no longer 0.
SELECT epoch, lock_epoch, record FROM key_state WHERE epoch + lock_epoch > 0


-- name: mixed_scopes
SELECT scope FROM keys WHERE kind = $1 GROUP BY scope HAVING count(*) > 1

-- name: key_generations
SELECT kind, scope, generation, domain, key_version, kid, wrapped FROM keys WHERE scope = $1 AND kind = $2 ORDER BY generation

-- name: keys_of_domain
SELECT id, kind, scope, generation, domain, key_version, kid, wrapped FROM keys WHERE domain = $1 AND id > $2 ORDER BY id LIMIT $3

-- name: keys_of_version
SELECT id, kind, scope, generation, domain, key_version, kid, wrapped FROM keys WHERE domain = $1 AND key_version = $2 AND id > $3 ORDER BY id LIMIT $4

-- name: key_counts
SELECT kind, domain, key_version, count(*) FROM keys GROUP BY domain, key_version, kind ORDER BY domain, key_version, kind


-- name: run_counts
SELECT domain, count(*) FROM runs GROUP BY domain

-- name: policies
SELECT policy_id, name_index, row_version, created_ms, record FROM policies ORDER BY created_ms, policy_id

-- name: policy
SELECT policy_id, name_index, row_version, created_ms, record FROM policies WHERE name_index = $1

-- name: assignments
SELECT environment_id, row_version, updated_ms, record FROM assignments ORDER BY environment_id

-- name: audit
SELECT number, created_ms, link, record FROM audit WHERE number > $1 ORDER BY number LIMIT $2

-- name: last_audit
SELECT number, created_ms, link, record FROM audit ORDER BY number DESC LIMIT 1

-- name: connections
SELECT connection_id, name_index, domain, row_version, created_ms, updated_ms, record FROM connections ORDER BY created_ms, connection_id

-- name: connection
SELECT connection_id, name_index, domain, row_version, created_ms, updated_ms, record FROM connections WHERE name_index = ANY ($1)

-- name: operations
SELECT operation_id, row_version, created_ms, ended_ms, record FROM operations ORDER BY created_ms, operation_id

-- name: ledger
SELECT number, created_ms, link, record FROM ledger WHERE number > $1 ORDER BY number LIMIT $2

-- name: last_ledger
SELECT number, created_ms, link, record FROM ledger ORDER BY number DESC LIMIT 1

-- name: retentions
SELECT flow_id, row_version, record FROM retention ORDER BY flow_id

-- name: backups
SELECT backup_id, environment_id, created_ms, record FROM backups ORDER BY created_ms, backup_id

-- name: version_numbers
SELECT number FROM versions WHERE flow_id = $1 ORDER BY number

-- name: run_sizes
SELECT run_id, (SELECT coalesce(sum(octet_length(record)), 0)::bigint FROM pages WHERE pages.run = runs.id)
+ (SELECT coalesce(sum(octet_length(record)), 0)::bigint FROM large_values JOIN chunks ON chunks.value = large_values.id
WHERE large_values.run_id = runs.run_id) FROM runs WHERE flow_id = $1

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
SELECT DISTINCT scope FROM keys WHERE kind = 1 AND NOT EXISTS (SELECT FROM runs WHERE run_id = scope)

-- name: orphaned_flow_keys
SELECT DISTINCT scope FROM keys WHERE kind = 2 AND NOT EXISTS (SELECT FROM flows WHERE flow_id = scope)

-- name: orphaned_connection_keys
SELECT DISTINCT scope FROM keys WHERE kind = 3 AND NOT EXISTS (SELECT FROM connections WHERE connection_id = scope)

-- name: orphaned_inbox_keys
SELECT DISTINCT scope FROM keys WHERE kind = 5 AND NOT EXISTS (SELECT FROM inbox WHERE item_id = scope)

-- name: orphaned_operation_keys
SELECT DISTINCT scope FROM keys WHERE kind = 12 AND NOT EXISTS (SELECT FROM operations WHERE operation_id = scope)

-- name: orphaned_retention_keys
SELECT DISTINCT scope FROM keys WHERE kind = 14 AND NOT EXISTS (SELECT FROM retention WHERE flow_id = scope)

-- Writing. Queries that carry the name of a field of the port's Batch take all its rows at once, as one array, or one row
-- each, as the backend says; those that must change a row for each one given are counted there.

-- name: enter
SELECT enter($1, $2, $3, $4, $5, $6, $7)

-- name: put
SELECT put(owner_of($1), $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16)

-- name: leave
SELECT leave($1, $2)

-- name: commit_batch
SELECT commit_batch($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21)

-- name: register_writer
INSERT INTO writers (writer, number, answer, written) VALUES ($1, 0, '{}', clock_timestamp()) ON CONFLICT DO NOTHING

-- name: forget_writers
-- This one, and those that ended without saying so.
DELETE FROM writers WHERE writer = $1 OR written < clock_timestamp() - interval '7 days'

-- name: set_identity
INSERT INTO meta (id, environment_id) VALUES (1, $1)

-- name: set_key_state
-- Changes nothing unless it is the next state: one of the epochs is one more.
UPDATE key_state SET epoch = $1, lock_epoch = $2, record = $3
WHERE (epoch = $1 - 1 AND lock_epoch = $2) OR (epoch = $1 AND lock_epoch = $2 - 1)

-- name: replaced_environment_keys
UPDATE environment_keys AS old SET kek = new.kek, kid = new.kid, wrapped = new.wrapped, policy_epoch = new.policy_epoch,
    mac = new.mac, predecessor_mac = new.predecessor_mac, created_ms = new.created_ms
FROM unnest($1::environment_key_row[]) AS new WHERE old.domain = new.domain AND old.version = new.version

-- name: environment_keys_new
INSERT INTO environment_keys (domain, version, kek, kid, wrapped, policy_epoch, mac, predecessor_mac, created_ms)
SELECT * FROM unnest($1::environment_key_row[])

-- name: environments_changed
UPDATE environments SET row_version = $2, record = $3 WHERE environment_id = $1 AND row_version = $2 - 1

-- name: environments_new
INSERT INTO environments (environment_id, name_index, row_version, created_ms, record) VALUES ($1, $2, $3, $4, $5)

-- name: flows_next
-- Here and below: a row of version 1 that is new, or the next version of one that is there; otherwise none is changed.
INSERT INTO flows (flow_id, name_index, domain, version, row_version, created_ms, updated_ms, record)
SELECT $1::bytea, $2::bytea, $3::bigint, $4::bigint, $5::bigint, $6::bigint, $7::bigint, $8::bytea
WHERE $5::bigint = 1 OR EXISTS (SELECT FROM flows WHERE flow_id = $1)
ON CONFLICT (flow_id) DO UPDATE SET
    name_index = excluded.name_index, domain = excluded.domain, version = excluded.version,
    row_version = excluded.row_version, updated_ms = excluded.updated_ms, record = excluded.record
WHERE flows.row_version = excluded.row_version - 1

-- name: policies_next
INSERT INTO policies (policy_id, name_index, row_version, created_ms, record)
SELECT $1::bytea, $2::bytea, $3::bigint, $4::bigint, $5::bytea
WHERE $3::bigint = 1 OR EXISTS (SELECT FROM policies WHERE policy_id = $1)
ON CONFLICT (policy_id) DO UPDATE SET name_index = excluded.name_index, row_version = excluded.row_version, record = excluded.record
WHERE policies.row_version = excluded.row_version - 1

-- name: assignments_next
INSERT INTO assignments (environment_id, row_version, updated_ms, record)
SELECT $1::bytea, $2::bigint, $3::bigint, $4::bytea
WHERE $2::bigint = 1 OR EXISTS (SELECT FROM assignments WHERE environment_id = $1)
ON CONFLICT (environment_id) DO UPDATE SET row_version = excluded.row_version, updated_ms = excluded.updated_ms, record = excluded.record
WHERE assignments.row_version = excluded.row_version - 1

-- name: connections_next
INSERT INTO connections (connection_id, name_index, domain, row_version, created_ms, updated_ms, record)
SELECT $1::bytea, $2::bytea, $3::bigint, $4::bigint, $5::bigint, $6::bigint, $7::bytea
WHERE $4::bigint = 1 OR EXISTS (SELECT FROM connections WHERE connection_id = $1)
ON CONFLICT (connection_id) DO UPDATE SET
    name_index = excluded.name_index, domain = excluded.domain, row_version = excluded.row_version,
    updated_ms = excluded.updated_ms, record = excluded.record
WHERE connections.row_version = excluded.row_version - 1

-- name: retentions_next
INSERT INTO retention (flow_id, row_version, record)
SELECT $1::bytea, $2::bigint, $3::bytea
WHERE $2::bigint = 1 OR EXISTS (SELECT FROM retention WHERE flow_id = $1)
ON CONFLICT (flow_id) DO UPDATE SET row_version = excluded.row_version, record = excluded.record
WHERE retention.row_version = excluded.row_version - 1

-- name: operations_next
INSERT INTO operations (operation_id, row_version, created_ms, ended_ms, record)
SELECT $1::bytea, $2::bigint, $3::bigint, $4::bigint, $5::bytea
WHERE $2::bigint = 1 OR EXISTS (SELECT FROM operations WHERE operation_id = $1)
ON CONFLICT (operation_id) DO UPDATE SET row_version = excluded.row_version, ended_ms = excluded.ended_ms, record = excluded.record
WHERE operations.row_version = excluded.row_version - 1

-- name: versions_new
INSERT INTO versions (flow_id, number, created_ms, record) SELECT * FROM unnest($1::version_row[])

-- name: consumed_messages
-- Flow and number. Its key goes with it, of a message's kind only.
WITH gone AS (DELETE FROM messages WHERE flow_id = $1 AND id = $2 RETURNING message_id)
DELETE FROM keys USING gone WHERE keys.scope = gone.message_id AND keys.kind = 8

-- name: other_message
-- One that was added under a `dedupe` by which an earlier one is to be found goes, with its key.
WITH gone AS (DELETE FROM messages WHERE flow_id = $1 AND dedupe = $2 AND message_id <> $3 RETURNING message_id)
DELETE FROM keys USING gone WHERE keys.scope = gone.message_id AND keys.kind = 8

-- name: resealed_messages
UPDATE messages SET partition_index = $2, dedupe = $3, record = $4 WHERE message_id = $1

-- name: other_item
WITH gone AS (DELETE FROM inbox WHERE dedupe = $1 AND item_id <> $2 RETURNING item_id)
DELETE FROM keys USING gone WHERE keys.scope = gone.item_id AND keys.kind = 5

-- name: resealed_items
UPDATE inbox SET dedupe = $2, record = $3 WHERE item_id = $1

-- name: rewrapped_keys
UPDATE keys AS old SET domain = new.domain, key_version = new.key_version, wrapped = new.wrapped
FROM unnest($1::key_row[]) AS new
WHERE old.scope = new.scope AND old.kind = new.kind AND old.generation = new.generation AND old.kid = new.kid

-- name: dropped_generations
DELETE FROM keys WHERE kind = $1 AND scope = $2 AND generation < $3

-- name: replaced_versions
UPDATE versions AS old SET record = new.record
FROM unnest($1::version_row[]) AS new WHERE old.flow_id = new.flow_id AND old.number = new.number

-- name: replaced_triggers
UPDATE triggers AS old SET record = new.record
FROM unnest($1::trigger_row[]) AS new WHERE old.flow_id = new.flow_id AND old.row_version = new.row_version

-- name: replaced_pages
UPDATE pages AS old SET link = new.link, record = new.record
FROM unnest($1::page_row[]) AS new JOIN runs USING (run_id)
WHERE old.run = runs.id AND old.seq = new.seq AND (runs.ended_ms IS NOT NULL OR owner_of($2) IS NULL)

-- name: large_values_new
INSERT INTO large_values (value_id, run_id, created_ms, settled) VALUES ($1, $2, $3, $4)

-- name: chunks_new
INSERT INTO chunks (value, number, record) SELECT id, $2::bigint, $3::bytea FROM large_values WHERE value_id = $1

-- name: settled_values
UPDATE large_values SET settled = 1 WHERE value_id = $1

-- name: delete_unsettled_chunks
DELETE FROM chunks USING large_values AS whole WHERE chunks.value = whole.id AND value_id = $1 AND settled = 0

-- name: dropped_values
DELETE FROM large_values WHERE value_id = $1 AND settled = 0

-- name: delete_read_pages
DELETE FROM pages WHERE run = (SELECT id FROM runs WHERE run_id = $1) AND seq > 0

-- name: dropped_pages
DELETE FROM pages WHERE run = (SELECT id FROM runs WHERE run_id = $1) AND seq < 0

-- name: show_waiting_pages
UPDATE pages SET seq = -seq WHERE run = (SELECT id FROM runs WHERE run_id = $1) AND seq < 0

-- name: delete_read_chunks
DELETE FROM chunks USING large_values AS whole WHERE chunks.value = whole.id AND whole.run_id = $1 AND number > 0

-- name: delete_waiting_chunks
DELETE FROM chunks USING large_values AS whole WHERE chunks.value = whole.id AND whole.run_id = $1 AND number < 0

-- name: show_waiting_chunks
UPDATE chunks SET number = -number FROM large_values AS whole WHERE chunks.value = whole.id AND whole.run_id = $1 AND number < 0

-- name: removed_snapshots
DELETE FROM snapshots WHERE run = (SELECT id FROM runs WHERE run_id = $1)

-- name: run_domains
-- Of a run that is this worker's, or was given back with the same commit.
UPDATE runs SET domain = $2
WHERE run_id = $1 AND (ended_ms IS NOT NULL OR worker IS NULL OR owner_of($3) IS NULL OR worker = $3)

-- name: retired_environment_keys
DELETE FROM environment_keys WHERE domain = $1 AND version = $2

-- name: removed_policies
DELETE FROM policies WHERE policy_id = $1

-- name: removed_connections
DELETE FROM connections WHERE connection_id = $1

-- name: audit_new
INSERT INTO audit (number, created_ms, link, record) VALUES ($1, $2, $3, $4)

-- name: ledger_new
INSERT INTO ledger (number, created_ms, link, record) VALUES ($1, $2, $3, $4)

-- name: backups_new
INSERT INTO backups (backup_id, environment_id, created_ms, record) VALUES ($1, $2, $3, $4)

-- name: delete_scope_keys
DELETE FROM keys WHERE scope = $1 AND kind = $2

-- name: drained
DELETE FROM sealed_inbox WHERE key_id = $1 AND sequence = $2

-- name: sealed_items_new
-- Adds no row if the key is not the current one any more; that one cannot be exchanged until the item is there.
INSERT INTO sealed_inbox (key_id, sequence, kind, scope, created_ms, mac, sealed)
SELECT key_id, $2::bigint, $3::bigint, $4::bytea, $5::bigint, $6::bytea, $7::bytea FROM inbox_keys WHERE key_id = $1 FOR SHARE

-- name: delete_inbox_keys
-- Before one looks for items: whoever adds one shares the key's row.
DELETE FROM inbox_keys

-- name: delete_inbox_scope_keys
-- But for the one that comes with the new key.
DELETE FROM keys WHERE kind = 16 AND scope <> $1

-- name: some_sealed_item
SELECT 1 FROM sealed_inbox LIMIT 1

-- name: insert_inbox_key
INSERT INTO inbox_keys (key_id, created_ms, public, mac, record) VALUES ($1, $2, $3, $4, $5)

-- name: expected_tokens
INSERT INTO callback_tokens (token_hash, scope) VALUES ($1, $2) ON CONFLICT DO NOTHING

-- name: claim_token
UPDATE callback_tokens SET claimed = 1 WHERE token_hash = $1 AND claimed = 0

-- name: reopened_tokens
UPDATE callback_tokens SET claimed = 0 WHERE scope = $1

-- name: forgotten_tokens
DELETE FROM callback_tokens WHERE scope = $1

-- name: lock_run
-- Before one looks whether it may be removed, and at what is of it: whoever adds pages to it shares its row.
SELECT FROM runs WHERE run_id = $1 FOR UPDATE

-- name: needed_run
-- Why a run may not be removed: it has not ended, or its parent has not and may still ask for what became of it.
SELECT 1 FROM runs WHERE run_id = $1 AND (ended_ms IS NULL
OR EXISTS (SELECT FROM runs AS above WHERE above.run_id = runs.parent AND CASE WHEN above.ended_ms IS NULL THEN true END))

-- name: delete_pages
DELETE FROM pages WHERE run = (SELECT id FROM runs WHERE run_id = $1)

-- name: delete_chunks
DELETE FROM chunks USING large_values AS whole WHERE chunks.value = whole.id AND whole.run_id = $1

-- name: delete_large_values
DELETE FROM large_values WHERE run_id = $1

-- name: delete_run
DELETE FROM runs WHERE run_id = $1

-- name: delete_versions
DELETE FROM versions WHERE flow_id = $1

-- name: delete_trigger
DELETE FROM triggers WHERE flow_id = $1

-- name: delete_messages
WITH gone AS (DELETE FROM messages WHERE flow_id = $1 RETURNING message_id)
DELETE FROM keys USING gone WHERE keys.scope = gone.message_id AND keys.kind = 8

-- name: delete_retention
DELETE FROM retention WHERE flow_id = $1

-- name: delete_flow
DELETE FROM flows WHERE flow_id = $1 AND NOT EXISTS (SELECT FROM runs WHERE runs.flow_id = $1)

-- name: delete_environment
DELETE FROM environments WHERE environment_id = $1

-- name: delete_backup
DELETE FROM backups WHERE backup_id = $1

-- The roles, by the database's clock: who has the environment for itself, and the workers that share it.

-- name: take_alone
SELECT take_alone($1, $2, $3)

-- name: keep_alone
UPDATE executor SET expires = clock_timestamp() + $3 WHERE worker = $1 AND epoch = $2 RETURNING 1

-- name: leave_alone
UPDATE executor SET worker = NULL, pid = NULL, expires = NULL WHERE worker = $1 AND epoch = $2

-- name: join_worker
SELECT join_worker($1, $2, $3)

-- name: keep_worker
UPDATE workers SET expires = clock_timestamp() + $3 WHERE worker = $1 AND epoch = $2 RETURNING 1

-- name: tend_worker
SELECT tend_worker($1, $2, $3)

-- name: want_lead
UPDATE workers SET wants_lead = $3 WHERE worker = $1 AND epoch = $2 RETURNING 1

-- name: lead_wanted
SELECT 1 FROM workers WHERE wants_lead AND worker <> $1 AND expires >= clock_timestamp() LIMIT 1

-- name: leave_worker
-- Its runs are ready for the others at once. What it was told while they went on, they will be looked at for.
WITH gone AS (DELETE FROM workers WHERE worker = $1 AND epoch = $2 RETURNING worker)
UPDATE runs SET worker = NULL FROM gone
WHERE runs.worker = gone.worker AND CASE WHEN runs.ended_ms IS NULL THEN runs.worker IS NOT NULL END

-- name: executor_pid
SELECT pid FROM (
    SELECT pid, true AS lead FROM executor WHERE worker <> '' AND expires >= clock_timestamp()
    UNION ALL SELECT pid, lead FROM workers WHERE expires >= clock_timestamp()
) AS living ORDER BY lead DESC LIMIT 1

-- name: claim_runs
SELECT number, claimed FROM claim_runs($1, $2, $3, $4, $5)

-- name: claim_queued
SELECT place, claimed FROM claim_queued($1, $2, $3, $4, $5)

-- name: queue_of
SELECT queue FROM runs WHERE run_id = $1 AND CASE WHEN ended_ms IS NULL THEN true END

-- name: queued
SELECT run_id, queue, rank FROM runs WHERE queue = ANY ($1) AND CASE WHEN ended_ms IS NULL THEN queue IS NOT NULL END ORDER BY rank, id LIMIT $2

-- name: queues
-- Of a run that is this worker's, or was given back with the same commit.
UPDATE runs SET queue = $2, rank = $3
WHERE run_id = $1 AND CASE WHEN ended_ms IS NULL THEN worker IS NULL OR owner_of($4) IS NULL OR worker = $4 END

-- name: claim_run
SELECT claim_run($1, $2, $3)

-- name: owns_run
-- Null where the worker was taken over.
SELECT EXISTS (SELECT FROM runs WHERE run_id = $3 AND worker = $1 AND epoch = $4 AND ended_ms IS NULL)
FROM workers WHERE worker = $1 AND epoch = $2

-- name: release_runs
UPDATE runs SET worker = NULL WHERE run_id = ANY ($2) AND CASE WHEN ended_ms IS NULL THEN worker = $1 END

-- name: told_runs
-- -2: it has heard it, and is looked at all the same should it die before it has gone on.
UPDATE runs SET wake_ms = -2 WHERE worker = $1 AND wake_ms = -1 RETURNING run_id

-- name: next_wake
-- Of runs that any worker may have, unless only those of queues are wanted.
SELECT min(wake_ms) FROM runs WHERE CASE WHEN ended_ms IS NULL THEN worker IS NULL END AND wake_ms > 0
AND CASE WHEN queue IS NULL OR rank >= 0 THEN NOT $2 ELSE queue = ANY ($1) END

-- name: unfinished_of_flow
SELECT run_id FROM runs WHERE flow_id = $1 AND CASE WHEN ended_ms IS NULL THEN true END ORDER BY id

-- name: inbox_of_worker
-- What is for a run that is this worker's, or nobody's; all the rest is for who leads.
SELECT inbox.id, item_id, kind, inbox.run_id, dedupe, created_ms, record
FROM inbox LEFT JOIN runs ON runs.run_id = inbox.run_id AND CASE WHEN runs.ended_ms IS NULL THEN true END
WHERE inbox.id > $1 AND CASE WHEN runs.run_id IS NULL THEN $4 ELSE coalesce(runs.worker = $3, $4 OR runs.flow_id <> ALL ($5)) END
ORDER BY inbox.id LIMIT $2

-- name: hint
SELECT pg_notify($1, '')
