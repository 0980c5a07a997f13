import { describe, expect, it } from 'vitest';
import { DIRECTORY, MIGRATION, type MigrationConfig } from '../../shared/configuration/providers.ts';
import { configure } from '../../shared/configuration/slice.ts';

const KANIDM = { KANIDM_ISSUER_URL: 'https://idm.example.org/oauth2/openid/api' };
const ZITADEL = { ZITADEL_ISSUER_URL: 'https://auth.example.org' };

const faults = (variables: Record<string, string>, of: 'directory' | 'migration' = 'directory'): string[] => {
  const parsed =
    of === 'directory' ? configure(DIRECTORY, variables, 'node') : configure(MIGRATION, variables, 'node');
  return parsed.ok ? [] : parsed.faults.map(({ variable }) => variable);
};
const migration = (variables: Record<string, string>): MigrationConfig => {
  const parsed = configure(MIGRATION, variables, 'node');
  if (!parsed.ok) throw new Error(JSON.stringify(parsed.faults));
  return parsed.config.migration;
};

describe('where users go', () => {
  it('is the only configured provider, or the named one', () => {
    expect(migration(KANIDM).provider).toBe('kanidm');
    expect(migration(ZITADEL).provider).toBe('zitadel');
    expect(migration({ ...KANIDM, ...ZITADEL }).provider).toBeNull();
    expect(migration({ ...KANIDM, ...ZITADEL, MIGRATION_PROVIDER: 'zitadel' }).provider).toBe('zitadel');
    expect(migration({}).provider).toBeNull();
  });

  it('has no directory without its token, which is a fault only of what provisions', () => {
    expect(migration(KANIDM).directory).toBeNull();
    expect(faults(KANIDM)).toEqual(['KANIDM_TOKEN']);
    expect(faults(ZITADEL)).toEqual(['ZITADEL_PROVISIONING_TOKEN']);
    expect(faults({ ...KANIDM, ...ZITADEL })).toEqual(['MIGRATION_PROVIDER']);
    expect(faults({})).toEqual(['KANIDM_ISSUER_URL']);
  });

  it("is reached at the issuer's origin, or where the variable says", () => {
    const token = { KANIDM_TOKEN: 't' };
    expect(migration({ ...KANIDM, ...token }).directory).toEqual({
      provider: 'kanidm',
      issuer: KANIDM.KANIDM_ISSUER_URL,
      url: 'https://idm.example.org',
      token: 't',
      syncToken: null,
    });
    const url = 'https://idm.internal.example.org';
    expect(migration({ ...KANIDM, ...token, KANIDM_URL: `${url}/` }).directory?.url).toBe(url);
  });

  it('names every variable that a tenancy needs', () => {
    const token = { ...ZITADEL, ZITADEL_PROVISIONING_TOKEN: 't' };
    expect(migration(token).directory).toMatchObject({ tenancy: 'organisations', projectId: null });
    expect(faults({ ...token, ZITADEL_TENANCY: 'roles' }, 'migration')).toEqual([
      'ZITADEL_PROJECT_ID',
      'ZITADEL_ORGANIZATION',
    ]);
    expect(faults({ ...token, ZITADEL_PROJECT_ID: 'p' }, 'migration')).toEqual(['ZITADEL_ORGANIZATION']);
    expect(faults({ ...token, ZITADEL_TENANCY: 'groups' }, 'migration')).toEqual(['ZITADEL_TENANCY']);
  });

  it('refuses what contradicts itself: a provider that is not configured, a sync token alone', () => {
    expect(faults({ ...KANIDM, MIGRATION_PROVIDER: 'zitadel' }, 'migration')).toEqual(['ZITADEL_ISSUER_URL']);
    expect(faults({ ...KANIDM, MIGRATION_PROVIDER: 'keycloak' }, 'migration')).toEqual([
      'MIGRATION_PROVIDER',
    ]);
    expect(faults({ ...KANIDM, KANIDM_SYNC_TOKEN: 's' })).toEqual(['KANIDM_TOKEN']);
  });

  it('never shows a token in a fault', () => {
    const parsed = configure(DIRECTORY, { KANIDM_TOKEN: 'secret-token' }, 'node');
    expect(JSON.stringify(parsed)).not.toContain('secret-token');
  });
});
