-- What is judged: how long checks of tokens take, what people say of the move, what is wrong, and who has been told.

-- Checks of tokens of all instances by day and bucket: bucket b ends before 100 ms * 2^((b - 40) / 4).
CREATE TABLE sallyport_token_checks (
    day DATE NOT NULL,
    bucket SMALLINT NOT NULL,
    n BIGINT NOT NULL,
    PRIMARY KEY (day, bucket)
);

-- Surveys count as steps of invitations do, so that they outlive the invitation.
CREATE FUNCTION sallyport_note_survey() RETURNS trigger
LANGUAGE plpgsql
SECURITY DEFINER
AS $$
BEGIN
    INSERT INTO sallyport_figures_deltas (origin, tenant_id, what, day, n)
    VALUES
        ('invitation', NEW.tenant_id, 'surveys', (coalesce(NEW.survey_at, now()) AT TIME ZONE 'UTC')::date, 1),
        ('invitation', NEW.tenant_id, 'survey_points', (coalesce(NEW.survey_at, now()) AT TIME ZONE 'UTC')::date, NEW.survey_score);
    RETURN NULL;
END
$$;

DO $$
BEGIN
    EXECUTE format('ALTER FUNCTION sallyport_note_survey() SET search_path = %I, pg_temp', current_schema());
END $$;

CREATE TRIGGER sallyport_note_survey AFTER UPDATE OF survey_score ON sallyport_invitations
    FOR EACH ROW WHEN (OLD.survey_score IS NULL AND NEW.survey_score IS NOT NULL)
    EXECUTE FUNCTION sallyport_note_survey();

-- One row for each alarm that has ever been raised.
CREATE TABLE sallyport_alarms (
    name TEXT PRIMARY KEY,
    raised BOOLEAN NOT NULL,
    -- When it was raised last, and cleared since.
    since TIMESTAMPTZ NOT NULL,
    cleared_at TIMESTAMPTZ,
    value DOUBLE PRECISION,
    detail TEXT NOT NULL,
    checked_at TIMESTAMPTZ NOT NULL
);

-- Each time that one is raised or cleared, until its webhook has answered.
CREATE TABLE sallyport_alarm_events (
    id UUID PRIMARY KEY,
    name TEXT NOT NULL,
    state TEXT NOT NULL,
    at TIMESTAMPTZ NOT NULL,
    since TIMESTAMPTZ NOT NULL,
    value DOUBLE PRECISION,
    detail TEXT NOT NULL,
    -- pending, told, dead; silent: there was no webhook.
    status TEXT NOT NULL,
    due_at TIMESTAMPTZ NOT NULL DEFAULT now(),
    attempts INTEGER NOT NULL DEFAULT 0,
    lease_id UUID,
    lease_until TIMESTAMPTZ,
    finished_at TIMESTAMPTZ,
    last_error TEXT,
    CONSTRAINT sallyport_alarm_events_state_check CHECK (state IN ('raised', 'cleared')),
    CONSTRAINT sallyport_alarm_events_status_check CHECK (status IN ('pending', 'told', 'dead', 'silent'))
);

CREATE INDEX idx_sallyport_alarm_events_due ON sallyport_alarm_events (due_at) WHERE status = 'pending';
