import { describe, expect, it } from 'vitest';
import { sql } from '../../shared/ports/database.ts';
import { provision } from '../../shared/provisioning/provision.ts';
import { findDifferences, mend } from '../../shared/provisioning/reconcile.ts';
import { undoRun } from '../../shared/provisioning/undo.ts';
import { DATABASES } from '../support/databases.ts';
import { kindsOf } from '../support/scale.ts';
import { ALL, setGround } from './ground.ts';

const NONE = { missing: 0, orphaned: 0, mail: 0, name: 0, group: 0, state: 0, half_made: 0 };

describe.each(kindsOf(DATABASES).map((kind) => [kind.name, kind] as const))(
  'reconcile on %s',
  (_name, kind) => {
    const ground = setGround(kind);

    /** Twelve people in two tenants, all provisioned. */
    async function provisioned(): Promise<Map<string, string>> {
      await ground.addTenant('acme');
      await ground.addTenant('birch');
      for (let n = 0; n < 12; n += 1)
        await ground.addUser({ tenant: n % 2 === 0 ? 'acme' : 'birch', email: `user${n}@example.org` });
      await ground.sync();
      await provision(ALL, ground.deps());
      return new Map(
        (await ground.rows()).map(({ email, user_id }) => [email.slice(0, email.indexOf('@')), user_id]),
      );
    }

    const groupOf = async (slug: string, role: 'member' | 'admin' = 'member') => {
      const found = await ground.directory.findGroup({ id: '', slug, name: slug }, role);
      if (found.outcome !== 'found') throw new Error('no group');
      return found.group;
    };

    it('finds nothing after a run, and everything that changed since', async () => {
      const ids = await provisioned();
      expect((await findDifferences(null, ground.deps())).counts).toEqual(NONE);
      await disturb(ids);
      const found = await findDifferences(null, ground.deps());
      expect(found.counts).toEqual({
        ...NONE,
        missing: 1,
        orphaned: 1,
        mail: 1,
        name: 1,
        group: 2,
        state: 2,
      });
      expect(
        (await findDifferences('acme', ground.deps())).left.every(
          ({ difference: { user } }) => user === null || user.slug === 'acme',
        ),
      ).toBe(true);
    });

    async function disturb(ids: ReadonlyMap<string, string>): Promise<void> {
      const { accounts, members } = ground.directory;
      const id = (name: string): string => ids.get(name) ?? '';
      accounts.delete(id('user0'));
      accounts.get(id('user2'))!.mail = 'other@example.org';
      accounts.get(id('user4'))!.displayName = 'Somebody Else';
      accounts.get(id('user6'))!.disabled = true;
      await ground.database.execute(
        sql`update users set status = 'suspended' where user_id = ${id('user8')}`,
      );
      members.get((await groupOf('birch')).id)!.add(id('user10'));
      await ground.database.execute(sql`update users set role = 'admin' where user_id = ${id('user1')}`);
      const orphan = crypto.randomUUID();
      accounts.set(orphan, {
        id: orphan,
        name: 'orphan',
        mail: 'orphan@example.org',
        displayName: 'O',
        disabled: false,
        hash: null,
      });
      members.get((await groupOf('acme')).id)!.add(orphan);
    }

    it('--fix mends all but orphans, which stay; the database wins', async () => {
      const ids = await provisioned();
      const before = await ground.rows();
      await disturb(ids);
      const mended = await mend(null, ground.deps());
      expect(mended).toMatchObject({ fixed: 7, left: [{ difference: { kind: 'orphaned' } }] });
      const left = await findDifferences(null, ground.deps());
      expect(left.counts).toEqual({ ...NONE, orphaned: 1 });
      expect(await ground.rows()).toEqual(before);
      expect(ground.directory.accounts.get(ids.get('user2')!)!.mail).toBe('user2@example.org');
      expect(ground.directory.accounts.get(ids.get('user8')!)!.disabled).toBe(true);
      expect(ground.directory.members.get((await groupOf('birch')).id)!.has(ids.get('user10')!)).toBe(false);
      expect(ground.directory.members.get((await groupOf('birch', 'admin')).id)!.has(ids.get('user1')!)).toBe(
        true,
      );
      // Only the one that was missing is of this run: undoing it takes that one away, and leaves the links.
      expect(await undoRun(mended.runId!, ground.deps())).toMatchObject({ removed: 1, unlinked: 0 });
      expect((await ground.rows()).filter(({ link }) => link === null)).toEqual([]);
    });

    it('an account that a cut-off run made is half-made; --fix links it, and the rollback of that run removes it', async () => {
      await ground.addTenant('acme');
      for (let n = 0; n < 3; n += 1) await ground.addUser({ tenant: 'acme', email: `user${n}@example.org` });
      await ground.sync();
      let runId = '';
      ground.directory.fault = (method) =>
        method === 'addMembers' ? { outcome: 'away', reason: 'gone' } : undefined;
      await expect(
        provision(ALL, ground.deps(ground.directory, { onRun: (id) => (runId = id) })),
      ).rejects.toThrow(/away/);
      ground.directory.fault = () => undefined;
      expect((await findDifferences(null, ground.deps())).counts).toEqual({ ...NONE, half_made: 3 });
      expect(await mend(null, ground.deps())).toMatchObject({ fixed: 3, left: [] });
      expect((await findDifferences(null, ground.deps())).counts).toEqual(NONE);
      expect(await undoRun(runId, ground.deps())).toMatchObject({ removed: 3 });
      expect(ground.directory.accounts.size).toBe(0);
      expect(
        (await ground.rows()).every(({ auth_method, link }) => auth_method === 'password' && link === null),
      ).toBe(true);
    });

    it('a row of the adopted database counts by kanidm_user_id, and is made again under that id', async () => {
      await ground.addTenant('acme');
      const id = await ground.addUser({ tenant: 'acme', email: 'old@example.org' });
      const account = crypto.randomUUID();
      await ground.database.execute(
        sql`update users set kanidm_user_id = ${account}, auth_method = 'kanidm' where user_id = ${id}`,
      );
      await ground.sync();
      expect((await findDifferences(null, ground.deps())).counts).toEqual({ ...NONE, missing: 1 });
      expect(await mend(null, ground.deps())).toMatchObject({ fixed: 1, left: [] });
      expect([...ground.directory.accounts.keys()]).toEqual([account]);
      expect(await ground.rows()).toMatchObject([{ auth_method: 'kanidm', kanidm_user_id: account }]);
    });
  },
);
