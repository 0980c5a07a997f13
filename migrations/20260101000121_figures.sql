-- The figures of the move, kept beside the people they count: what a refresh costs depends on what has changed, and reading them on nothing.

-- Whose row may have changed, written in the transaction that changed it: so a change that commits late is taken in late, and none is lost.
CREATE TABLE sallyport_changes (
    id BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    -- NULL: a table was emptied, and everybody is to be looked at.
    user_id UUID
);

-- Each row of `users` as it was counted last. No references, no names, no addresses: it serves to take back what was counted.
CREATE TABLE sallyport_figures_people (
    user_id UUID PRIMARY KEY,
    tenant_id UUID NOT NULL,
    -- Not deleted. Deleted people count by the day of their completion alone.
    counted BOOLEAN NOT NULL,
    active BOOLEAN NOT NULL,
    auth_method TEXT NOT NULL,
    provisioned BOOLEAN NOT NULL,
    excluded BOOLEAN NOT NULL,
    unreachable BOOLEAN NOT NULL,
    dormant BOOLEAN NOT NULL,
    invited_at TIMESTAMPTZ,
    completed_at TIMESTAMPTZ,
    -- The last sign-in; -infinity for none. And what dormancy is counted from.
    seen_at TIMESTAMPTZ NOT NULL,
    awake_at TIMESTAMPTZ NOT NULL,
    -- The lists that the person stands in, as one number: see shared/figures/classes.ts.
    class SMALLINT NOT NULL
);

CREATE INDEX idx_sallyport_figures_people_class ON sallyport_figures_people (class, seen_at, user_id) WHERE counted;
CREATE INDEX idx_sallyport_figures_people_tenant ON sallyport_figures_people (tenant_id, class, seen_at, user_id) WHERE counted;
CREATE INDEX idx_sallyport_figures_people_awake ON sallyport_figures_people (awake_at) WHERE NOT dormant;

-- By how much figures by day are to move. All moves are published together, so that at no time one figure is newer than another.
CREATE TABLE sallyport_figures_deltas (
    id BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    -- The session, row of the audit or invitation it came from; NULL for those of people, which are summed up.
    origin TEXT,
    -- NULL: of no tenant.
    tenant_id UUID,
    what TEXT NOT NULL,
    day DATE,
    wave_id UUID,
    hours INTEGER,
    n BIGINT NOT NULL
);

CREATE INDEX idx_sallyport_figures_deltas_origin ON sallyport_figures_deltas (origin) WHERE origin IS NOT NULL;
CREATE UNIQUE INDEX idx_sallyport_figures_deltas_people ON sallyport_figures_deltas (tenant_id, what, day) WHERE origin IS NULL;

-- By tenant; the nil UUID stands for all.
CREATE TABLE sallyport_figures_totals (
    scope UUID PRIMARY KEY,
    -- Of the tenant at that time.
    name TEXT,
    slug TEXT,
    total BIGINT NOT NULL DEFAULT 0,
    password BIGINT NOT NULL DEFAULT 0,
    kanidm BIGINT NOT NULL DEFAULT 0,
    dual BIGINT NOT NULL DEFAULT 0,
    provisioned BIGINT NOT NULL DEFAULT 0,
    invited BIGINT NOT NULL DEFAULT 0,
    completed BIGINT NOT NULL DEFAULT 0,
    dormant BIGINT NOT NULL DEFAULT 0,
    excluded BIGINT NOT NULL DEFAULT 0,
    unreachable BIGINT NOT NULL DEFAULT 0,
    active BIGINT NOT NULL DEFAULT 0,
    settled BIGINT NOT NULL DEFAULT 0
);

-- By how much totals of tenants are to move.
CREATE TABLE sallyport_figures_moves (LIKE sallyport_figures_totals INCLUDING DEFAULTS INCLUDING INDEXES);

CREATE TABLE sallyport_figures_days (
    scope UUID NOT NULL,
    what TEXT NOT NULL,
    day DATE NOT NULL,
    n BIGINT NOT NULL,
    PRIMARY KEY (scope, what, day)
);

-- By how many hours after its mail an invitation reached a step; the nil UUID stands for all waves.
CREATE TABLE sallyport_figures_funnel (
    scope UUID NOT NULL,
    wave_id UUID NOT NULL,
    step TEXT NOT NULL,
    hours INTEGER NOT NULL,
    n BIGINT NOT NULL,
    PRIMARY KEY (scope, wave_id, step, hours)
);

CREATE TABLE sallyport_figures_state (
    one BOOLEAN PRIMARY KEY DEFAULT true CHECK (one),
    -- When the figures were true. NULL: they have never been counted to the end.
    as_of TIMESTAMPTZ,
    -- Everybody is being looked at, in the order of ids, and this is how far it has come.
    people_done BOOLEAN NOT NULL DEFAULT false,
    people_after UUID,
    sessions_done BOOLEAN NOT NULL DEFAULT false,
    sessions_after UUID
);

INSERT INTO sallyport_figures_state DEFAULT VALUES;

-- Support tickets, each once by its id.
CREATE TABLE sallyport_tickets (
    id TEXT PRIMARY KEY,
    -- NULL: of no tenant.
    tenant_id UUID,
    at TIMESTAMPTZ NOT NULL,
    subject TEXT
);

CREATE INDEX idx_sallyport_tickets_at ON sallyport_tickets (at);

CREATE FUNCTION sallyport_note_people() RETURNS trigger
LANGUAGE plpgsql
SECURITY DEFINER
AS $$
BEGIN
    IF TG_OP = 'TRUNCATE' THEN
        INSERT INTO sallyport_changes (user_id) VALUES (NULL);
    ELSIF TG_OP = 'INSERT' THEN
        INSERT INTO sallyport_changes (user_id) SELECT user_id FROM new_rows;
    ELSIF TG_OP = 'DELETE' THEN
        INSERT INTO sallyport_changes (user_id) SELECT user_id FROM old_rows;
    ELSE
        INSERT INTO sallyport_changes (user_id) SELECT user_id FROM old_rows UNION SELECT user_id FROM new_rows;
    END IF;
    RETURN NULL;
END
$$;

CREATE FUNCTION sallyport_note_sessions() RETURNS trigger
LANGUAGE plpgsql
SECURITY DEFINER
AS $$
BEGIN
    INSERT INTO sallyport_figures_deltas (origin, tenant_id, what, day, n)
    SELECT session_id::text, tenant_id, CASE auth_method WHEN 'jwt' THEN 'password_logins' ELSE 'oauth_logins' END,
        (created_at AT TIME ZONE 'UTC')::date, 1
    FROM new_rows WHERE created_at IS NOT NULL;
    RETURN NULL;
END
$$;

-- The steps that an invitation has reached, with the hours since its mail, or since its link was made where that was printed.
CREATE FUNCTION sallyport_invitation_reached(
    mailed_at TIMESTAMPTZ, queued_at TIMESTAMPTZ, created_at TIMESTAMPTZ,
    delivered_at TIMESTAMPTZ, seen_at TIMESTAMPTZ, accepted_at TIMESTAMPTZ, completed_at TIMESTAMPTZ
) RETURNS TABLE (step TEXT, hours INTEGER)
LANGUAGE sql IMMUTABLE
AS $$
    SELECT v.step, least(greatest(floor(extract(epoch FROM v.at - coalesce(mailed_at, queued_at, created_at)) / 3600), 0), 87600)::int
    FROM (VALUES
        ('invited', coalesce(mailed_at, delivered_at, seen_at, accepted_at, completed_at)),
        ('delivered', delivered_at), ('seen', seen_at), ('accepted', accepted_at), ('completed', completed_at)
    ) v (step, at)
    WHERE v.at IS NOT NULL
$$;

CREATE FUNCTION sallyport_note_invitations() RETURNS trigger
LANGUAGE plpgsql
SECURITY DEFINER
AS $$
BEGIN
    IF TG_OP <> 'INSERT' THEN
        INSERT INTO sallyport_figures_deltas (origin, tenant_id, what, wave_id, hours, n)
        SELECT 'invitation', i.tenant_id, r.step, i.wave_id, r.hours, -count(*)
        FROM old_rows i CROSS JOIN LATERAL sallyport_invitation_reached(
            i.mailed_at, i.queued_at, i.created_at, i.delivered_at, i.seen_at, i.accepted_at, i.completed_at
        ) r GROUP BY i.tenant_id, r.step, i.wave_id, r.hours;
    END IF;
    IF TG_OP <> 'DELETE' THEN
        INSERT INTO sallyport_figures_deltas (origin, tenant_id, what, wave_id, hours, n)
        SELECT 'invitation', i.tenant_id, r.step, i.wave_id, r.hours, count(*)
        FROM new_rows i CROSS JOIN LATERAL sallyport_invitation_reached(
            i.mailed_at, i.queued_at, i.created_at, i.delivered_at, i.seen_at, i.accepted_at, i.completed_at
        ) r GROUP BY i.tenant_id, r.step, i.wave_id, r.hours;
    END IF;
    RETURN NULL;
END
$$;

CREATE FUNCTION sallyport_note_audit() RETURNS trigger
LANGUAGE plpgsql
SECURITY DEFINER
AS $$
BEGIN
    INSERT INTO sallyport_figures_deltas (origin, tenant_id, what, day, n)
    SELECT 'audit ' || a.id, (SELECT u.tenant_id FROM users u WHERE u.user_id = a.subject), 'oauth_failures',
        (a.at AT TIME ZONE 'UTC')::date, 1
    FROM new_rows a WHERE a.what IN ('sign_in_refused', 'link_refused') AND a.detail ? 'by';
    RETURN NULL;
END
$$;

-- Who writes `users` needs no rights on tables of ours. With the rights of their owner they must resolve no name of another's making.
DO $$
DECLARE
    noting TEXT;
BEGIN
    FOREACH noting IN ARRAY ARRAY[
        'sallyport_note_people', 'sallyport_note_sessions', 'sallyport_note_audit', 'sallyport_note_invitations'
    ] LOOP
        EXECUTE format('ALTER FUNCTION %I() SET search_path = %I, pg_temp', noting, current_schema());
        -- A trigger of another's table needs the right; those of the tables here fire without it.
        EXECUTE format('REVOKE ALL ON FUNCTION %I() FROM PUBLIC', noting);
    END LOOP;
END $$;
