import { describe, expect, it } from 'vitest';
import { sql } from '../../shared/ports/database.ts';
import { provision } from '../../shared/provisioning/provision.ts';
import { DATABASE } from '../support/databases.ts';
import { ALL, HASH, setGround } from './ground.ts';

describe('hashes', () => {
  const ground = setGround(DATABASE, { provider: 'zitadel', batch: 1 });

  it('go along where the provider takes them; others are flagged, and none is kept or shown', async () => {
    await ground.addTenant('acme');
    const hashes = [HASH, `$2x$10$${'a'.repeat(53)}`, `$2b$08$${'a'.repeat(53)}`, 'md5:abc', null];
    for (const [n, hash] of hashes.entries())
      await ground.addUser({ tenant: 'acme', email: `u${n}@example.org`, hash });
    await ground.sync();
    expect((await provision(ALL, ground.deps())).counts).toMatchObject({ created: 5, failed: 0 });
    const byMail = [...ground.directory.accounts.values()].sort((a, b) => (a.mail < b.mail ? -1 : 1));
    expect(byMail.map(({ hash }) => hash)).toEqual([HASH, null, null, null, null]);
    const kept = await ground.database.query(
      sql`select (select json_agg(l) from sallyport_ledger l)::text as l, (select json_agg(p.flags) from sallyport_people p)::text as p, (select json_agg(a) from sallyport_audit a)::text as a`,
      { parse: (row) => JSON.stringify(row) },
    );
    expect(kept.join()).not.toContain('$2');
    expect(kept.join()).toContain('of kind 2x');
  });
});
