-- Waves of invitations, and what became of each invitation.
CREATE TABLE sallyport_waves (
    wave_id UUID PRIMARY KEY DEFAULT gen_random_uuid(),
    name TEXT NOT NULL UNIQUE,
    state TEXT NOT NULL DEFAULT 'planned',
    -- Whom it takes, as it was asked for: tenants by id, so that a new name of one changes nothing.
    cohort JSONB NOT NULL,
    -- Also people without an account at the provider: theirs is made with the invite code, at Zitadel.
    invite_code BOOLEAN NOT NULL DEFAULT false,
    start_at TIMESTAMPTZ NOT NULL,
    deadline TIMESTAMPTZ,
    -- Steps as they were given, as ["7d", "-3d"]: after each person's own mail, negative ones before the deadline.
    remind JSONB NOT NULL DEFAULT '[]',
    -- Mails per window, as 60/60s; NULL: as MAIL_RATE has it.
    rate TEXT,
    -- What pauses it by itself.
    stop_when JSONB NOT NULL DEFAULT '[]',
    -- What stop_when counts from: the start, or the last resume.
    judged_since TIMESTAMPTZ,
    pause_reason TEXT,
    created_at TIMESTAMPTZ NOT NULL DEFAULT now(),
    started_at TIMESTAMPTZ,
    ended_at TIMESTAMPTZ,
    CONSTRAINT sallyport_waves_state_check CHECK (state IN ('planned', 'running', 'paused', 'done', 'cancelled'))
);

-- One for each person of a wave, from its start on.
CREATE TABLE sallyport_invitations (
    invitation_id UUID PRIMARY KEY DEFAULT gen_random_uuid(),
    -- NULL: of a single resend.
    wave_id UUID REFERENCES sallyport_waves (wave_id) ON DELETE CASCADE,
    -- No reference: the funnel goes on counting it when the user is gone.
    user_id UUID NOT NULL,
    tenant_id UUID NOT NULL,
    -- SHA-256 of the address in small letters that the newest link was made for: a change of mail ends it.
    address_hash BYTEA,
    created_at TIMESTAMPTZ NOT NULL DEFAULT now(),
    -- The first link was made: its mail is in the outbox, or it was printed. From then on the deadline of the wave counts.
    queued_at TIMESTAMPTZ,
    mailed_at TIMESTAMPTZ,
    delivered_at TIMESTAMPTZ,
    seen_at TIMESTAMPTZ,
    accepted_at TIMESTAMPTZ,
    completed_at TIMESTAMPTZ,
    ended_at TIMESTAMPTZ,
    -- completed, deleted, excluded, cancelled, superseded
    end_reason TEXT,
    unsubscribed_at TIMESTAMPTZ,
    later_until TIMESTAMPTZ,
    survey_score SMALLINT,
    survey_text TEXT,
    survey_at TIMESTAMPTZ
);

-- Nobody is in two waves at a time.
CREATE UNIQUE INDEX idx_sallyport_invitations_living ON sallyport_invitations (user_id) WHERE ended_at IS NULL;
CREATE INDEX idx_sallyport_invitations_user ON sallyport_invitations (user_id, created_at);
CREATE INDEX idx_sallyport_invitations_wave ON sallyport_invitations (wave_id);
CREATE INDEX idx_sallyport_invitations_waiting ON sallyport_invitations (wave_id, invitation_id)
    WHERE queued_at IS NULL AND ended_at IS NULL;

-- Each link of an invitation: the newest counts. Tokens are derived, and kept as SHA-256.
CREATE TABLE sallyport_invitation_steps (
    invitation_id UUID NOT NULL REFERENCES sallyport_invitations (invitation_id) ON DELETE CASCADE,
    -- invite, remind-7d, remind--3d, resend-1, renew-1, code-1
    step TEXT NOT NULL,
    wave_id UUID,
    token_hash BYTEA NOT NULL UNIQUE,
    -- Of its mail; NULL where it was printed.
    message_id TEXT UNIQUE,
    created_at TIMESTAMPTZ NOT NULL DEFAULT now(),
    expires_at TIMESTAMPTZ NOT NULL,
    superseded_at TIMESTAMPTZ,
    -- The mail was sent, or will not be.
    settled_at TIMESTAMPTZ,
    sent_at TIMESTAMPTZ,
    PRIMARY KEY (invitation_id, step)
);

CREATE INDEX idx_sallyport_invitation_steps_pending ON sallyport_invitation_steps (wave_id, created_at) WHERE settled_at IS NULL;
CREATE INDEX idx_sallyport_invitation_steps_settled ON sallyport_invitation_steps (wave_id, settled_at) WHERE settled_at IS NOT NULL;
