-- The first callback of an action counts: whoever accepts one sets `claimed` of its token in the same commit.
ALTER TABLE callback_tokens ADD COLUMN claimed INTEGER NOT NULL DEFAULT 0;
CREATE INDEX inbox_by_run ON inbox (run_id);
