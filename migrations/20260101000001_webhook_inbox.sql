-- Events of the identity provider: each stored once, applied until done.
CREATE TABLE sallyport_webhook_events (
  id uuid PRIMARY KEY,
  -- '' for bodies of scripts, which name no instance.
  instance_id text NOT NULL,
  -- The user the event is about.
  subject text NOT NULL,
  -- The provider's number of the event within its user; NULL for bodies of scripts.
  sequence bigint,
  -- What makes two bodies of scripts the same; NULL where there is a sequence.
  digest text,
  -- The order within a user: the sequence, or for bodies of scripts the arrival, below every sequence.
  position bigint NOT NULL,
  type text NOT NULL,
  source text NOT NULL,
  organization text,
  payload jsonb NOT NULL,
  occurred_at timestamptz,
  received_at timestamptz NOT NULL,
  status text NOT NULL DEFAULT 'pending',
  -- It takes access away: it does not wait behind events that fail.
  urgent boolean NOT NULL,
  -- Attempts that failed.
  attempts integer NOT NULL DEFAULT 0,
  due_at timestamptz NOT NULL,
  lease_id uuid,
  lease_until timestamptz,
  finished_at timestamptz,
  last_error text,
  CONSTRAINT sallyport_webhook_events_status_check CHECK (status IN ('pending', 'applied', 'dead')),
  CONSTRAINT sallyport_webhook_events_source_check CHECK (source IN ('event', 'script', 'reconcile')),
  CONSTRAINT sallyport_webhook_events_identity_check CHECK ((sequence IS NULL) <> (digest IS NULL))
);

CREATE UNIQUE INDEX idx_sallyport_webhook_events_sequence
  ON sallyport_webhook_events (instance_id, subject, sequence) WHERE sequence IS NOT NULL;
CREATE UNIQUE INDEX idx_sallyport_webhook_events_digest
  ON sallyport_webhook_events (digest) WHERE digest IS NOT NULL;
CREATE INDEX idx_sallyport_webhook_events_due
  ON sallyport_webhook_events (due_at) WHERE status = 'pending';
CREATE INDEX idx_sallyport_webhook_events_waiting
  ON sallyport_webhook_events (subject, position) WHERE status = 'pending';
CREATE INDEX idx_sallyport_webhook_events_dead
  ON sallyport_webhook_events (received_at) WHERE status = 'dead';

COMMENT ON TABLE sallyport_webhook_events IS 'Inbox of identity-provider events; payloads hold no password hashes and no secrets';
