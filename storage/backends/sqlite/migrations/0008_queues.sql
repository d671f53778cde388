-- Runs that machines of a group are to execute. `queue` is the group's id, null for all others; `rank` orders those of one
-- queue: 0 and 1 while they wait, two less from the moment when the run was taken for the first time.
--
-- One that waits is looked at at `wake_ms`, since it has waited too long then; the largest number where it may wait for
-- ever.
ALTER TABLE runs ADD COLUMN queue BLOB;
ALTER TABLE runs ADD COLUMN rank INTEGER NOT NULL DEFAULT 0;
CREATE INDEX runs_queued ON runs (queue, rank, id) WHERE queue IS NOT NULL AND ended_ms IS NULL;
