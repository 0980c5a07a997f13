-- sallyport:no-transaction
-- Building an index concurrently stops nobody, but waits for transactions that are already open: let it.
SET lock_timeout = 0;

-- Of two accounts that were linked at the same moment the first stays.
DELETE FROM sallyport_links l USING sallyport_links k
WHERE l.user_id = k.user_id AND l.issuer = k.issuer AND (l.linked_at, l.subject) > (k.linked_at, k.subject);

-- One account per person and issuer, whatever comes at the same moment. It finds the accounts of a person, too.
CREATE UNIQUE INDEX CONCURRENTLY IF NOT EXISTS idx_sallyport_links_one ON sallyport_links (user_id, issuer);

DROP INDEX CONCURRENTLY IF EXISTS idx_sallyport_links_user;
