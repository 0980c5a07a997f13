-- Up to when the events of each Zitadel instance were taken out of the inbox once they had been applied.
CREATE TABLE sallyport_webhook_pruned (
    instance_id TEXT PRIMARY KEY,
    -- An event of before is never stored again: nothing would tell whether it had been applied.
    until TIMESTAMPTZ NOT NULL
);
