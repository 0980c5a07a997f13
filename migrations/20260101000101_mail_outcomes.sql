-- What became of a mail after the mail server took it, and what holds a mail back.
ALTER TABLE sallyport_outbox
    -- Names in sallyport_switches: the mail waits while one of them stands.
    ADD COLUMN held_by TEXT[] NOT NULL DEFAULT '{}',
    ADD COLUMN delivered_at TIMESTAMPTZ,
    -- A bounce whose code began with 4: the address may take the next mail.
    ADD COLUMN soft_bounced_at TIMESTAMPTZ,
    -- Not deliverable for good: reported as a bounce, or refused by the mail server itself.
    ADD COLUMN bounced_at TIMESTAMPTZ,
    ADD COLUMN complained_at TIMESTAMPTZ,
    -- Of the last bounce or complaint: the reporter's words.
    ADD COLUMN outcome_detail TEXT;
