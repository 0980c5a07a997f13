-- Tokens issued up to then are dead at the provider, also once the user is back. Changes the catalogue only: no row is read.
ALTER TABLE sallyport_identities ADD COLUMN tokens_not_before timestamptz;

COMMENT ON COLUMN sallyport_identities.tokens_not_before IS
  'Tokens issued up to then do not count, also after a reactivation; NULL where no suspension told of it';
