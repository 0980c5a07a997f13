-- Mails that wait for the mail server. A mail names its template by content, so that an attempt repeated by another release sends
-- the same bytes.
CREATE TABLE sallyport_mail_templates (
    -- SHA-256 of the content, as hex.
    digest TEXT PRIMARY KEY,
    content JSONB NOT NULL,
    first_seen_at TIMESTAMPTZ NOT NULL DEFAULT now()
);

CREATE TABLE sallyport_outbox (
    id UUID PRIMARY KEY DEFAULT gen_random_uuid(),
    -- With its angle brackets: what bounces name, and what makes a second enqueueing of the same mail do nothing.
    message_id TEXT NOT NULL UNIQUE,
    kind TEXT NOT NULL,
    template TEXT NOT NULL REFERENCES sallyport_mail_templates (digest),
    recipient TEXT NOT NULL,
    -- No references: what was sent stays on record when they go.
    tenant_id UUID,
    user_id UUID,
    -- What the template is filled with: encrypted where there are SESSION_KEYS, since links let their holder in. NULL when it has ended.
    content TEXT,
    -- Goes before all others: somebody waits in front of a screen.
    urgent BOOLEAN NOT NULL DEFAULT false,
    created_at TIMESTAMPTZ NOT NULL DEFAULT now(),
    -- Not sent from then on: its link has expired.
    expires_at TIMESTAMPTZ,
    -- The Date field: of the first attempt.
    dated_at TIMESTAMPTZ,
    -- Attempts that came to the end of the message without an answer: each may have made a copy.
    unanswered INTEGER NOT NULL DEFAULT 0,
    status TEXT NOT NULL DEFAULT 'pending',
    attempts INTEGER NOT NULL DEFAULT 0,
    due_at TIMESTAMPTZ NOT NULL DEFAULT now(),
    lease_id UUID,
    lease_until TIMESTAMPTZ,
    finished_at TIMESTAMPTZ,
    last_error TEXT,
    CONSTRAINT sallyport_outbox_status_check CHECK (status IN ('pending', 'sent', 'dead'))
);

CREATE INDEX idx_sallyport_outbox_due ON sallyport_outbox (urgent DESC, due_at) WHERE status = 'pending';
CREATE INDEX idx_sallyport_outbox_created ON sallyport_outbox (created_at) WHERE status <> 'pending';
CREATE INDEX idx_sallyport_outbox_recipient ON sallyport_outbox (lower(recipient));
CREATE INDEX idx_sallyport_outbox_user ON sallyport_outbox (user_id) WHERE user_id IS NOT NULL;

COMMENT ON TABLE sallyport_outbox IS 'Mails, each sent once; a crash between the server''s answer and its record makes one copy at most';

-- Addresses that get no mail: a hard bounce or a complaint. By SHA-256 of the address in small letters.
CREATE TABLE sallyport_mail_suppressed (
    address_hash BYTEA PRIMARY KEY,
    reason TEXT NOT NULL,
    at TIMESTAMPTZ NOT NULL DEFAULT now()
);

-- What MAIL_RATE counts over all instances: mails of a batch, until they leave the window.
CREATE TABLE sallyport_mail_pace (
    id UUID PRIMARY KEY,
    mails INTEGER NOT NULL,
    counts_until TIMESTAMPTZ NOT NULL
);
