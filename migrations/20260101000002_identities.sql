-- What the identity provider says of its users, as far as events told.
CREATE TABLE sallyport_identities (
  issuer text NOT NULL,
  subject text NOT NULL,
  username text,
  username_position bigint,
  email text,
  email_position bigint,
  -- removed is a tombstone: nothing brings the user back.
  state text NOT NULL DEFAULT 'active',
  state_position bigint,
  state_changed_at timestamptz,
  updated_at timestamptz NOT NULL,
  PRIMARY KEY (issuer, subject),
  CONSTRAINT sallyport_identities_state_check CHECK (state IN ('active', 'suspended', 'removed'))
);

CREATE INDEX idx_sallyport_identities_state_changed
  ON sallyport_identities (issuer, state_changed_at) WHERE state_changed_at IS NOT NULL;

COMMENT ON COLUMN sallyport_identities.username_position IS 'Position of the event that set the field: a lower one never overwrites it';
