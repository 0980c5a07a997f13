import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startZitadel, type Zitadel } from '../../dev/zitadel/index.ts';
import { ORGANIZATION } from '../../dev/zitadel/users.ts';
import { sql } from '../../shared/ports/database.ts';
import type { Directory } from '../../shared/ports/directory.ts';
import { syncGroups } from '../../shared/provisioning/groups.ts';
import { provision } from '../../shared/provisioning/provision.ts';
import { findDifferences, mend } from '../../shared/provisioning/reconcile.ts';
import { undoRun } from '../../shared/provisioning/undo.ts';
import { openDirectory } from '../contracts/directory-support.ts';
import { DATABASE } from '../support/databases.ts';
import { ALL, setGround } from './ground.ts';

const NONE = { missing: 0, orphaned: 0, mail: 0, name: 0, group: 0, state: 0, half_made: 0 };

/** Zitadel lists from projections: a command's effect is in them a moment later. */
describe.each(['organisations', 'roles'] as const)(
  'lists that lag behind what was written: %s',
  (tenancy) => {
    const ground = setGround(DATABASE);
    let zitadel: Zitadel;
    let directory: Directory;
    beforeAll(async () => {
      zitadel = await startZitadel({ lag: true });
      const { url, token } = zitadel;
      directory = openDirectory({
        ...({ provider: 'zitadel', issuer: url, url, token, tenancy } as const),
        organization: ORGANIZATION,
        projectId: zitadel.grants.createProject(ORGANIZATION, 'api'),
      });
    });
    afterAll(() => zitadel.close());
    const deps = () => ground.deps(directory);

    async function people(slug: string): Promise<void> {
      await ground.addTenant(slug);
      for (let n = 0; n < 6; n += 1)
        await ground.addUser({
          tenant: slug,
          email: `${slug}${n}@example.org`,
          role: n < 3 ? 'admin' : 'user',
        });
    }

    it('groups are there for the run right after their making', async () => {
      await people('first');
      await syncGroups(null, false, deps());
      const preview = await syncGroups(null, true, deps());
      expect(preview.map(({ group }) => group)).toEqual(['exists', 'exists']);
      expect(await provision(ALL, deps())).toMatchObject({ counts: { created: 6, failed: 0 } });
    });

    it('nothing differs right after a run, what is mended is mended, and nothing is half-made after its rollback', async () => {
      await people('second');
      await syncGroups(null, false, deps());
      const { runId } = await provision(ALL, deps());
      expect((await findDifferences(null, deps())).counts).toEqual(NONE);
      const [one, two, three] = (await ground.rows()).map(({ user_id }) => user_id);
      await ground.database.execute(sql`update users set full_name = 'Another Name' where user_id = ${one!}`);
      await ground.database.execute(sql`update users set email = 'new2@example.org' where user_id = ${two!}`);
      await ground.database.execute(sql`update users set role = 'user' where user_id = ${three!}`);
      await ground.database.execute(sql`update users set role = 'admin' where email = 'second5@example.org'`);
      expect(await mend(null, deps())).toMatchObject({
        counts: { name: 1, mail: 1, group: 2 },
        fixed: 4,
        left: [],
      });
      expect((await findDifferences(null, deps())).counts).toEqual(NONE);
      await undoRun(runId, deps());
      expect((await findDifferences(null, deps())).counts).toEqual(NONE);
      expect(await provision(ALL, deps())).toMatchObject({ counts: { created: 6, linked: 0, failed: 0 } });
    });

    it('what a run made after a rollback goes with its own rollback', async () => {
      await people('third');
      await syncGroups(null, false, deps());
      await undoRun((await provision(ALL, deps())).runId, deps());
      const { runId } = await provision(ALL, deps());
      expect(await undoRun(runId, deps())).toMatchObject({ removed: 6, unlinked: 0 });
    });

    it('who moves to another tenant keeps no role of the one before', async () => {
      if (tenancy === 'organisations') return;
      await people('from');
      await ground.addTenant('to');
      await syncGroups(null, false, deps());
      await provision(ALL, deps());
      await ground.database.execute(sql`
      update users set tenant_id = (select tenant_id from tenants where slug = 'to') where email < 'from3'`);
      expect(await mend(null, deps())).toMatchObject({ counts: { group: 3 }, fixed: 3, left: [] });
      for (const { user_id, email } of await ground.rows()) {
        const slug = email < 'from3' ? 'to' : 'from';
        const roles = zitadel.grants.of(user_id).flatMap(({ roleKeys }) => roleKeys);
        expect(roles.every((role) => role.startsWith(`tenant_${slug}_`))).toBe(true);
        expect(roles).toHaveLength(email < 'from3' ? 2 : 1);
      }
    });
  },
);
