import { expect, it } from 'vitest';
import { groupId } from '../../shared/identity/group-ids.ts';

const role = { issuer: 'https://auth.example.org', organization: '301', role: 'tenant_acme_users' };

it('a granted role has one uuid of version 5, and another with any part another', () => {
  expect(groupId(role)).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-5[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
  expect(groupId({ ...role })).toBe(groupId(role));
  const others = [
    { ...role, issuer: 'https://auth.example.org/' },
    { ...role, organization: '302' },
    { ...role, role: 'tenant_acme_admins' },
    { ...role, organization: '301","tenant', role: '_acme_users' },
  ];
  expect(new Set([role, ...others].map(groupId)).size).toBe(5);
});
