-- Several workers on one environment. A worker has a row with a lease; a run that has not ended belongs to one worker, or
-- to nobody: then it is ready at `wake_ms`, and the first worker that asks may have it.
--
-- wake_ms: 0 for a run that is ready or goes on, -1 for one that was told something while it went on, else when it has
-- to be looked at again (Unix milliseconds; the largest number for one that waits for an event only).

ALTER TABLE runs ADD COLUMN worker bytea, ADD COLUMN wake_ms bigint NOT NULL DEFAULT 0;
CREATE INDEX runs_ready ON runs (wake_ms, id) WHERE worker IS NULL AND ended_ms IS NULL;
CREATE INDEX runs_told ON runs (worker) WHERE wake_ms = -1;
CREATE INDEX runs_unfinished_by_flow ON runs (flow_id, id) WHERE ended_ms IS NULL;

-- `expires` is null for one that was taken over. One of them leads: it does what is to be done once.
CREATE TABLE workers (
    worker bytea PRIMARY KEY,
    epoch bigint NOT NULL,
    pid bigint NOT NULL,
    lead boolean NOT NULL,
    expires timestamptz
);
CREATE UNIQUE INDEX workers_lead ON workers (lead) WHERE lead;

-- The row of `executor` is for whoever has the environment for itself: a worker of an earlier version, or a restore. While
-- there are workers it is theirs, under an empty name, and so nobody else's.

CREATE TYPE wait_row AS (run_id bytea, wake_ms bigint, release boolean);

CREATE FUNCTION enter_3(
    by bytea, commit_number bigint, by_worker bytea, worker_epoch bigint, known_lock_epoch bigint, known_epoch bigint, unlocking boolean
) RETURNS bigint[] LANGUAGE plpgsql AS $$
-- As `enter`; the lease is that of a worker, or of who has the environment for itself.
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
        PERFORM FROM workers WHERE worker = by_worker AND epoch = worker_epoch FOR SHARE;
        IF NOT FOUND THEN
            PERFORM FROM executor WHERE worker = by_worker AND epoch = worker_epoch FOR SHARE;
            IF NOT FOUND THEN
                RAISE EXCEPTION USING ERRCODE = 'SF005';
            END IF;
        END IF;
    END IF;
    IF known_lock_epoch IS NOT NULL THEN
        IF unlocking THEN
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

CREATE FUNCTION refuse_runs(wanted bytea[], owner bytea) RETURNS void LANGUAGE plpgsql AS $$
-- Why not all of these runs could be written: one is another worker's, or is not there.
BEGIN
    IF owner IS NOT NULL THEN
        PERFORM FROM runs WHERE run_id = ANY (wanted) AND ended_ms IS NULL AND worker IS DISTINCT FROM owner;
        IF FOUND THEN
            RAISE EXCEPTION USING ERRCODE = 'SF001';
        END IF;
    END IF;
    RAISE EXCEPTION USING ERRCODE = 'SF002';
END $$;

CREATE FUNCTION put_3(
    owner bytea,
    new_keys key_row[], new_runs run_row[], new_pages page_row[], updates run_update[], new_snapshots snapshot_row[],
    new_triggers trigger_row[], items inbox_row[], new_messages message_row[], consumed bigint[], waits wait_row[], wakes bytea[]
) RETURNS bigint[] LANGUAGE plpgsql AS $$
-- The numbers of the items and then of the messages. With an owner, a run that has not ended has to be its own.
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
        INSERT INTO runs (run_id, flow_id, version, domain, status, started_ms, ended_ms, parent, head_version, head, summary_version, summary, worker)
        SELECT new.*, owner FROM unnest(new_runs) AS new;
    END IF;
    IF cardinality(new_pages) > 0 THEN
        INSERT INTO pages (run, seq, link, record)
        SELECT runs.id, new.seq, new.link, new.record FROM unnest(new_pages) AS new JOIN runs USING (run_id)
        WHERE owner IS NULL OR runs.worker = owner OR runs.ended_ms IS NOT NULL;
        GET DIAGNOSTICS written = ROW_COUNT;
        IF written <> cardinality(new_pages) THEN
            PERFORM refuse_runs(ARRAY(SELECT new.run_id FROM unnest(new_pages) AS new), owner);
        END IF;
    END IF;
    IF cardinality(updates) > 0 THEN
        UPDATE runs SET status = new.status, ended_ms = new.ended_ms, head_version = new.head_version, head = new.head,
            summary_version = new.summary_version, summary = coalesce(new.summary, runs.summary)
        FROM unnest(updates) AS new
        WHERE runs.run_id = new.run_id AND (owner IS NULL OR runs.worker = owner OR runs.ended_ms IS NOT NULL);
        GET DIAGNOSTICS written = ROW_COUNT;
        IF written <> cardinality(updates) THEN
            PERFORM refuse_runs(ARRAY(SELECT new.run_id FROM unnest(updates) AS new), owner);
        END IF;
    END IF;
    IF cardinality(new_snapshots) > 0 THEN
        INSERT INTO snapshots (run, seq, record)
        SELECT runs.id, new.seq, new.record FROM unnest(new_snapshots) AS new JOIN runs USING (run_id)
        WHERE owner IS NULL OR runs.worker = owner
        ON CONFLICT (run) DO UPDATE SET seq = excluded.seq, record = excluded.record;
        GET DIAGNOSTICS written = ROW_COUNT;
        IF written <> cardinality(new_snapshots) THEN
            PERFORM refuse_runs(ARRAY(SELECT new.run_id FROM unnest(new_snapshots) AS new), owner);
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
    IF cardinality(waits) > 0 THEN
        -- Who was told something meanwhile does not fall asleep over it.
        UPDATE runs SET wake_ms = CASE WHEN new.wake_ms > 0 AND runs.wake_ms = -1 THEN 0 ELSE new.wake_ms END,
            worker = CASE WHEN new.release THEN NULL ELSE runs.worker END
        FROM unnest(waits) AS new
        WHERE runs.run_id = new.run_id AND runs.ended_ms IS NULL AND (owner IS NULL OR runs.worker = owner);
    END IF;
    IF cardinality(wakes) > 0 THEN
        UPDATE runs SET wake_ms = CASE WHEN worker IS NULL THEN 0 ELSE -1 END
        WHERE run_id = ANY (wakes) AND ended_ms IS NULL;
    END IF;
    RETURN answer;
END $$;

CREATE FUNCTION owner_of(by_worker bytea) RETURNS bytea LANGUAGE sql STABLE AS $$
-- Whose the runs of a commit have to be: of whoever has the environment for itself, everything is.
    SELECT worker FROM workers WHERE worker = by_worker
$$;

CREATE FUNCTION commit_batch_3(
    by bytea, commit_number bigint, by_worker bytea, worker_epoch bigint, known_lock_epoch bigint, known_epoch bigint,
    new_keys key_row[], new_runs run_row[], new_pages page_row[], updates run_update[], new_snapshots snapshot_row[],
    new_triggers trigger_row[], items inbox_row[], new_messages message_row[], consumed bigint[], waits wait_row[], wakes bytea[]
) RETURNS bigint[] LANGUAGE plpgsql AS $$
DECLARE
    given bigint[];
BEGIN
    given := enter_3(by, commit_number, by_worker, worker_epoch, known_lock_epoch, known_epoch, false);
    IF given IS NOT NULL THEN
        RETURN given;
    END IF;
    given := put_3(
        owner_of(by_worker), new_keys, new_runs, new_pages, updates, new_snapshots, new_triggers, items, new_messages,
        consumed, waits, wakes
    );
    IF cardinality(given) > 0 THEN
        PERFORM leave(by, given);
    END IF;
    RETURN given;
END $$;

CREATE FUNCTION join_worker(new_worker bytea, its_pid bigint, lease interval) RETURNS bigint LANGUAGE plpgsql AS $$
-- The epoch, or null while somebody has the environment for itself. May be repeated.
DECLARE
    role executor;
    given bigint;
BEGIN
    SELECT * INTO STRICT role FROM executor FOR UPDATE;
    IF role.worker <> '' AND role.expires >= clock_timestamp() THEN
        RETURN NULL;
    END IF;
    IF role.worker IS DISTINCT FROM '' THEN
        UPDATE executor SET worker = '', epoch = epoch + 1, pid = NULL, expires = 'infinity';
    END IF;
    INSERT INTO workers AS known (worker, epoch, pid, lead, expires)
    VALUES (new_worker, 1, its_pid, false, clock_timestamp() + lease)
    ON CONFLICT (worker) DO UPDATE SET expires = excluded.expires WHERE known.expires IS NOT NULL
    RETURNING epoch INTO given;
    RETURN given;
END $$;

CREATE FUNCTION take_alone(new_worker bytea, its_pid bigint, lease interval) RETURNS bigint LANGUAGE plpgsql AS $$
-- The epoch, or null while there are workers, or somebody else has the environment for itself. May be repeated.
DECLARE
    role executor;
    given bigint;
BEGIN
    SELECT * INTO STRICT role FROM executor FOR UPDATE;
    IF role.worker IS DISTINCT FROM new_worker THEN
        IF role.worker <> '' AND role.expires >= clock_timestamp() THEN
            RETURN NULL;
        END IF;
        PERFORM FROM workers WHERE expires >= clock_timestamp();
        IF FOUND THEN
            RETURN NULL;
        END IF;
        DELETE FROM workers;
        UPDATE runs SET worker = NULL WHERE worker IS NOT NULL AND ended_ms IS NULL;
        UPDATE executor SET worker = new_worker, epoch = epoch + 1, pid = its_pid;
    END IF;
    UPDATE executor SET expires = clock_timestamp() + lease RETURNING epoch INTO given;
    RETURN given;
END $$;

CREATE FUNCTION take_over() RETURNS void LANGUAGE plpgsql AS $$
-- Shuts out the workers whose lease has ended, and makes their runs nobody's. One that is in a commit is left for later.
DECLARE
    dead bytea;
BEGIN
    FOR dead IN SELECT worker FROM workers WHERE expires < clock_timestamp() FOR UPDATE SKIP LOCKED LOOP
        UPDATE workers SET epoch = epoch + 1, expires = NULL, lead = false WHERE worker = dead;
        UPDATE runs SET worker = NULL WHERE worker = dead AND ended_ms IS NULL;
    END LOOP;
END $$;

CREATE FUNCTION tend_worker(by_worker bytea, worker_epoch bigint, may_lead boolean) RETURNS bigint LANGUAGE plpgsql AS $$
-- 1 if this worker leads, which it does from now on where nobody does and it may; else 2 while keys are migrated, when all
-- runs are for the one that leads, else 0. Null for a worker that was taken over.
DECLARE
    is_lead boolean;
BEGIN
    PERFORM FROM workers WHERE expires < clock_timestamp();
    IF FOUND THEN
        PERFORM take_over();
    END IF;
    SELECT lead INTO is_lead FROM workers WHERE worker = by_worker AND epoch = worker_epoch;
    IF NOT FOUND THEN
        RETURN NULL;
    END IF;
    IF may_lead AND NOT is_lead THEN
        PERFORM FROM workers WHERE lead;
        IF NOT FOUND THEN
            BEGIN
                UPDATE workers SET lead = true WHERE worker = by_worker AND epoch = worker_epoch RETURNING lead INTO is_lead;
            EXCEPTION WHEN unique_violation THEN
                is_lead := false;  -- another one was faster
            END;
        END IF;
    END IF;
    IF is_lead THEN
        RETURN 1;
    END IF;
    PERFORM FROM operations WHERE ended_ms IS NULL;
    RETURN CASE WHEN FOUND THEN 2 ELSE 0 END;
END $$;

CREATE FUNCTION claim_runs(by_worker bytea, worker_epoch bigint, now_ms bigint, without bytea[], most bigint)
RETURNS TABLE (number bigint, claimed bytea) LANGUAGE plpgsql AS $$
-- Takes runs that are nobody's and ready, the oldest first. While keys are migrated only who leads may: it has to write
-- to all of them.
DECLARE
    is_lead boolean;
BEGIN
    SELECT lead INTO is_lead FROM workers WHERE worker = by_worker AND epoch = worker_epoch FOR SHARE;
    IF NOT FOUND THEN
        RAISE EXCEPTION USING ERRCODE = 'SF005';
    END IF;
    IF NOT is_lead THEN
        PERFORM FROM operations WHERE ended_ms IS NULL;
        IF FOUND THEN
            RETURN;
        END IF;
    END IF;
    RETURN QUERY
    UPDATE runs SET worker = by_worker, wake_ms = 0
    FROM (
        SELECT id FROM runs WHERE worker IS NULL AND ended_ms IS NULL AND wake_ms <= now_ms AND flow_id <> ALL (without)
        ORDER BY wake_ms, id LIMIT most FOR UPDATE SKIP LOCKED
    ) AS ready WHERE runs.id = ready.id RETURNING runs.id, runs.run_id;
END $$;

CREATE FUNCTION claim_run(by_worker bytea, worker_epoch bigint, wanted bytea) RETURNS boolean LANGUAGE plpgsql AS $$
-- False where the run is another worker's, who goes on with it. One that has ended, or is not there, is nobody's.
DECLARE
    is_lead boolean;
BEGIN
    SELECT lead INTO is_lead FROM workers WHERE worker = by_worker AND epoch = worker_epoch FOR SHARE;
    IF NOT FOUND THEN
        RAISE EXCEPTION USING ERRCODE = 'SF005';
    END IF;
    PERFORM FROM runs WHERE run_id = wanted AND worker = by_worker AND wake_ms = 0;
    IF FOUND THEN
        RETURN true;
    END IF;
    IF NOT is_lead THEN
        PERFORM FROM operations WHERE ended_ms IS NULL;
        IF FOUND THEN
            PERFORM FROM runs WHERE run_id = wanted AND ended_ms IS NULL AND worker IS DISTINCT FROM by_worker;
            RETURN NOT FOUND;
        END IF;
    END IF;
    UPDATE runs SET worker = by_worker, wake_ms = 0
    WHERE run_id = wanted AND ended_ms IS NULL AND (worker IS NULL OR worker = by_worker);
    IF FOUND THEN
        RETURN true;
    END IF;
    PERFORM FROM runs WHERE run_id = wanted AND ended_ms IS NULL;
    RETURN NOT FOUND;
END $$;
