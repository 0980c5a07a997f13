-- sallyport:no-transaction
-- Building an index concurrently stops nobody, but waits for transactions that are already open: let it.
SET lock_timeout = 0;

-- Sign-in finds people by their address alone, in any case.
CREATE INDEX CONCURRENTLY IF NOT EXISTS idx_users_email_lower ON users (lower(email));

-- The dearest hash in use: what every refused sign-in has to cost. DROP COLUMN password_hash takes the index along.
CREATE INDEX CONCURRENTLY IF NOT EXISTS idx_users_password_cost ON users (substr(password_hash, 5, 2))
  WHERE password_hash ~ '^\$2[aby]\$(0[4-9]|1[0-6])\$[./A-Za-z0-9]{53}$';

CREATE INDEX CONCURRENTLY IF NOT EXISTS idx_sessions_user ON sessions (user_id, created_at);

CREATE INDEX CONCURRENTLY IF NOT EXISTS idx_sessions_expires ON sessions (refresh_token_expires_at);

-- Marks of ended sessions are read by when they ended.
CREATE INDEX CONCURRENTLY IF NOT EXISTS idx_sessions_revoked ON sessions (revoked_at, session_id) WHERE revoked;

-- Once over the index of addresses: later on whoever signs in raises it.
INSERT INTO sallyport_sign_in (most_per_address)
SELECT coalesce(max(accounts), 1) FROM (SELECT count(*) AS accounts FROM users WHERE deleted_at IS NULL GROUP BY lower(email)) AS counted
ON CONFLICT (one) DO NOTHING;
