-- What a run does to each person: intended before the provider is called, resolved after it.
CREATE TABLE sallyport_ledger (
    run_id UUID NOT NULL REFERENCES sallyport_runs (run_id) ON DELETE CASCADE,
    -- No reference: the row outlives the user, so that the account of who was deleted meanwhile is found.
    user_id UUID NOT NULL,
    state TEXT NOT NULL,
    -- The account at the provider.
    external_id TEXT,
    reason TEXT,
    -- The row of the user and its links before the run.
    before JSONB NOT NULL DEFAULT '{}',
    at TIMESTAMPTZ NOT NULL DEFAULT now(),
    PRIMARY KEY (run_id, user_id)
);

CREATE INDEX idx_sallyport_ledger_user ON sallyport_ledger (user_id, at);
CREATE INDEX idx_sallyport_ledger_state ON sallyport_ledger (run_id, state);
