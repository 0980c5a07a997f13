-- Sign-in by password and by OAuth2 side by side. The tables of the application keep their columns: what more there is to keep of
-- their rows stands in tables of our own.

-- Whose account an issuer's subject is. A row of `users` with kanidm_user_id and without a link is linked to Kanidm by it.
CREATE TABLE sallyport_links (
    issuer TEXT NOT NULL,
    subject TEXT NOT NULL,
    user_id UUID NOT NULL REFERENCES users (user_id) ON DELETE CASCADE,
    -- What made it: provisioning, callback, link.
    via TEXT NOT NULL,
    linked_at TIMESTAMPTZ NOT NULL DEFAULT now(),
    PRIMARY KEY (issuer, subject)
);

CREATE INDEX idx_sallyport_links_user ON sallyport_links (user_id);

-- What a row of `sessions` that began here has beside its columns: one family of refresh tokens.
CREATE TABLE sallyport_sessions (
    session_id UUID PRIMARY KEY REFERENCES sessions (session_id) ON DELETE CASCADE,
    -- NULL where it began by password.
    issuer TEXT,
    subject TEXT,
    -- The `sid` of the provider's tokens, and its refresh token, encrypted.
    provider_sid TEXT,
    provider_token TEXT,
    -- When the provider last confirmed it.
    confirmed_at TIMESTAMPTZ,
    -- Of the refresh token that counts now: grows with each rotation.
    generation INTEGER NOT NULL DEFAULT 0,
    rotated_at TIMESTAMPTZ,
    -- The tokens of the last rotation, encrypted: an answer that was lost is given once more.
    successor TEXT
);

CREATE INDEX idx_sallyport_sessions_subject ON sallyport_sessions (issuer, subject) WHERE issuer IS NOT NULL;
CREATE INDEX idx_sallyport_sessions_sid ON sallyport_sessions (issuer, provider_sid) WHERE provider_sid IS NOT NULL;

-- Append-only: rows are read, and deleted when their time is up.
CREATE TABLE sallyport_audit (
    id BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    at TIMESTAMPTZ NOT NULL DEFAULT now(),
    who TEXT NOT NULL,
    what TEXT NOT NULL,
    -- The user it is about. No reference: the row outlives the user.
    subject UUID,
    -- An address, or cli.
    source TEXT NOT NULL,
    -- The id of a run or of a request.
    run TEXT,
    detail JSONB NOT NULL DEFAULT '{}'
);

CREATE INDEX idx_sallyport_audit_at ON sallyport_audit (at);
CREATE INDEX idx_sallyport_audit_subject ON sallyport_audit (subject, at) WHERE subject IS NOT NULL;
CREATE INDEX idx_sallyport_audit_what ON sallyport_audit (what, at);

CREATE FUNCTION sallyport_audit_is_append_only() RETURNS trigger
LANGUAGE plpgsql
AS $$
BEGIN
    RAISE EXCEPTION 'rows of sallyport_audit are never changed';
END
$$;

CREATE TRIGGER sallyport_audit_is_append_only
    BEFORE UPDATE ON sallyport_audit
    FOR EACH ROW EXECUTE FUNCTION sallyport_audit_is_append_only();

-- States, codes and nonces that may count once.
CREATE TABLE sallyport_spent (
    key TEXT PRIMARY KEY,
    expires_at TIMESTAMPTZ NOT NULL
);

CREATE INDEX idx_sallyport_spent_expires ON sallyport_spent (expires_at);

-- Not yet users: nobody can take an address before its owner has opened the mail. Tokens are kept as SHA-256.
CREATE TABLE sallyport_registrations (
    token_hash BYTEA PRIMARY KEY,
    tenant_id UUID NOT NULL REFERENCES tenants (tenant_id) ON DELETE CASCADE,
    email TEXT NOT NULL,
    full_name TEXT NOT NULL,
    password_hash TEXT NOT NULL,
    expires_at TIMESTAMPTZ NOT NULL
);

CREATE INDEX idx_sallyport_registrations_expires ON sallyport_registrations (expires_at);

CREATE TABLE sallyport_resets (
    token_hash BYTEA PRIMARY KEY,
    user_id UUID NOT NULL REFERENCES users (user_id) ON DELETE CASCADE,
    expires_at TIMESTAMPTZ NOT NULL
);

CREATE INDEX idx_sallyport_resets_user ON sallyport_resets (user_id);
CREATE INDEX idx_sallyport_resets_expires ON sallyport_resets (expires_at);

-- What the move to the provider keeps of a tenant and of a person.
CREATE TABLE sallyport_tenants (
    tenant_id UUID PRIMARY KEY REFERENCES tenants (tenant_id) ON DELETE CASCADE,
    -- From then on the password no longer signs in.
    deadline TIMESTAMPTZ,
    confirmed_at TIMESTAMPTZ,
    confirmed_by TEXT
);

CREATE TABLE sallyport_people (
    user_id UUID PRIMARY KEY REFERENCES users (user_id) ON DELETE CASCADE,
    excluded_at TIMESTAMPTZ,
    excluded_reason TEXT,
    -- The password was verified here: the person may go over with it.
    ready_at TIMESTAMPTZ,
    flags JSONB NOT NULL DEFAULT '{}'
);

-- What is stopped by hand. `migration`: no mail, no provisioning, no deadline.
CREATE TABLE sallyport_switches (
    name TEXT PRIMARY KEY,
    since TIMESTAMPTZ NOT NULL DEFAULT now(),
    who TEXT NOT NULL
);

-- How many accounts one address has at most, over all tenants: what a refused sign-in without a tenant has to cost.
CREATE TABLE sallyport_sign_in (
    one BOOLEAN PRIMARY KEY DEFAULT true CHECK (one),
    most_per_address INTEGER NOT NULL,
    measured_at TIMESTAMPTZ NOT NULL DEFAULT now()
);
