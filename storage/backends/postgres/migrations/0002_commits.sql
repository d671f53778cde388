-- A commit as one call: the checks that every commit makes (`enter`), the rows that most commits have (`put`), and both in
-- one statement (`commit_batch`). Frozen once released: a later version of any of them gets another name, because workers
-- of this version may still be running.
--
-- Rows come as arrays of composite values. The types are apart from the tables, so that a table may get another column.
-- Refusals carry the SQLSTATEs that connection.py knows: SF001 conflict, SF002 not found, SF003 stale keys, SF004 locked,
-- SF005 not the executor any more, SF006 a writer that is not known.

CREATE TYPE environment_key_row AS (domain bigint, version bigint, kek bytea, kid bytea, wrapped bytea, policy_epoch bigint, mac bytea, predecessor_mac bytea, created_ms bigint);
CREATE TYPE key_row AS (kind bigint, scope bytea, generation bigint, domain bigint, key_version bigint, kid bytea, wrapped bytea);
CREATE TYPE run_row AS (run_id bytea, flow_id bytea, version bigint, domain bigint, status bigint, started_ms bigint, ended_ms bigint, parent bytea, head_version bigint, head bytea, summary_version bigint, summary bytea);
CREATE TYPE run_update AS (run_id bytea, status bigint, ended_ms bigint, head_version bigint, head bytea, summary_version bigint, summary bytea);
CREATE TYPE page_row AS (run_id bytea, seq bigint, link bytea, record bytea);
CREATE TYPE snapshot_row AS (run_id bytea, seq bigint, record bytea);
CREATE TYPE trigger_row AS (flow_id bytea, due_ms bigint, row_version bigint, record bytea);
CREATE TYPE inbox_row AS (item_id bytea, kind bigint, run_id bytea, dedupe bytea, created_ms bigint, record bytea);
CREATE TYPE message_row AS (message_id bytea, flow_id bytea, partition_index bytea, dedupe bytea, size bigint, created_ms bigint, record bytea);
CREATE TYPE version_row AS (flow_id bytea, number bigint, created_ms bigint, record bytea);

CREATE FUNCTION enter(
    by bytea, commit_number bigint, by_worker bytea, worker_epoch bigint, known_lock_epoch bigint, known_epoch bigint, unlocking boolean
) RETURNS bigint[] LANGUAGE plpgsql AS $$
-- The answer of this very commit if it is there already, else null. Locks the writer's row first: the same commit on a
-- lost connection, should the server still be at it, has ended when this goes on.
DECLARE
    stored writers;
    state key_state;
BEGIN
    UPDATE writers SET number = commit_number, answer = '{}', written = clock_timestamp()
    WHERE writer = by AND number < commit_number;
    IF NOT FOUND THEN
        SELECT * INTO stored FROM writers WHERE writer = by;
        IF NOT FOUND THEN
            RAISE EXCEPTION USING ERRCODE = 'SF006';
        END IF;
        RETURN stored.answer;
    END IF;
    IF by_worker IS NOT NULL THEN
        PERFORM FROM executor WHERE worker = by_worker AND epoch = worker_epoch FOR SHARE;
        IF NOT FOUND THEN
            RAISE EXCEPTION USING ERRCODE = 'SF005';
        END IF;
    END IF;
    IF known_lock_epoch IS NOT NULL THEN
        IF unlocking THEN  -- who writes the state takes it for itself at once: two that share it could not go on
            SELECT * INTO STRICT state FROM key_state FOR UPDATE;
        ELSE
            SELECT * INTO STRICT state FROM key_state FOR SHARE;
        END IF;
        IF state.lock_epoch % 2 = 1 AND NOT unlocking THEN
            RAISE EXCEPTION USING ERRCODE = 'SF004';
        ELSIF state.lock_epoch <> known_lock_epoch OR state.epoch <> known_epoch THEN
            RAISE EXCEPTION USING ERRCODE = 'SF003';
        END IF;
    END IF;
    RETURN NULL;
END $$;

CREATE FUNCTION add_item(item inbox_row) RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
    there bigint;
BEGIN
    SELECT id INTO there FROM inbox WHERE dedupe = item.dedupe;
    IF FOUND THEN
        DELETE FROM keys WHERE scope = item.item_id AND kind = 5;
        RETURN there;
    END IF;
    INSERT INTO inbox (item_id, kind, run_id, dedupe, created_ms, record) SELECT item.* RETURNING id INTO there;
    RETURN there;
END $$;

CREATE FUNCTION add_message(message message_row) RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
    there bigint;
BEGIN
    SELECT id INTO there FROM messages WHERE flow_id = message.flow_id AND dedupe = message.dedupe;
    IF FOUND THEN
        DELETE FROM keys WHERE scope = message.message_id AND kind = 8;
        RETURN there;
    END IF;
    INSERT INTO messages (message_id, flow_id, partition_index, dedupe, size, created_ms, record) SELECT message.* RETURNING id INTO there;
    RETURN there;
END $$;

CREATE FUNCTION put_trigger(new trigger_row) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    IF new.row_version = 1 THEN
        INSERT INTO triggers (flow_id, due_ms, row_version, record) SELECT new.*;
    ELSE
        UPDATE triggers SET due_ms = new.due_ms, row_version = new.row_version, record = new.record
        WHERE flow_id = new.flow_id AND row_version = new.row_version - 1;
        IF NOT FOUND THEN
            RAISE EXCEPTION USING ERRCODE = 'SF001';
        END IF;
    END IF;
END $$;

CREATE FUNCTION put(
    new_keys key_row[], new_runs run_row[], new_pages page_row[], updates run_update[], new_snapshots snapshot_row[],
    new_triggers trigger_row[], items inbox_row[], new_messages message_row[], consumed bigint[]
) RETURNS bigint[] LANGUAGE plpgsql AS $$
-- The numbers of the items and then of the messages.
DECLARE
    written bigint;
    answer bigint[] := '{}';
    item inbox_row;
    message message_row;
    changed trigger_row;
BEGIN
    IF cardinality(new_keys) > 0 THEN
        INSERT INTO keys (kind, scope, generation, domain, key_version, kid, wrapped) SELECT * FROM unnest(new_keys);
    END IF;
    IF cardinality(new_runs) > 0 THEN
        INSERT INTO runs (run_id, flow_id, version, domain, status, started_ms, ended_ms, parent, head_version, head, summary_version, summary)
        SELECT * FROM unnest(new_runs);
    END IF;
    IF cardinality(new_pages) > 0 THEN
        INSERT INTO pages (run, seq, link, record)
        SELECT runs.id, new.seq, new.link, new.record FROM unnest(new_pages) AS new JOIN runs USING (run_id);
        GET DIAGNOSTICS written = ROW_COUNT;
        IF written <> cardinality(new_pages) THEN
            RAISE EXCEPTION USING ERRCODE = 'SF002';
        END IF;
    END IF;
    IF cardinality(updates) > 0 THEN
        UPDATE runs SET status = new.status, ended_ms = new.ended_ms, head_version = new.head_version, head = new.head,
            summary_version = new.summary_version, summary = coalesce(new.summary, runs.summary)
        FROM unnest(updates) AS new WHERE runs.run_id = new.run_id;
        GET DIAGNOSTICS written = ROW_COUNT;
        IF written <> cardinality(updates) THEN
            RAISE EXCEPTION USING ERRCODE = 'SF002';
        END IF;
    END IF;
    IF cardinality(new_snapshots) > 0 THEN
        INSERT INTO snapshots (run, seq, record)
        SELECT runs.id, new.seq, new.record FROM unnest(new_snapshots) AS new JOIN runs USING (run_id)
        ON CONFLICT (run) DO UPDATE SET seq = excluded.seq, record = excluded.record;
        GET DIAGNOSTICS written = ROW_COUNT;
        IF written <> cardinality(new_snapshots) THEN
            RAISE EXCEPTION USING ERRCODE = 'SF002';
        END IF;
    END IF;
    FOREACH changed IN ARRAY new_triggers LOOP
        PERFORM put_trigger(changed);
    END LOOP;
    IF cardinality(items) + cardinality(new_messages) > 0 THEN
        -- One at a time until it is durable: whoever reads on behind a number must not have missed a smaller one.
        PERFORM pg_advisory_xact_lock(hashtextextended(current_schema() || ' queues', 0));
        FOREACH item IN ARRAY items LOOP
            answer := answer || add_item(item);
        END LOOP;
        FOREACH message IN ARRAY new_messages LOOP
            answer := answer || add_message(message);
        END LOOP;
    END IF;
    IF cardinality(consumed) > 0 THEN
        WITH gone AS (DELETE FROM inbox WHERE id = ANY (consumed) RETURNING item_id)
        DELETE FROM keys USING gone WHERE keys.scope = gone.item_id AND keys.kind = 5;
    END IF;
    RETURN answer;
END $$;

CREATE FUNCTION leave(by bytea, given bigint[]) RETURNS void LANGUAGE sql AS $$
    UPDATE writers SET answer = given WHERE writer = by
$$;

CREATE FUNCTION commit_batch(
    by bytea, commit_number bigint, by_worker bytea, worker_epoch bigint, known_lock_epoch bigint, known_epoch bigint,
    new_keys key_row[], new_runs run_row[], new_pages page_row[], updates run_update[], new_snapshots snapshot_row[],
    new_triggers trigger_row[], items inbox_row[], new_messages message_row[], consumed bigint[]
) RETURNS bigint[] LANGUAGE plpgsql AS $$
DECLARE
    given bigint[];
BEGIN
    given := enter(by, commit_number, by_worker, worker_epoch, known_lock_epoch, known_epoch, false);
    IF given IS NOT NULL THEN
        RETURN given;
    END IF;
    given := put(new_keys, new_runs, new_pages, updates, new_snapshots, new_triggers, items, new_messages, consumed);
    IF cardinality(given) > 0 THEN
        PERFORM leave(by, given);
    END IF;
    RETURN given;
END $$;
