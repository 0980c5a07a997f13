-- How far the events of each Zitadel instance have been compared with the inbox.
CREATE TABLE sallyport_reconcile_cursors (
    instance_id TEXT PRIMARY KEY,
    -- Creation date of the newest event that was compared.
    seen_until TIMESTAMPTZ NOT NULL,
    updated_at TIMESTAMPTZ NOT NULL DEFAULT now()
);
