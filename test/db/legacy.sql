-- A database as the product's own migrations left it at 20250110000013: what `db baseline` meets.
CREATE EXTENSION IF NOT EXISTS "uuid-ossp";
CREATE EXTENSION IF NOT EXISTS pgcrypto;

CREATE FUNCTION uuid_generate_v7() RETURNS uuid LANGUAGE plpgsql AS $body$
BEGIN
  RETURN encode(set_bit(set_bit(overlay(gen_random_bytes(16)
    PLACING substring(int8send(floor(extract(epoch FROM clock_timestamp()) * 1000)::bigint) FROM 3) FROM 1 FOR 6),
    52, 1), 53, 1), 'hex')::uuid;
END $body$;

CREATE FUNCTION update_updated_at_column() RETURNS trigger LANGUAGE plpgsql AS $body$
BEGIN NEW.updated_at := now(); RETURN NEW; END $body$;

CREATE TABLE tenants (
  tenant_id uuid NOT NULL DEFAULT uuid_generate_v7(),
  name varchar(255) NOT NULL,
  slug varchar(100) NOT NULL,
  plan varchar(50) NOT NULL DEFAULT 'free',
  plan_expires_at timestamptz,
  settings jsonb NOT NULL DEFAULT '{}'::jsonb,
  status varchar(50) NOT NULL DEFAULT 'active',
  created_at timestamptz NOT NULL DEFAULT now(),
  updated_at timestamptz NOT NULL DEFAULT now(),
  deleted_at timestamptz
);
ALTER TABLE tenants ADD CONSTRAINT pk_tenants PRIMARY KEY (tenant_id);
CREATE UNIQUE INDEX uq_tenants_slug ON tenants (slug);
ALTER TABLE tenants ADD CONSTRAINT plan_known CHECK (plan IN ('free', 'starter', 'professional', 'enterprise'));
ALTER TABLE tenants ADD CONSTRAINT status_known CHECK (status IN ('active', 'suspended', 'cancelled'));

CREATE TABLE users (
  user_id uuid PRIMARY KEY DEFAULT uuid_generate_v7(),
  tenant_id uuid NOT NULL REFERENCES tenants (tenant_id) ON DELETE CASCADE,
  email varchar(255) NOT NULL,
  password_hash text NOT NULL,
  email_verified boolean NOT NULL DEFAULT false,
  email_verified_at timestamptz,
  full_name varchar(255),
  avatar_url text,
  phone varchar(50),
  role varchar(50) NOT NULL DEFAULT 'user'
    CHECK (role IN ('super_admin', 'admin', 'manager', 'user', 'viewer')),
  status varchar(50) NOT NULL DEFAULT 'active' CHECK (status IN ('active', 'inactive', 'suspended')),
  last_login_at timestamptz,
  failed_login_attempts integer NOT NULL DEFAULT 0,
  locked_until timestamptz,
  password_changed_at timestamptz,
  created_at timestamptz NOT NULL DEFAULT now(),
  updated_at timestamptz NOT NULL DEFAULT now(),
  deleted_at timestamptz,
  kanidm_user_id uuid UNIQUE,
  kanidm_synced_at timestamptz
);
CREATE UNIQUE INDEX uq_users_email ON users (tenant_id, email);

CREATE TABLE sessions (
  session_id uuid PRIMARY KEY DEFAULT uuid_generate_v7(),
  user_id uuid NOT NULL REFERENCES users (user_id) ON DELETE CASCADE,
  tenant_id uuid NOT NULL REFERENCES tenants (tenant_id) ON DELETE CASCADE,
  access_token_hash text NOT NULL,
  refresh_token_hash text NOT NULL,
  ip_address inet,
  user_agent text,
  device_info jsonb,
  access_token_expires_at timestamptz NOT NULL,
  refresh_token_expires_at timestamptz NOT NULL,
  revoked boolean NOT NULL DEFAULT false,
  revoked_at timestamptz,
  revoked_reason varchar(255),
  created_at timestamptz NOT NULL DEFAULT now(),
  last_used_at timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE kanidm_tenant_groups (
  tenant_id uuid NOT NULL REFERENCES tenants (tenant_id) ON DELETE CASCADE,
  kanidm_group_uuid uuid NOT NULL,
  kanidm_group_name text NOT NULL,
  role varchar(50) NOT NULL DEFAULT 'member' CHECK (role IN ('admin', 'member', 'viewer')),
  created_at timestamptz NOT NULL DEFAULT now(),
  updated_at timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (tenant_id, kanidm_group_uuid)
);
CREATE INDEX idx_kanidm_groups_by_name ON kanidm_tenant_groups (kanidm_group_name);

CREATE TRIGGER touch_tenants BEFORE UPDATE ON tenants
  FOR EACH ROW EXECUTE FUNCTION update_updated_at_column();
CREATE TRIGGER touch_users BEFORE UPDATE ON users
  FOR EACH ROW EXECUTE FUNCTION update_updated_at_column();
CREATE TRIGGER touch_groups BEFORE UPDATE ON kanidm_tenant_groups
  FOR EACH ROW EXECUTE FUNCTION update_updated_at_column();
