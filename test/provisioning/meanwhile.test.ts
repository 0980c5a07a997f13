import { randomUUID } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { sql } from '../../shared/ports/database.ts';
import { provisionOne } from '../../shared/provisioning/one.ts';
import { previewPeople } from '../../shared/provisioning/plan.ts';
import { provision, resume } from '../../shared/provisioning/provision.ts';
import { undoRun } from '../../shared/provisioning/undo.ts';
import { openBooks } from '../../shared/provisioning/run.ts';
import { DATABASE, DATABASES } from '../support/databases.ts';
import { kindsOf } from '../support/scale.ts';
import { ALL, setGround } from './ground.ts';

describe.each(kindsOf(DATABASES).map((kind) => [kind.name, kind] as const))(
  'beside a run, on %s',
  (_name, kind) => {
    const ground = setGround(kind);

    async function people(count = 6): Promise<void> {
      await ground.addTenant('acme');
      for (let n = 0; n < count; n += 1)
        await ground.addUser({ tenant: 'acme', email: `user${n}@example.org` });
      await ground.sync();
    }

    it('of two runs at once one is refused, and names the other', async () => {
      await people();
      const lease = (): Pick<ReturnType<typeof openBooks>, 'lease' | 'runs'> =>
        openBooks(ground.database, { ms: 30_000 });
      let first = '';
      let second: Promise<unknown> = Promise.resolve();
      const deps = ground.deps(ground.directory, { ...lease(), onRun: (id) => (first = id) });
      ground.directory.after = (method) => {
        if (method === 'create')
          second = provision(ALL, ground.deps(ground.directory, lease())).catch((error: unknown) => error);
      };
      expect((await provision(ALL, deps)).counts.created).toBe(6);
      expect(String(await second)).toContain(`another provisioning is running (run ${first})`);
    });

    it('a process that was paused for longer than its lease makes no call once another has taken over', async () => {
      await people();
      let runId = '';
      let resumed: Promise<unknown> | undefined;
      const slow = ground.deps(ground.directory, { onRun: (id) => (runId = id) });
      ground.directory.after = async (method) => {
        if (method !== 'create' || resumed !== undefined) return;
        // Its lease is over (it lasts 0 ms here): another process takes the run over and ends it.
        resumed = resume(runId, ground.deps());
        await resumed;
      };
      await expect(provision(ALL, slow)).rejects.toThrow(/another provisioning has taken over/);
      expect([...ground.directory.made.values()]).toEqual(Array(6).fill(1));
      expect((await ground.rows()).every(({ link, user_id }) => link === user_id)).toBe(true);
    });

    it('a sign-in by password in the middle of a run makes no second account', async () => {
      await people();
      const one = (await ground.rows())[5]!;
      let signedIn: unknown;
      ground.directory.fault = async (method) => {
        if (method === 'create' && signedIn === undefined) {
          signedIn = 'under way';
          signedIn = await provisionOne(one.user_id, {
            database: ground.database,
            directory: ground.directory,
          });
        }
        return undefined;
      };
      const { counts, runId } = await provision(ALL, ground.deps());
      expect(signedIn).toEqual({ outcome: 'linked' });
      expect(counts.created + counts.linked + counts.skipped).toBe(6);
      expect([...ground.directory.made.values()]).toEqual(Array(6).fill(1));
      expect((await ground.rows()).every(({ link, user_id }) => link === user_id)).toBe(true);
      // What the sign-in made is not of the run.
      expect(await undoRun(runId, ground.deps())).toMatchObject({ removed: 5 });
      expect([...ground.directory.accounts.keys()]).toEqual([one.user_id]);
      expect((await ground.rows()).find(({ user_id }) => user_id === one.user_id)).toMatchObject({
        link: one.user_id,
        auth_method: 'dual',
      });
    });

    it.each(['by a run', 'by a sign-in'])(
      'an account of their own that a person links while one is made %s stays theirs, in the row too',
      async (way) => {
        await people(1);
        const [one] = await ground.rows();
        const own = randomUUID();
        ground.directory.after = async (method) => {
          if (method !== 'create') return;
          const { issuer } = ground.directory.traits;
          await ground.database.execute(sql`
            with linked as (insert into sallyport_links (issuer, subject, user_id, via) values (${issuer}, ${own}, ${one!.user_id}, 'link'))
            update users set kanidm_user_id = ${own} where user_id = ${one!.user_id}`);
        };
        if (way === 'by a run') await provision(ALL, ground.deps());
        else await provisionOne(one!.user_id, ground);
        expect(await ground.rows()).toMatchObject([{ link: own, kanidm_user_id: own }]);
      },
    );

    it('a sign-in of somebody who could be taken for another makes no account', async () => {
      await people(0);
      const one = await ground.addUser({ tenant: 'acme', email: 'Bob@example.org' });
      await ground.addUser({ tenant: 'acme', email: 'bob@example.org' });
      expect(await provisionOne(one, { database: ground.database, directory: ground.directory })).toEqual({
        outcome: 'left',
      });
      expect(ground.directory.accounts.size).toBe(0);
    });

    it('pausing the migration stops a run within a second, and it goes on after that', async () => {
      await people(45);
      let runId = '';
      let seconds = 0;
      const clock = { now: () => (seconds += 1) * 1_000 };
      ground.directory.after = async (method) => {
        if (method === 'create')
          await ground.database.execute(
            sql`insert into sallyport_switches (name, who) values ('migration', 'ops') on conflict do nothing`,
          );
      };
      await expect(
        provision(ALL, ground.deps(ground.directory, { clock, onRun: (id) => (runId = id) })),
      ).rejects.toThrow(/paused/);
      expect(ground.directory.accounts.size).toBeLessThan(45);
      await ground.database.execute(sql`delete from sallyport_switches`);
      ground.directory.after = () => undefined;
      expect((await resume(runId, ground.deps())).counts.created).toBe(45);
    });

    it('rows of others stay as they are: tenants, people without part in it, sessions, other links', async () => {
      await people(3);
      await ground.addTenant('birch');
      const stranger = await ground.addUser({ tenant: 'birch', email: 'stranger@example.org' });
      await ground.addUser({ tenant: 'acme', email: 'gone@example.org', status: 'inactive' });
      await ground.database.execute(
        sql`insert into sallyport_links (issuer, subject, user_id, via) values ('https://other.example.org', 'x', ${stranger}, 'link')`,
      );
      await ground.database.execute(
        sql`insert into sessions (user_id, tenant_id, access_token_expires_at, refresh_token_expires_at) select user_id, tenant_id, now(), now() from users`,
      );
      const others = () =>
        ground.database.query(
          sql`select (select json_agg(t order by tenant_id) from tenants t)::text || (select json_agg(s order by session_id) from sessions s)::text
              || (select json_agg(u order by user_id) from users u where email in ('stranger@example.org', 'gone@example.org'))::text
              || (select json_agg(l) from sallyport_links l where issuer = 'https://other.example.org')::text as text`,
          { parse: (row) => (row as { text: string }).text },
        );
      const before = await others();
      const { runId } = await provision({ ...ALL, tenant: 'acme' }, ground.deps());
      expect(await others()).toEqual(before);
      await undoRun(runId, ground.deps());
      expect(await others()).toEqual(before);
    });
  },
);

describe('an id that a deleted account holds', () => {
  const ground = setGround(DATABASE, { holds: true });

  it('is a failure with its date, in the preview as in the run', async () => {
    await ground.addTenant('acme');
    await ground.addUser({ tenant: 'acme', email: 'a@example.org' });
    await ground.sync();
    const { runId } = await provision(ALL, ground.deps());
    await undoRun(runId, ground.deps());
    const preview = await previewPeople(ALL, ground.deps());
    expect(preview.leftOut[0]?.reason).toMatch(/^a deleted account holds this id: it is free at 20/);
    const { counts } = await provision(ALL, ground.deps());
    expect(counts).toEqual({ created: 0, linked: 0, collisions: 0, refused: 0, failed: 1, skipped: 0 });
    expect(preview.counts).toEqual(counts);
  });
});
