-- sallyport:no-transaction
-- Building an index concurrently stops nobody, but waits for transactions that are already open: let it.
SET lock_timeout = 0;

-- Living invitations of a wave are looked through range by range.
CREATE INDEX CONCURRENTLY IF NOT EXISTS idx_sallyport_invitations_living_of_wave
  ON sallyport_invitations (wave_id, invitation_id) WHERE ended_at IS NULL;
