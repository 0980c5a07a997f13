import { describe, expect, it } from 'vitest';
import {
  groupNameOf,
  groupsOfKanidm,
  groupsOfZitadel,
  groupUuid,
  zitadelGroupScopes,
} from '../../shared/identity/tenant-groups.ts';

const ISSUER = 'https://auth.example.org';
const ORGANIZATION = '51b1a3a8-8c3c-5d6a-9d0e-0d8f6f6f8f10';

describe('groups of tenants', () => {
  it('have the names of the seed', () => {
    expect([groupNameOf('acme', 'member'), groupNameOf('acme', 'admin')]).toEqual([
      'tenant_acme_users',
      'tenant_acme_admins',
    ]);
  });

  it('get the version 5 uuid of issuer, organisation and role, which differs with each of them', () => {
    // By another implementation: uuid5(NAMESPACE_URL, '["https://auth.example.org","org1","…"]').
    expect(groupUuid(ISSUER, 'org1')).toBe('fdf72080-b314-5979-87f8-666fd6b7823c');
    expect(groupUuid(ISSUER, 'org1', 'tenant_acme_admins')).toBe('a0dfa559-dd0d-5ecd-a309-4a3e48ac7afe');
    const all = [
      groupUuid(ISSUER, 'org1'),
      groupUuid('https://other.example.org', 'org1'),
      groupUuid(ISSUER, 'org2'),
      groupUuid(ISSUER, 'org1', 'a'),
      groupUuid(ISSUER, 'org1a', ''),
    ];
    expect(new Set(all).size).toBe(all.length);
  });

  it("are read from Kanidm's claims by uuid alone, never by a name in the same list", () => {
    const uuid = '4af95d24-3213-40bf-bb3a-5bfd702d5ee1';
    expect(groupsOfKanidm({ groups: [uuid.toUpperCase(), 'tenant_one_users@localhost'] })).toEqual([uuid]);
    for (const claims of [{}, { groups: 'x' }, null, { groups: [1] }])
      expect(groupsOfKanidm(claims)).toEqual([]);
  });

  it("are read from Zitadel's claims: the organisation, and roles of the one project", () => {
    const roles = { tenant_acme_admins: { [ORGANIZATION]: 'acme.example.org' } };
    const claims = {
      'urn:zitadel:iam:user:resourceowner:id': 'org1',
      'urn:zitadel:iam:org:project:p1:roles': roles,
      'urn:zitadel:iam:org:project:p2:roles': { tenant_globex_admins: { [ORGANIZATION]: 'x' } },
      'urn:zitadel:iam:org:project:roles': { tenant_initech_admins: { [ORGANIZATION]: 'x' } },
    };
    expect(groupsOfZitadel({ issuer: ISSUER, projectId: 'p1' }, claims)).toEqual([
      groupUuid(ISSUER, 'org1'),
      groupUuid(ISSUER, ORGANIZATION, 'tenant_acme_admins'),
    ]);
    expect(groupsOfZitadel({ issuer: ISSUER, projectId: null }, claims)).toEqual([groupUuid(ISSUER, 'org1')]);
    for (const nothing of [{}, null, { 'urn:zitadel:iam:org:project:p1:roles': [] }])
      expect(groupsOfZitadel({ issuer: ISSUER, projectId: 'p1' }, nothing)).toEqual([]);
  });

  it('need scopes of Zitadel, those of roles only where there is a project', () => {
    expect(zitadelGroupScopes(null)).toEqual(['urn:zitadel:iam:user:resourceowner']);
    expect(zitadelGroupScopes('p1')).toContain('urn:zitadel:iam:org:project:id:p1:aud');
  });
});
