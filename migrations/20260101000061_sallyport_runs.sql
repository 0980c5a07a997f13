-- One table of leases and one of runs, for whatever long work there is. A release that has only the names from before works on the same
-- rows through views, so that jobs of both releases exclude each other during a rolling update.
ALTER TABLE sallyport_cron_leases RENAME TO sallyport_leases;
ALTER TABLE sallyport_leases RENAME COLUMN job TO name;
ALTER TABLE sallyport_leases
    -- Grows with each taking and never falls: of two processes that believe to hold the lease, the higher one does.
    ADD COLUMN token BIGINT NOT NULL DEFAULT 0,
    -- The process that holds it; NULL where the system offers no mark of it, and while none holds it.
    ADD COLUMN holder TEXT;

CREATE VIEW sallyport_cron_leases AS
    SELECT name AS job, run_id, expires_at, due_at, last_success_at FROM sallyport_leases;

ALTER TABLE sallyport_feature_runs RENAME TO sallyport_runs;
ALTER TABLE sallyport_runs RENAME COLUMN changes TO plan;
ALTER TABLE sallyport_runs
    DROP CONSTRAINT sallyport_feature_runs_state_check,
    ADD COLUMN kind TEXT NOT NULL DEFAULT 'feature sync',
    -- What came of it, in counts.
    ADD COLUMN report JSONB;
ALTER TABLE sallyport_runs ALTER COLUMN kind DROP DEFAULT;

CREATE VIEW sallyport_feature_runs AS
    SELECT run_id, fingerprint, plan AS changes, state, progress, started_at, updated_at, kind
    FROM sallyport_runs WHERE kind = 'feature sync';
ALTER VIEW sallyport_feature_runs ALTER COLUMN kind SET DEFAULT 'feature sync';

-- Who may use a table may use the view that has its name now.
DO $$
DECLARE
    given RECORD;
BEGIN
    FOR given IN
        SELECT replace(replace(table_name, 'sallyport_leases', 'sallyport_cron_leases'), 'sallyport_runs', 'sallyport_feature_runs') AS name,
            privilege_type, grantee
        FROM information_schema.role_table_grants
        WHERE table_schema = current_schema() AND table_name IN ('sallyport_leases', 'sallyport_runs')
            AND privilege_type IN ('SELECT', 'INSERT', 'UPDATE', 'DELETE') AND grantee NOT IN (current_user, 'PUBLIC')
    LOOP
        EXECUTE format('GRANT %s ON %I TO %I', given.privilege_type, given.name, given.grantee);
    END LOOP;
END $$;
