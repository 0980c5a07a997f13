-- sallyport:no-transaction
-- Building an index concurrently stops nobody, but waits for transactions that are already open: let it.
SET lock_timeout = 0;

-- Links whose mail was not sent yet, or was set aside: what became of it is looked up every few seconds.
CREATE INDEX CONCURRENTLY IF NOT EXISTS idx_sallyport_invitation_steps_unsent
  ON sallyport_invitation_steps (created_at, invitation_id) WHERE sent_at IS NULL AND message_id IS NOT NULL;
