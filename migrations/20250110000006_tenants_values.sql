ALTER TABLE tenants
  ADD CONSTRAINT tenants_plan_check CHECK (plan IN ('free', 'starter', 'professional', 'enterprise')),
  ADD CONSTRAINT tenants_status_check CHECK (status IN ('active', 'suspended', 'cancelled'));
