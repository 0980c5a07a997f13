-- Each renaming, splitting, merging or removal of features that `sallyport rules sync` carried over to OpenFGA.
CREATE TABLE sallyport_feature_runs (
    run_id UUID PRIMARY KEY,
    -- Of the two rules files: a finished run is not done again.
    fingerprint TEXT NOT NULL,
    changes JSONB NOT NULL,
    state TEXT NOT NULL CHECK (state IN
        ('snapshot', 'expanding', 'expanded', 'contracting', 'done', 'restoring', 'removing', 'restored')),
    -- Tuples of the state's work that are done.
    progress INTEGER NOT NULL DEFAULT 0,
    started_at TIMESTAMPTZ NOT NULL DEFAULT now(),
    updated_at TIMESTAMPTZ NOT NULL DEFAULT now()
);

CREATE INDEX idx_sallyport_feature_runs_started ON sallyport_feature_runs (started_at DESC);

-- The tuples of every touched feature as they were before the run.
CREATE TABLE sallyport_feature_archive (
    run_id UUID NOT NULL REFERENCES sallyport_feature_runs (run_id) ON DELETE CASCADE,
    object TEXT NOT NULL,
    relation TEXT NOT NULL,
    subject TEXT NOT NULL,
    condition JSONB,
    PRIMARY KEY (run_id, object, relation, subject)
);

-- One run at a time.
CREATE TABLE sallyport_feature_lease (
    id INTEGER PRIMARY KEY CHECK (id = 1),
    holder UUID NOT NULL,
    expires_at TIMESTAMPTZ NOT NULL
);
