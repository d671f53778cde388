-- Every list by an index that has just these rows in their order (newest first is the index read backwards), and one
-- index of what has not ended: first what was told something, then what is ready or goes on, then what waits, by when.
-- So neither a list nor a start walks through what is not its answer, however many runs there are, or sleep.
CREATE INDEX runs_by_status ON runs (status);
CREATE INDEX runs_by_flow_and_status ON runs (flow_id, status);
CREATE INDEX runs_under_way ON runs (wake_ms, id) WHERE ended_ms IS NULL;
CREATE INDEX keys_by_version ON keys (domain, key_version);
CREATE INDEX messages_by_flow ON messages (flow_id);
DROP INDEX runs_unfinished;
DROP INDEX runs_waiting;
