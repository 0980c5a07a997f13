import { verify } from '@node-rs/bcrypt';
import { describe, expect, it } from 'vitest';
import { GRACE, LEGACY_PASSWORD, LEGACY_PEOPLE, LEGACY_TENANTS, SPECIAL } from '../../dev/legacy/people.ts';

describe('people of the legacy application', () => {
  it('are 500 in three tenants, no two with one id, nor with one address in a tenant', () => {
    expect(LEGACY_TENANTS.map(({ people }) => people)).toEqual([260, 160, 80]);
    expect(new Set(LEGACY_PEOPLE.map(({ id }) => id)).size).toBe(500);
    expect(new Set(LEGACY_PEOPLE.map(({ tenantId, email }) => `${tenantId} ${email}`)).size).toBe(500);
    for (const { id, people } of LEGACY_TENANTS)
      expect(LEGACY_PEOPLE.filter(({ tenantId }) => tenantId === id)).toHaveLength(people);
  });

  it('are the same at each start', () => {
    expect(GRACE.id).toBe('09abf785-65ce-46a9-aca7-6e46f811cb20');
  });

  it('are at addresses that nobody has (RFC 2606)', () => {
    for (const { email } of LEGACY_PEOPLE) expect(email).toMatch(/@example\.(?:org|net|com)$/);
  });

  it('have hashes that the password fits, but for the two that nobody verifies', async () => {
    const hashes = [...new Set(LEGACY_PEOPLE.map(({ hash }) => hash))];
    const usable = hashes.filter((hash) => /^\$2[aby]\$10\$/.test(hash));
    expect(hashes.length - usable.length).toBe(2);
    for (const hash of usable) expect(await verify(LEGACY_PASSWORD, hash)).toBe(true);
  });

  it('include whoever a migration has to think about', () => {
    const those = (condition: (person: (typeof SPECIAL)[number]) => boolean) =>
      SPECIAL.filter(condition).map(({ email }) => email);
    expect(those(({ leftOut }) => leftOut === 'collision')).toHaveLength(6);
    expect(those(({ status }) => status === 'suspended')).toEqual(['trent@example.org']);
    expect(those(({ deleted }) => deleted)).toEqual(['mallory@example.net']);
    expect(those(({ account }) => account !== null)).toEqual(['olivia@example.org']);
    expect(those(({ hash }) => hash.startsWith('$2y$'))).toEqual(['peggy@example.org']);
    expect(those(({ daysAgo }) => daysAgo === null || daysAgo > 180)).toHaveLength(2);
  });
});
