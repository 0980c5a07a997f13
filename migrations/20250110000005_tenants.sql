CREATE TABLE tenants (
  tenant_id uuid PRIMARY KEY DEFAULT uuid_generate_v7(),
  name varchar(255) NOT NULL,
  slug varchar(100) NOT NULL UNIQUE,
  plan varchar(50) NOT NULL DEFAULT 'free',
  plan_expires_at timestamptz,
  settings jsonb NOT NULL DEFAULT '{}',
  status varchar(50) NOT NULL DEFAULT 'active',
  created_at timestamptz NOT NULL DEFAULT now(),
  updated_at timestamptz NOT NULL DEFAULT now(),
  deleted_at timestamptz
);

COMMENT ON COLUMN tenants.deleted_at IS 'Soft delete: the tenant is gone for everybody, its rows stay.';
