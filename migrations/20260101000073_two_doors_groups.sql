-- sallyport:no-transaction
-- Building an index concurrently stops nobody, but waits for transactions that are already open: let it.
SET lock_timeout = 0;

-- An account's tenants are found by its groups.
CREATE INDEX CONCURRENTLY IF NOT EXISTS idx_kanidm_tenant_groups_uuid ON kanidm_tenant_groups (kanidm_group_uuid);

-- What waits for the owner of an address is dropped when the owner signs in by the provider.
CREATE INDEX CONCURRENTLY IF NOT EXISTS idx_sallyport_registrations_mail
  ON sallyport_registrations (tenant_id, lower(email));
