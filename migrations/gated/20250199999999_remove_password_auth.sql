-- DESTRUCTIVE: the passwords are gone for good. `sallyport db migrate` never looks into this folder.
-- Only for a database in which every user has moved to Kanidm and nobody signs in by password any more.

ALTER TABLE users
  DROP COLUMN password_hash,
  DROP COLUMN password_changed_at,
  DROP COLUMN failed_login_attempts,
  DROP COLUMN locked_until,
  DROP COLUMN auth_method,
  DROP COLUMN migration_invited_at,
  DROP COLUMN migration_completed_at,
  ALTER COLUMN kanidm_user_id SET NOT NULL;

COMMENT ON TABLE users IS 'Users, who sign in through Kanidm by OAuth2';
