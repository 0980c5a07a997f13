-- sallyport:no-transaction
-- Every statement may run again: a run that was cut off is resumed from the top.

-- A constant default is kept in the catalogue (Postgres 11 and later): no row is rewritten.
ALTER TABLE users
  ADD COLUMN IF NOT EXISTS auth_method varchar(50) NOT NULL DEFAULT 'password',
  ADD COLUMN IF NOT EXISTS migration_invited_at timestamptz,
  ADD COLUMN IF NOT EXISTS migration_completed_at timestamptz;

-- NOT VALID binds new rows at once; VALIDATE reads the old ones under a lock that stops no writer.
DO $$
BEGIN
  IF NOT EXISTS (
    SELECT FROM pg_constraint
    WHERE conrelid = 'users'::regclass AND conname = 'users_auth_method_check'
  ) THEN
    ALTER TABLE users ADD CONSTRAINT users_auth_method_check
      CHECK (auth_method IN ('password', 'kanidm', 'dual')) NOT VALID;
  END IF;
END
$$;

ALTER TABLE users VALIDATE CONSTRAINT users_auth_method_check;

-- Users already linked to Kanidm, a thousand at a time along the index on kanidm_user_id.
-- SKIP LOCKED: a batch that waited for a row while it holds others could deadlock with the application;
-- a skipped row is met again by the next pass.
DO $$
DECLARE
  previous uuid;
  batch_end uuid;
BEGIN
  FOR pass IN 1..600 LOOP
    previous := '00000000-0000-0000-0000-000000000000';
    LOOP
      SELECT max(kanidm_user_id::text)::uuid INTO batch_end FROM (
        SELECT kanidm_user_id FROM users WHERE kanidm_user_id > previous ORDER BY kanidm_user_id LIMIT 1000
      ) AS batch;
      EXIT WHEN batch_end IS NULL;

      UPDATE users SET auth_method = 'kanidm', migration_completed_at = kanidm_synced_at
      WHERE user_id IN (
        SELECT user_id FROM users
        WHERE kanidm_user_id > previous AND kanidm_user_id <= batch_end AND auth_method = 'password'
        FOR NO KEY UPDATE SKIP LOCKED
      );
      COMMIT;
      previous := batch_end;
    END LOOP;

    IF NOT EXISTS (SELECT FROM users WHERE kanidm_user_id IS NOT NULL AND auth_method = 'password') THEN
      RETURN;
    END IF;
    PERFORM pg_sleep(0.1);
    COMMIT;
  END LOOP;
  RAISE EXCEPTION 'rows of users stay locked by another session: end its transaction, then migrate again';
END
$$;

-- Building an index concurrently stops nobody, but waits for transactions that are already open: let it.
SET lock_timeout = 0;

CREATE INDEX CONCURRENTLY IF NOT EXISTS idx_users_auth_method ON users (auth_method);

CREATE INDEX CONCURRENTLY IF NOT EXISTS idx_users_migration_status
  ON users (tenant_id, auth_method, migration_completed_at);

COMMENT ON COLUMN users.auth_method IS
  'How the user signs in: password (legacy), kanidm (OAuth2 alone), dual (both)';
COMMENT ON COLUMN users.migration_invited_at IS 'When the invitation to move to Kanidm was sent';
COMMENT ON COLUMN users.migration_completed_at IS 'When the move to Kanidm was complete: the first OAuth2 sign-in';
