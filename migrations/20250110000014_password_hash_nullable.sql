-- A user who signs in through Kanidm alone has no password. Changes the catalogue only: no row is read.
ALTER TABLE users ALTER COLUMN password_hash DROP NOT NULL;

COMMENT ON COLUMN users.password_hash IS
  'Deprecated: bcrypt hash of the password; NULL for users of Kanidm alone. Goes when everybody has moved.';
