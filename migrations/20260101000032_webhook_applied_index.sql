-- sallyport:no-transaction
-- Building an index concurrently stops nobody, but waits for transactions that are already open: let it.
SET lock_timeout = 0;

CREATE INDEX CONCURRENTLY IF NOT EXISTS idx_sallyport_webhook_events_applied
  ON sallyport_webhook_events (received_at) WHERE status = 'applied';
