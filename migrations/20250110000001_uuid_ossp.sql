-- Kept for applications that call uuid_generate_v4(). Nothing here depends on it, so a server
-- that does not offer the extension, or does not let us create it, is fine.
DO $$
BEGIN
  IF EXISTS (SELECT FROM pg_available_extensions WHERE name = 'uuid-ossp') THEN
    CREATE EXTENSION IF NOT EXISTS "uuid-ossp";
  END IF;
EXCEPTION
  WHEN insufficient_privilege OR feature_not_supported OR undefined_file THEN
    RAISE NOTICE 'uuid-ossp is not available here; going on without it';
END
$$;
