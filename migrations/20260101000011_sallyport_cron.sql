-- One row per job: who may run it now, and until when.
CREATE TABLE sallyport_cron_leases (
    job TEXT PRIMARY KEY,
    run_id UUID NOT NULL,
    expires_at TIMESTAMPTZ NOT NULL,
    -- The latest time of the schedule that was served, so that each is served once.
    due_at TIMESTAMPTZ,
    last_success_at TIMESTAMPTZ
);

CREATE TABLE sallyport_cron_runs (
    run_id UUID PRIMARY KEY,
    job TEXT NOT NULL,
    started_at TIMESTAMPTZ NOT NULL DEFAULT now(),
    finished_at TIMESTAMPTZ,
    outcome TEXT CHECK (outcome IN ('done', 'failed', 'lost')),
    detail JSONB NOT NULL DEFAULT '{}'::jsonb
);

CREATE INDEX idx_sallyport_cron_runs_job_started ON sallyport_cron_runs (job, started_at DESC);
