-- Two things that cost more than they had to.
--
-- Pages without a foreign key: it looked at the run's row once more for each of them, and wrote a lock into it with each
-- commit, a fifth of all that the server does for a step. In its place whoever removes a run locks its row first, and
-- so does whoever writes pages of a run that might be removed.
--
-- A run that is named is looked up by its name, and not among all that are under way: hence "CASE WHEN ended_ms IS NULL",
-- see 0006.

ALTER TABLE pages DROP CONSTRAINT pages_run_fkey;

CREATE FUNCTION put_pages_of_others(new_pages page_row[], owner bytea) RETURNS bigint LANGUAGE plpgsql AS $$
-- The pages of runs that have ended; without an owner, of all of them. How many there are.
DECLARE
    written bigint;
BEGIN
    PERFORM FROM runs WHERE run_id IN (SELECT new.run_id FROM unnest(new_pages) AS new)
    AND (owner IS NULL OR ended_ms IS NOT NULL) FOR KEY SHARE;
    INSERT INTO pages (run, seq, link, record)
    SELECT runs.id, new.seq, new.link, new.record FROM unnest(new_pages) AS new JOIN runs USING (run_id)
    WHERE owner IS NULL OR runs.ended_ms IS NOT NULL;
    GET DIAGNOSTICS written = ROW_COUNT;
    RETURN written;
END $$;

CREATE FUNCTION put_7(
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
        -- A run that goes on is removed by nobody, and ended by nobody but its owner.
        INSERT INTO pages (run, seq, link, record)
        SELECT runs.id, new.seq, new.link, new.record FROM unnest(new_pages) AS new JOIN runs USING (run_id)
        WHERE CASE WHEN runs.ended_ms IS NULL THEN runs.worker = owner END;
        GET DIAGNOSTICS written = ROW_COUNT;
        IF written <> cardinality(new_pages) THEN
            written := written + put_pages_of_others(new_pages, owner);
        END IF;
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
        -- Who was told something meanwhile does not fall asleep over it: -1 until its worker has heard of it, -2 until
        -- it has gone on.
        UPDATE runs SET wake_ms = CASE
                WHEN runs.wake_ms >= 0 OR (runs.wake_ms = -2 AND new.wake_ms = 0) THEN new.wake_ms
                WHEN new.release THEN 0
                ELSE runs.wake_ms
            END,
            worker = CASE WHEN new.release THEN NULL ELSE runs.worker END
        FROM unnest(waits) AS new
        WHERE runs.run_id = new.run_id AND CASE WHEN runs.ended_ms IS NULL THEN owner IS NULL OR runs.worker = owner END;
    END IF;
    IF cardinality(wakes) > 0 THEN
        UPDATE runs SET wake_ms = CASE WHEN worker IS NULL THEN 0 WHEN worker = owner THEN -2 ELSE -1 END
        WHERE run_id = ANY (wakes) AND CASE WHEN ended_ms IS NULL THEN true END;
    END IF;
    RETURN answer;
END $$;

CREATE FUNCTION commit_batch_7(
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
    given := put_7(
        owner_of(by_worker), new_keys, new_runs, new_pages, updates, new_snapshots, new_triggers, items, new_messages,
        consumed, waits, wakes
    );
    IF cardinality(given) > 0 THEN
        PERFORM leave(by, given);
    END IF;
    RETURN given;
END $$;

CREATE OR REPLACE FUNCTION claim_run(by_worker bytea, worker_epoch bigint, wanted bytea) RETURNS boolean LANGUAGE plpgsql AS $$
-- False where the run is another worker's, who goes on with it. One that has ended, or is not there, is nobody's.
DECLARE
    is_lead boolean;
    run runs;
BEGIN
    SELECT lead INTO is_lead FROM workers WHERE worker = by_worker AND epoch = worker_epoch FOR SHARE;
    IF NOT FOUND THEN
        RAISE EXCEPTION USING ERRCODE = 'SF005';
    END IF;
    SELECT * INTO run FROM runs WHERE run_id = wanted;
    IF NOT FOUND OR run.ended_ms IS NOT NULL OR run.worker = by_worker AND run.wake_ms = 0 THEN
        RETURN true;
    END IF;
    IF NOT is_lead THEN
        PERFORM FROM operations WHERE ended_ms IS NULL;
        IF FOUND THEN
            RETURN run.worker IS NOT DISTINCT FROM by_worker;
        END IF;
    END IF;
    UPDATE runs SET worker = by_worker, wake_ms = 0
    WHERE run_id = wanted AND CASE WHEN ended_ms IS NULL THEN worker IS NULL OR worker = by_worker END;
    IF FOUND THEN
        RETURN true;
    END IF;
    SELECT * INTO run FROM runs WHERE run_id = wanted;
    RETURN NOT FOUND OR run.ended_ms IS NOT NULL;
END $$;

CREATE OR REPLACE FUNCTION take_over() RETURNS void LANGUAGE plpgsql AS $$
-- Shuts out the workers whose lease has ended, and makes their runs nobody's. One that is in a commit is left for later.
DECLARE
    dead bytea;
BEGIN
    FOR dead IN SELECT worker FROM workers WHERE expires < clock_timestamp() FOR UPDATE SKIP LOCKED LOOP
        UPDATE workers SET epoch = epoch + 1, expires = NULL, lead = false WHERE worker = dead;
        UPDATE runs SET worker = NULL
        WHERE worker = dead AND CASE WHEN ended_ms IS NULL THEN worker IS NOT NULL END;
    END LOOP;
END $$;
