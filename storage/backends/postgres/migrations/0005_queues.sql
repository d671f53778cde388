-- Runs that machines of a group are to execute. `queue` is the group's id, null for a run that any worker may have; `rank`
-- orders those of one queue: 0 and 1 while they wait, two less from the moment when a worker has taken the run for the
-- first time.
--
-- One that waits is looked at by any worker at `wake_ms`, since it has waited too long then; the largest number where it
-- may wait for ever.

ALTER TABLE runs ADD COLUMN queue bytea, ADD COLUMN rank bigint NOT NULL DEFAULT 0;
CREATE INDEX runs_queued ON runs (queue, rank, id) WHERE CASE WHEN ended_ms IS NULL THEN queue IS NOT NULL END;

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
    UPDATE runs SET worker = by_worker, wake_ms = 0
    FROM (
        SELECT id FROM runs WHERE CASE WHEN ended_ms IS NULL THEN worker IS NULL END AND wake_ms <= now_ms AND flow_id <> ALL (without)
        AND (queue IS NULL OR rank >= 0)
        ORDER BY wake_ms, id LIMIT most FOR UPDATE SKIP LOCKED
    ) AS ready WHERE runs.id = ready.id RETURNING runs.id, runs.run_id;
END $$;

CREATE FUNCTION claim_queued(by_worker bytea, worker_epoch bigint, now_ms bigint, queues bytea[], most bigint)
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
    UPDATE runs SET worker = by_worker, wake_ms = 0, rank = CASE WHEN runs.rank >= 0 THEN runs.rank - 2 ELSE runs.rank END
    FROM (
        SELECT id, row_number() OVER (ORDER BY waiting.rank, waiting.id) AS place FROM (
            SELECT runs.id, runs.rank FROM runs
            WHERE worker IS NULL AND CASE WHEN ended_ms IS NULL THEN queue IS NOT NULL END AND queue = ANY (queues) AND (runs.rank >= 0 OR wake_ms <= now_ms)
            ORDER BY runs.rank, runs.id LIMIT most FOR UPDATE SKIP LOCKED
        ) AS waiting
    ) AS ready WHERE runs.id = ready.id RETURNING ready.place, runs.run_id;
END $$;
