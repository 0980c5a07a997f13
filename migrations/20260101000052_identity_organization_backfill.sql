-- sallyport:no-transaction
-- Every statement may run again: a run that was cut off is resumed from the top.

-- What the events that are still kept say of users that are known already: once through the inbox, a thousand at a time.
DO $$
DECLARE
  last uuid := '00000000-0000-0000-0000-000000000000';
BEGIN
  LOOP
    WITH batch AS (
      SELECT id, subject, organization, sequence FROM sallyport_webhook_events
      WHERE id > last ORDER BY id LIMIT 1000
    ), newest AS (
      SELECT DISTINCT ON (subject) subject, organization, sequence FROM batch
      WHERE organization IS NOT NULL AND sequence IS NOT NULL
      ORDER BY subject, sequence DESC
    ), changed AS (
      UPDATE sallyport_identities kept
      SET organization = newest.organization, organization_position = newest.sequence
      FROM newest
      WHERE kept.issuer = 'zitadel' AND kept.subject = newest.subject
        AND coalesce(kept.organization_position, 0) < newest.sequence
    )
    SELECT (array_agg(id ORDER BY id DESC))[1] INTO last FROM batch;
    COMMIT;
    EXIT WHEN last IS NULL;
  END LOOP;
END
$$;

-- Building an index concurrently stops nobody, but waits for transactions that are already open: let it.
SET lock_timeout = 0;

CREATE INDEX CONCURRENTLY IF NOT EXISTS idx_sallyport_identities_organization
  ON sallyport_identities (issuer, organization, subject) WHERE state <> 'removed';
