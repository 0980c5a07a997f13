-- sallyport:no-transaction
-- Building an index concurrently stops nobody, but waits for transactions that are already open: let it.
SET lock_timeout = 0;

-- Each row is written twice, and no index changes with the second time: so it stays in its page, where there is room.
ALTER TABLE sallyport_ledger SET (fillfactor = 75);

CREATE INDEX CONCURRENTLY IF NOT EXISTS idx_sallyport_ledger_of_user ON sallyport_ledger (user_id);

DROP INDEX CONCURRENTLY IF EXISTS idx_sallyport_ledger_user;

DROP INDEX CONCURRENTLY IF EXISTS idx_sallyport_ledger_state;
