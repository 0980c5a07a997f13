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
  role varchar(50) NOT NULL DEFAULT 'user',
  status varchar(50) NOT NULL DEFAULT 'active',
  last_login_at timestamptz,
  failed_login_attempts integer NOT NULL DEFAULT 0,
  locked_until timestamptz,
  password_changed_at timestamptz,
  created_at timestamptz NOT NULL DEFAULT now(),
  updated_at timestamptz NOT NULL DEFAULT now(),
  deleted_at timestamptz,
  UNIQUE (tenant_id, email)
);

COMMENT ON COLUMN users.password_hash IS 'bcrypt, cost 12';
COMMENT ON COLUMN users.deleted_at IS 'Soft delete: the user is gone for everybody, the row stays.';
