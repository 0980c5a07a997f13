import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { sql } from '../../shared/ports/database.ts';
import { DATABASE, type MigratedDatabase } from '../support/databases.ts';
import { sallyport } from '../support/sallyport.ts';
import { groundOn } from './ground.ts';
import { PROVIDERS, type Provider } from './stand-ins.ts';

/** Slugs and names that providers cannot all have, or take for each other. */
const TENANTS = [
  ['acme', 'Acme'],
  ['Acme', 'acme'],
  ['acme eu', 'Acme'],
  ['müller-söhne', 'Müller & Söhne'],
  ['1st', ''],
  ['x'.repeat(100), 'n'.repeat(255)],
  [`${'x'.repeat(99)}y`, 'n'.repeat(255)],
] as const;

/** A whole document, or the last of several lines. */
function lastOf(stdout: string): string {
  return stdout.trim().endsWith('\n}') ? stdout : (stdout.trim().split('\n').at(-1) ?? '');
}

const mapped = { parse: (row: unknown) => row as { slug: string; id: string; name: string; role: string } };

describe.each(PROVIDERS)('tenants with odd names, at %s', (_name, start) => {
  let provider: Provider;
  let db: MigratedDatabase;
  beforeAll(async () => {
    [provider, db] = await Promise.all([start(), DATABASE.start()]);
    for (const [slug, name] of TENANTS) {
      const { addTenant, addUser } = groundOn(db.database);
      await addTenant(slug);
      await db.database.execute(sql`update tenants set name = ${name} where slug = ${slug}`);
      await addUser({
        tenant: slug,
        email: `${slug.length}.${slug.charCodeAt(0)}.${slug.charCodeAt(99) || 0}@example.org`,
        role: 'admin',
      });
    }
  });
  afterAll(() => Promise.all([provider.close(), db.close()]));

  async function run(line: string) {
    const { code, stdout, stderr } = await sallyport(
      { DATABASE_URL: db.url, ...provider.variables },
      ...line.split(' '),
    );
    return {
      code,
      stderr,
      last: JSON.parse(lastOf(stdout)) as Record<string, unknown>,
    };
  }

  it('each gets groups of its own, what is renamed is said, and again nothing changes', async () => {
    const preview = await run('tenants sync --dry-run --json');
    const synced = await run('tenants sync --json');
    expect(synced).toMatchObject({ code: 0, stderr: '', last: { mapped: 14, failed: 0 } });
    expect(synced.last).toEqual({ ...preview.last, dry_run: false });
    const renamed = synced.last['renamed'] as { tenant: string }[];
    const odd =
      provider.name === 'kanidm'
        ? TENANTS.map(([slug]) => slug).filter((slug) => !['acme', '1st'].includes(slug))
        : [];
    expect([...new Set(renamed.map(({ tenant }) => tenant))].sort()).toEqual([...odd].sort());
    expect(await run('tenants sync --json')).toMatchObject({
      code: 0,
      last: { created: 0, mapped: 0, unchanged: 14, failed: 0 },
    });
    const rows = await db.database.query(
      sql`select t.slug, g.kanidm_group_uuid as id, g.kanidm_group_name as name, g.role from kanidm_tenant_groups g
          join tenants t on t.tenant_id = g.tenant_id`,
      mapped,
    );
    expect(new Set(rows.map(({ id }) => id)).size).toBe(14);
    expect(new Set(rows.map(({ name }) => name.toLowerCase())).size).toBe(
      provider.name === 'kanidm' ? 14 : 12,
    );
    expect(new Set(rows.map(({ role }) => role))).toEqual(new Set(['member', 'admin']));
  });

  it('their people get there, into those groups, and both sides agree', async () => {
    expect(await run('users provision --json')).toMatchObject({ code: 0, last: { created: 7, failed: 0 } });
    expect(await run('users reconcile --json')).toMatchObject({ code: 0, last: { left: 0 } });
  });
});
