-- When a run that has not ended is looked at again: 0 for one that is ready or goes on, -1 for one that was told something
-- while it went on, else Unix milliseconds (the largest number for one that waits for an event only).
ALTER TABLE runs ADD COLUMN wake_ms INTEGER NOT NULL DEFAULT 0;
CREATE INDEX runs_waiting ON runs (wake_ms, id) WHERE ended_ms IS NULL AND wake_ms <> 0;
CREATE INDEX runs_unfinished_by_flow ON runs (flow_id, id) WHERE ended_ms IS NULL;
