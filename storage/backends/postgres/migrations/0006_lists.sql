-- Every list of runs and every claim by an index that has just these rows, in their order, whatever the planner believes.
--
-- It believes the statistics of a moment. Where nothing was under way then, it takes any index of what is under way for
-- the cheapest way to anything, and walks through all of it when that is much. It knows nothing of the values of a CASE;
-- so an index of unfinished runs says it in that way, and is taken by a question that says the same and by no other.
-- Where "newest first" is written as the least -id, it cannot walk through all runs in their order either.

CREATE INDEX runs_of_status ON runs (status, (-id));
CREATE INDEX runs_of_flow_and_status ON runs (flow_id, status, (-id));
CREATE INDEX runs_of_flow ON runs (flow_id, (-id));
DROP INDEX runs_by_flow;
CREATE INDEX runs_of_parent ON runs (parent, (-id)) WHERE parent IS NOT NULL;
DROP INDEX runs_by_parent;

CREATE INDEX runs_under_way ON runs (flow_id, id) WHERE CASE WHEN ended_ms IS NULL THEN true END;
DROP INDEX runs_unfinished_by_flow;
CREATE INDEX runs_of_worker ON runs (worker) WHERE CASE WHEN ended_ms IS NULL THEN worker IS NOT NULL END;
CREATE INDEX runs_of_nobody ON runs (wake_ms, id) WHERE CASE WHEN ended_ms IS NULL THEN worker IS NULL END;
DROP INDEX runs_ready;
