-- Kept for applications that call crypt() or digest(). Nothing here depends on it, so a server
-- that does not offer the extension, or does not let us create it, is fine.
DO $$
BEGIN
  IF EXISTS (SELECT FROM pg_available_extensions WHERE name = 'pgcrypto') THEN
    CREATE EXTENSION IF NOT EXISTS pgcrypto;
  END IF;
EXCEPTION
  WHEN insufficient_privilege OR feature_not_supported OR undefined_file THEN
    RAISE NOTICE 'pgcrypto is not available here; going on without it';
END
$$;
