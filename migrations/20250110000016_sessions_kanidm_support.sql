-- sallyport:no-transaction
-- Every statement may run again: a run that was cut off is resumed from the top.

-- Kanidm keeps the tokens of its sessions itself. All of it changes the catalogue only.
ALTER TABLE sessions
  ALTER COLUMN access_token_hash DROP NOT NULL,
  ALTER COLUMN refresh_token_hash DROP NOT NULL,
  ADD COLUMN IF NOT EXISTS kanidm_session_id uuid,
  ADD COLUMN IF NOT EXISTS auth_method varchar(50) NOT NULL DEFAULT 'jwt';

DO $$
BEGIN
  IF NOT EXISTS (
    SELECT FROM pg_constraint
    WHERE conrelid = 'sessions'::regclass AND conname = 'sessions_auth_method_check'
  ) THEN
    ALTER TABLE sessions ADD CONSTRAINT sessions_auth_method_check
      CHECK (auth_method IN ('jwt', 'kanidm', 'dual')) NOT VALID;
  END IF;
END
$$;

ALTER TABLE sessions VALIDATE CONSTRAINT sessions_auth_method_check;

-- Building an index concurrently stops nobody, but waits for transactions that are already open: let it.
SET lock_timeout = 0;

CREATE INDEX CONCURRENTLY IF NOT EXISTS idx_sessions_kanidm_session
  ON sessions (kanidm_session_id) WHERE kanidm_session_id IS NOT NULL;

COMMENT ON COLUMN sessions.kanidm_session_id IS 'The session in Kanidm, so that it can be followed and ended';
COMMENT ON COLUMN sessions.auth_method IS 'How the session began: jwt (legacy), kanidm (OAuth2), dual (both)';
