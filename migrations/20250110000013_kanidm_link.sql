ALTER TABLE users
  ADD COLUMN kanidm_user_id uuid UNIQUE,
  ADD COLUMN kanidm_synced_at timestamptz;

CREATE TABLE kanidm_tenant_groups (
  tenant_id uuid NOT NULL REFERENCES tenants (tenant_id) ON DELETE CASCADE,
  kanidm_group_uuid uuid NOT NULL,
  kanidm_group_name text NOT NULL,
  role varchar(50) NOT NULL DEFAULT 'member' CHECK (role IN ('admin', 'member', 'viewer')),
  created_at timestamptz NOT NULL DEFAULT now(),
  updated_at timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (tenant_id, kanidm_group_uuid)
);

CREATE INDEX idx_kanidm_tenant_groups_name ON kanidm_tenant_groups (kanidm_group_name);

CREATE TRIGGER update_kanidm_tenant_groups_updated_at
  BEFORE UPDATE ON kanidm_tenant_groups
  FOR EACH ROW EXECUTE FUNCTION update_updated_at_column();

COMMENT ON COLUMN users.kanidm_user_id IS 'The person of this user in Kanidm; NULL until linked';
COMMENT ON COLUMN users.kanidm_synced_at IS 'When the link to Kanidm was last written';
