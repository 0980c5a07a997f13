ALTER TABLE users
  ADD CONSTRAINT users_role_check CHECK (role IN ('super_admin', 'admin', 'manager', 'user', 'viewer')),
  ADD CONSTRAINT users_status_check CHECK (status IN ('active', 'inactive', 'suspended'));
