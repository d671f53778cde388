-- The ownership epoch of a run: one more each time that a worker takes an unowned run. A worker states it with each row
-- that it writes of a run, and the statements compare it: what an earlier owner still has to write is refused, also where
-- the same worker owns the run again, and whatever has become of the run.
--
-- A refusal of runs is SF007, with their ids in its detail: the others are written without them.

ALTER TABLE runs ADD COLUMN epoch bigint NOT NULL DEFAULT 0;

CREATE FUNCTION refuse_runs_9(refused bytea[]) RETURNS void LANGUAGE plpgsql AS $$
-- These runs could not be written: they are owned by another worker or under another epoch, or were written by another log.
BEGIN
    PERFORM FROM runs WHERE run_id = ANY (refused);
    IF NOT FOUND THEN
        RAISE EXCEPTION USING ERRCODE = 'SF002';
    END IF;
    RAISE EXCEPTION USING ERRCODE = 'SF007', DETAIL = ARRAY(SELECT DISTINCT encode(each, 'hex') FROM unnest(refused) AS each)::text;
END $$;

CREATE FUNCTION put_pages_of_others_9(new_pages page_row[], epochs bigint[], owner bytea) RETURNS bigint LANGUAGE plpgsql AS $$
-- The pages of runs that have ended, by their owner, or sealed anew and without an epoch; without an owner, of all runs.
-- How many there are.
DECLARE
    written bigint;
BEGIN
    PERFORM FROM runs WHERE run_id IN (SELECT new.run_id FROM unnest(new_pages) AS new)
    AND (owner IS NULL OR ended_ms IS NOT NULL) FOR KEY SHARE;
    INSERT INTO pages (run, seq, link, record)
    SELECT runs.id, new.seq, new.link, new.record
    FROM unnest(new_pages, epochs) AS new (run_id, seq, link, record, epoch) JOIN runs USING (run_id)
    WHERE owner IS NULL
    OR (runs.ended_ms IS NOT NULL AND (new.epoch IS NULL OR (runs.worker = owner AND runs.epoch = new.epoch)));
    GET DIAGNOSTICS written = ROW_COUNT;
    RETURN written;
END $$;

CREATE FUNCTION put_9(
    owner bytea,
    new_keys key_row[], new_runs run_row[], new_pages page_row[], updates run_update[], new_snapshots snapshot_row[],
    new_triggers trigger_row[], items inbox_row[], new_messages message_row[], consumed bigint[], waits wait_row[], wakes bytea[],
    page_epochs bigint[], update_epochs bigint[], snapshot_epochs bigint[], wait_epochs bigint[]
) RETURNS bigint[] LANGUAGE plpgsql AS $$
-- The numbers of the items and then of the messages. With an owner, the rows of a run that has not ended are written if
-- the owner has it under the epoch that comes with each row, and only then.
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
        INSERT INTO runs (run_id, flow_id, version, domain, status, started_ms, ended_ms, parent, head_version, head, summary_version, summary, worker, epoch)
        SELECT new.*, owner, CASE WHEN owner IS NULL THEN 0 ELSE 1 END FROM unnest(new_runs) AS new;
    END IF;
    IF cardinality(new_pages) > 0 THEN
        -- A run that goes on is removed by nobody, and ended by nobody but its owner.
        INSERT INTO pages (run, seq, link, record)
        SELECT runs.id, new.seq, new.link, new.record
        FROM unnest(new_pages, page_epochs) AS new (run_id, seq, link, record, epoch) JOIN runs USING (run_id)
        WHERE CASE WHEN runs.ended_ms IS NULL THEN runs.worker = owner AND runs.epoch = new.epoch END;
        GET DIAGNOSTICS written = ROW_COUNT;
        IF written <> cardinality(new_pages) THEN
            written := written + put_pages_of_others_9(new_pages, page_epochs, owner);
        END IF;
        IF written <> cardinality(new_pages) THEN
            PERFORM refuse_runs_9(ARRAY(
                SELECT new.run_id FROM unnest(new_pages) AS new LEFT JOIN runs USING (run_id)
                LEFT JOIN pages ON pages.run = runs.id AND pages.seq = new.seq WHERE pages.link IS DISTINCT FROM new.link
            ));
        END IF;
    END IF;
    IF cardinality(updates) > 0 THEN
        -- What was sealed anew belongs to a run that has ended, and has no epoch.
        UPDATE runs SET status = new.status, ended_ms = new.ended_ms, head_version = new.head_version, head = new.head,
            summary_version = new.summary_version, summary = coalesce(new.summary, runs.summary)
        FROM unnest(updates, update_epochs) AS new (run_id, status, ended_ms, head_version, head, summary_version, summary, epoch)
        WHERE runs.run_id = new.run_id AND runs.head_version = new.head_version - 1
        AND (owner IS NULL OR (runs.worker = owner AND runs.epoch = new.epoch) OR (runs.ended_ms IS NOT NULL AND new.epoch IS NULL));
        GET DIAGNOSTICS written = ROW_COUNT;
        IF written <> cardinality(updates) THEN
            PERFORM refuse_runs_9(ARRAY(
                SELECT new.run_id FROM unnest(updates) AS new LEFT JOIN runs USING (run_id) WHERE runs.head IS DISTINCT FROM new.head
            ));
        END IF;
    END IF;
    IF cardinality(new_snapshots) > 0 THEN
        INSERT INTO snapshots (run, seq, record)
        SELECT runs.id, new.seq, new.record
        FROM unnest(new_snapshots, snapshot_epochs) AS new (run_id, seq, record, epoch) JOIN runs USING (run_id)
        WHERE owner IS NULL OR (runs.worker = owner AND runs.epoch = new.epoch) OR (runs.ended_ms IS NOT NULL AND new.epoch IS NULL)
        ON CONFLICT (run) DO UPDATE SET seq = excluded.seq, record = excluded.record;
        GET DIAGNOSTICS written = ROW_COUNT;
        IF written <> cardinality(new_snapshots) THEN
            PERFORM refuse_runs_9(ARRAY(
                SELECT new.run_id FROM unnest(new_snapshots) AS new LEFT JOIN runs USING (run_id)
                LEFT JOIN snapshots ON snapshots.run = runs.id WHERE snapshots.record IS DISTINCT FROM new.record
            ));
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
        FROM unnest(waits, wait_epochs) AS new (run_id, wake_ms, release, epoch)
        WHERE runs.run_id = new.run_id
        AND CASE WHEN runs.ended_ms IS NULL THEN owner IS NULL OR (runs.worker = owner AND runs.epoch = coalesce(new.epoch, runs.epoch)) END;
    END IF;
    IF cardinality(wakes) > 0 THEN
        UPDATE runs SET wake_ms = CASE WHEN worker IS NULL THEN 0 WHEN worker = owner THEN -2 ELSE -1 END
        WHERE run_id = ANY (wakes) AND CASE WHEN ended_ms IS NULL THEN true END;
    END IF;
    RETURN answer;
END $$;

CREATE FUNCTION commit_batch_9(
    by bytea, commit_number bigint, by_worker bytea, worker_epoch bigint, known_lock_epoch bigint, known_epoch bigint,
    new_keys key_row[], new_runs run_row[], new_pages page_row[], updates run_update[], new_snapshots snapshot_row[],
    new_triggers trigger_row[], items inbox_row[], new_messages message_row[], consumed bigint[], waits wait_row[], wakes bytea[],
    page_epochs bigint[], update_epochs bigint[], snapshot_epochs bigint[], wait_epochs bigint[]
) RETURNS bigint[] LANGUAGE plpgsql AS $$
DECLARE
    given bigint[];
BEGIN
    given := enter_3(by, commit_number, by_worker, worker_epoch, known_lock_epoch, known_epoch, false);
    IF given IS NOT NULL THEN
        RETURN given;
    END IF;
    given := put_9(
        owner_of(by_worker), new_keys, new_runs, new_pages, updates, new_snapshots, new_triggers, items, new_messages,
        consumed, waits, wakes, page_epochs, update_epochs, snapshot_epochs, wait_epochs
    );
    IF cardinality(given) > 0 THEN
        PERFORM leave(by, given);
    END IF;
    RETURN given;
END $$;

CREATE OR REPLACE FUNCTION claim_runs(by_worker bytea, worker_epoch bigint, now_ms bigint, without bytea[], most bigint)
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
    UPDATE runs SET worker = by_worker, epoch = epoch + 1, wake_ms = 0
    FROM (
        SELECT id FROM runs WHERE CASE WHEN ended_ms IS NULL THEN worker IS NULL END AND wake_ms <= now_ms AND flow_id <> ALL (without)
        AND (queue IS NULL OR rank >= 0)
        ORDER BY wake_ms, id LIMIT most FOR UPDATE SKIP LOCKED
    ) AS ready WHERE runs.id = ready.id RETURNING runs.id, runs.run_id;
END $$;

CREATE OR REPLACE FUNCTION claim_queued(by_worker bytea, worker_epoch bigint, now_ms bigint, queues bytea[], most bigint)
RETURNS TABLE (place bigint, claimed bytea) LANGUAGE plpgsql AS $$
-- Takes runs of these queues that are nobody's, in the order of their places: those that had begun first, when they are
-- ready. None while keys are migrated, as above.
BEGIN
    PERFORM FROM workers WHERE worker = by_worker AND epoch = worker_epoch FOR SHARE;
    IF NOT FOUND THEN
        RAISE EXCEPTION USING ERRCODE = 'SF005';
    END IF;
    PERFORM FROM operations WHERE ended_ms IS NULL;
    IF FOUND THEN
        RETURN;
    END IF;
    RETURN QUERY
    UPDATE runs SET worker = by_worker, epoch = epoch + 1, wake_ms = 0, rank = CASE WHEN runs.rank >= 0 THEN runs.rank - 2 ELSE runs.rank END
    FROM (
        SELECT id, row_number() OVER (ORDER BY waiting.rank, waiting.id) AS place FROM (
            SELECT runs.id, runs.rank FROM runs
            WHERE worker IS NULL AND CASE WHEN ended_ms IS NULL THEN queue IS NOT NULL END AND queue = ANY (queues) AND (runs.rank >= 0 OR wake_ms <= now_ms)
            ORDER BY runs.rank, runs.id LIMIT most FOR UPDATE SKIP LOCKED
        ) AS waiting
    ) AS ready WHERE runs.id = ready.id RETURNING ready.place, runs.run_id;
END $$;

CREATE FUNCTION claim_run_9(by_worker bytea, worker_epoch bigint, wanted bytea) RETURNS bigint LANGUAGE plpgsql AS $$
-- The ownership epoch of the run; 0 where it is another worker's. One that has ended, or is not there, is nobody's.
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
        RETURN greatest(run.epoch, 1);
    END IF;
    IF NOT is_lead THEN
        PERFORM FROM operations WHERE ended_ms IS NULL;
        IF FOUND THEN
            RETURN CASE WHEN run.worker = by_worker THEN run.epoch ELSE 0 END;
        END IF;
    END IF;
    UPDATE runs SET worker = by_worker, epoch = CASE WHEN worker IS NULL THEN epoch + 1 ELSE epoch END, wake_ms = 0
    WHERE run_id = wanted AND CASE WHEN ended_ms IS NULL THEN worker IS NULL OR worker = by_worker END
    RETURNING * INTO run;
    IF FOUND THEN
        RETURN run.epoch;
    END IF;
    PERFORM FROM runs WHERE run_id = wanted AND ended_ms IS NULL;
    RETURN CASE WHEN FOUND THEN 0 ELSE 1 END;
END $$;

CREATE OR REPLACE FUNCTION claim_run(by_worker bytea, worker_epoch bigint, wanted bytea) RETURNS boolean LANGUAGE sql AS $$
-- For workers of earlier versions.
    SELECT claim_run_9(by_worker, worker_epoch, wanted) > 0
$$;
