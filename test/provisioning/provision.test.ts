import { describe, expect, it } from 'vitest';
import { sql } from '../../shared/ports/database.ts';
import { previewPeople } from '../../shared/provisioning/plan.ts';
import { provision, resume } from '../../shared/provisioning/provision.ts';
import { keptOf, previewUndo, undoRun } from '../../shared/provisioning/undo.ts';
import { kindsOf } from '../support/scale.ts';
import { DATABASES } from '../support/databases.ts';
import { ALL, setGround } from './ground.ts';

const NONE = { created: 0, linked: 0, collisions: 0, refused: 0, failed: 0, skipped: 0 };

describe.each(kindsOf(DATABASES).map((kind) => [kind.name, kind] as const))(
  'provisioning on %s',
  (_name, kind) => {
    const ground = setGround(kind);
    async function twoTenants(count = 12): Promise<void> {
      await ground.addTenant('acme');
      await ground.addTenant('birch');
      for (let n = 0; n < count; n += 1)
        await ground.addUser({
          tenant: n % 3 === 0 ? 'birch' : 'acme',
          email: `user${n}@example.org`,
          role: n === 1 ? 'admin' : 'user',
        });
      await ground.sync();
    }

    it('every user gets one account under the own id, in the groups of tenant and role, and may use both doors', async () => {
      await twoTenants();
      const { counts, runId } = await provision(ALL, ground.deps());
      expect(counts).toEqual({ ...NONE, created: 12 });
      const rows = await ground.rows();
      for (const row of rows) {
        expect(row).toMatchObject({
          auth_method: 'dual',
          kanidm_user_id: row.user_id,
          link: row.user_id,
          synced: true,
          completed: false,
        });
        expect(ground.directory.accounts.get(row.user_id)).toMatchObject({ mail: row.email });
        expect(ground.directory.made.get(row.user_id)).toBe(1);
      }
      const groups = [...ground.directory.members.values()].map((ids) => ids.size);
      expect(groups.sort()).toEqual([0, 1, 4, 8]);
      expect((await resume(runId, ground.deps())).counts).toEqual(counts);
    });

    it('a second run spends no call on who is there, and counts them as skipped', async () => {
      await twoTenants();
      await provision(ALL, ground.deps());
      ground.directory.calls.length = 0;
      expect((await provision(ALL, ground.deps())).counts).toEqual({ ...NONE, skipped: 12 });
      expect(ground.directory.calls).not.toContain('create');
      expect(ground.directory.calls).not.toContain('addMembers');
    });

    it('addresses that differ in case or look alike, one address in two tenants, and refused ones are left out; the preview counts the same', async () => {
      await twoTenants(4);
      await ground.addUser({ tenant: 'acme', email: 'Bob@example.org' });
      await ground.addUser({ tenant: 'acme', email: 'bob@example.org' });
      await ground.addUser({ tenant: 'acme', email: 'alice@example.org' });
      await ground.addUser({ tenant: 'acme', email: '\u0430lice@example.org' });
      await ground.addUser({ tenant: 'acme', email: 'carol@example.org' });
      await ground.addUser({ tenant: 'birch', email: 'carol@example.org' });
      await ground.addUser({ tenant: 'birch', email: 'not an address' });
      await ground.addUser({ tenant: 'birch', email: 'corner@example.org' });
      await ground.addUser({ tenant: 'birch', email: 'comer@example.org' });
      await ground.addUser({ tenant: 'birch', email: 'away@example.org', status: 'inactive' });
      const preview = await previewPeople(ALL, ground.deps());
      expect(preview.counts).toEqual({ ...NONE, created: 6, collisions: 6, refused: 1, skipped: 1 });
      expect(ground.directory.accounts.size).toBe(0);
      const { counts } = await provision(ALL, ground.deps());
      expect(counts).toEqual(preview.counts);
      const linked = (await ground.rows()).filter(({ link }) => link !== null).map(({ email }) => email);
      expect(linked).toEqual([
        'comer@example.org',
        'corner@example.org',
        'user0@example.org',
        'user1@example.org',
        'user2@example.org',
        'user3@example.org',
      ]);
    });

    it('an account of somebody else with the same address is a collision, one with the same id is linked', async () => {
      await twoTenants(3);
      const mine = await ground.addUser({ tenant: 'acme', email: 'mine@example.org' });
      await ground.addUser({ tenant: 'acme', email: 'theirs@example.org' });
      const tenant = { id: 'x', slug: 'x' };
      await ground.directory.create([
        { id: mine, mail: 'old@example.org', mailVerified: true, displayName: 'M', tenant },
        { id: crypto.randomUUID(), mail: 'theirs@example.org', mailVerified: true, displayName: 'T', tenant },
      ]);
      const preview = await previewPeople(ALL, ground.deps());
      const { counts, runId } = await provision(ALL, ground.deps());
      expect(counts).toEqual({ ...NONE, created: 3, linked: 1, collisions: 1 });
      expect(preview.counts).toEqual(counts);
      const undone = await undoRun(runId, ground.deps());
      expect(undone).toMatchObject({ removed: 3, unlinked: 1, kept: 0 });
      expect([...ground.directory.accounts.values()].map(({ mail }) => mail).sort()).toEqual([
        'old@example.org',
        'theirs@example.org',
      ]);
      expect([...ground.directory.members.values()].flatMap((ids) => [...ids])).toEqual([]);
    });

    it('a rollback removes exactly what the run made, leaves rows as before, and keeps who has signed in since', async () => {
      await twoTenants();
      const before = await ground.rows();
      await provision({ ...ALL, limit: 5 }, ground.deps());
      const between = await ground.rows();
      const { runId } = await provision(ALL, ground.deps());
      const came = (await ground.rows()).find(({ email }) => email === 'user9@example.org')!;
      await ground.database.execute(
        sql`update users set migration_completed_at = now() where user_id = ${came.user_id}`,
      );
      expect(await previewUndo(runId, ground.deps())).toMatchObject({ removed: 6, kept: 1, unlinked: 0 });
      const kept = await keptOf(runId, ground.database);
      expect(kept).toMatchObject([
        { user: came.user_id, email: came.email, reason: 'has signed in at the provider since' },
      ]);
      expect(await undoRun(runId, ground.deps())).toMatchObject({
        removed: 6,
        kept: 1,
        unlinked: 0,
        failed: 0,
        already: false,
      });
      expect(await keptOf(runId, ground.database)).toEqual(kept);
      const after = await ground.rows();
      expect(after.filter(({ user_id }) => user_id !== came.user_id)).toEqual(
        between.filter(({ user_id }) => user_id !== came.user_id),
      );
      expect(ground.directory.accounts.size).toBe(6);
      expect(before.length).toBe(12);
      expect(await undoRun(runId, ground.deps())).toMatchObject({ already: true, removed: 6 });
    });

    it('who is deleted during the run has no account at its end', async () => {
      await twoTenants();
      const rows = await ground.rows();
      let deletions = 0;
      ground.directory.after = async (method, ids) => {
        if (method !== 'create') return;
        const first = ids.find((id) => id !== rows[0]!.user_id);
        deletions += 1;
        if (deletions === 1)
          await ground.database.execute(sql`delete from users where user_id = ${first ?? ''}`);
        else
          await ground.database.execute(
            sql`update users set deleted_at = now() where user_id = ${rows[0]?.user_id ?? ''}`,
          );
      };
      const { counts } = await provision(ALL, ground.deps());
      const left = (await ground.rows()).filter(({ link }) => link !== null).map(({ user_id }) => user_id);
      expect(new Set(ground.directory.accounts.keys()).size).toBe(counts.created);
      expect(left.filter((id) => !ground.directory.accounts.has(id))).toEqual([]);
      expect(ground.directory.accounts.has(rows[0]!.user_id)).toBe(false);
      expect(counts.created).toBe(10);
    });

    it('a provider that goes away in the middle stops the run, which goes on when it is back', async () => {
      await twoTenants();
      let calls = 0;
      ground.directory.fault = (method) =>
        method === 'create' && (calls += 1) > 1 ? { outcome: 'away', reason: 'ECONNREFUSED' } : undefined;
      let runId = '';
      const away = provision(
        ALL,
        ground.deps(ground.directory, { onRun: (id) => (runId = id), concurrency: 1 }),
      );
      await expect(away).rejects.toThrow(/kanidm is away/);
      await expect(provision(ALL, ground.deps())).rejects.toThrow(
        new RegExp(`run ${runId} was cut off.*--resume ${runId}`),
      );
      ground.directory.fault = () => undefined;
      expect((await resume(runId, ground.deps())).counts).toEqual({ ...NONE, created: 12 });
      expect([...ground.directory.made.values()]).toEqual(Array(12).fill(1));
    });

    it('a provider that is busy is waited for as long as it asks', async () => {
      await twoTenants(3);
      const waits: number[] = [];
      let calls = 0;
      ground.directory.fault = (method) =>
        method === 'create' && (calls += 1) < 4
          ? { outcome: 'busy', reason: '429', retryAfterSeconds: 7 }
          : undefined;
      const sleep = (ms: number) => Promise.resolve(void waits.push(ms));
      expect((await provision(ALL, ground.deps(ground.directory, { sleep }))).counts.created).toBe(3);
      expect(waits).toEqual([7_000, 7_000, 7_000]);
    });

    it('one that answers too late has made the accounts: they count as made by the run', async () => {
      await twoTenants(3);
      let late = true;
      const create: typeof ground.directory.create = async (people) => {
        const made = await ground.directory.create(people);
        if (!late) return made;
        late = false;
        return people.map(() => ({ outcome: 'slow', reason: 'no answer in time' }));
      };
      const lossy = { ...ground.directory, create };
      const { counts, runId } = await provision(ALL, ground.deps(lossy));
      expect(counts).toEqual({ ...NONE, created: 3 });
      expect(await undoRun(runId, ground.deps())).toMatchObject({ removed: 3, unlinked: 0 });
      expect(ground.directory.accounts.size).toBe(0);
    });

    it('without groups it refuses, names the command, and leaves nothing to go on with', async () => {
      await ground.addTenant('acme');
      await ground.addUser({ tenant: 'acme', email: 'a@example.org' });
      await expect(provision(ALL, ground.deps())).rejects.toThrow(/tenant acme.*sallyport tenants sync/);
      await ground.sync();
      expect((await provision(ALL, ground.deps())).counts.created).toBe(1);
    });

    it('a paused migration provisions nobody', async () => {
      await twoTenants(2);
      await ground.database.execute(
        sql`insert into sallyport_switches (name, who) values ('migration', 'ops')`,
      );
      await expect(provision(ALL, ground.deps())).rejects.toThrow(/paused .* by ops.*migration resume/);
      expect(ground.directory.accounts.size).toBe(0);
    });

    it('a file names who goes; the rest stays', async () => {
      await twoTenants();
      const [one, two] = await ground.rows();
      const ids = [one!.user_id, two!.user_id, crypto.randomUUID()];
      const preview = await previewPeople({ ...ALL, listed: new Set(ids) }, ground.deps());
      const { counts } = await provision({ ...ALL, listed: new Set(ids) }, ground.deps());
      expect(counts).toEqual({ ...NONE, created: 2, skipped: 1 });
      expect(preview.counts).toEqual(counts);
      expect(ground.directory.accounts.size).toBe(2);
    });
  },
);
