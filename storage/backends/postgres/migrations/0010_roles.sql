-- A worker that fires triggers says so: one that leads and fires none hands the lead over to it.
ALTER TABLE workers ADD COLUMN wants_lead boolean NOT NULL DEFAULT false;
