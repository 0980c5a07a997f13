import { describe, expect, it } from 'vitest';
import { sql } from '../../shared/ports/database.ts';
import { provision } from '../../shared/provisioning/provision.ts';
import { previewUndoRollback, undoRollback } from '../../shared/provisioning/rollback-undo.ts';
import {
  openRollbackBooks,
  previewRollback,
  rollBack,
  type RollbackDeps,
} from '../../shared/provisioning/rollback.ts';
import { DATABASES } from '../support/databases.ts';
import { kindsOf } from '../support/scale.ts';
import { ALL, setGround } from './ground.ts';

describe.each(kindsOf(DATABASES).map((kind) => [kind.name, kind] as const))(
  'migration rollback on %s',
  (_name, kind) => {
    const ground = setGround(kind);
    const deps = (): RollbackDeps => ({
      ...ground.deps(),
      ...openRollbackBooks(ground.database, { ms: 0 }),
    });

    /** Six people in two tenants: all provisioned, one of each completed, one of acme without a password, one of Kanidm alone. */
    async function provisioned() {
      await ground.addTenant('acme');
      await ground.addTenant('birch');
      for (let n = 0; n < 6; n += 1)
        await ground.addUser({
          tenant: n % 2 === 0 ? 'acme' : 'birch',
          email: `user${n}@example.org`,
          hash: n === 4 ? null : 'x',
        });
      await ground.sync();
      await provision(ALL, ground.deps());
      await ground.database.execute(
        sql`update users set migration_completed_at = now() where email in ('user0@example.org', 'user1@example.org')`,
      );
      await ground.database.execute(
        sql`update users set auth_method = 'kanidm' where email = 'user2@example.org'`,
      );
      return ground.rows();
    }

    it('takes one tenant back to its passwords and leaves the other untouched; counts are those of the preview', async () => {
      const before = await provisioned();
      const request = { tenant: 'acme', clearLinks: false };
      const preview = await previewRollback(request, deps());
      const done = await rollBack(request, deps());
      expect(done).toEqual({ ...preview, runId: done.runId });
      expect(done).toMatchObject({ rolledBack: 1, linksCleared: 0 });
      expect(done.kept.map(({ email, reason }) => [email, reason])).toEqual([
        ['user2@example.org', 'signs in by the provider alone'],
        ['user4@example.org', 'has no password'],
      ]);
      const changed = before.map((row) =>
        row.email === 'user0@example.org' ? { ...row, auth_method: 'password', completed: false } : row,
      );
      expect(await ground.rows()).toEqual(changed);
    });

    it('with links cleared everybody but those who would be locked out loses theirs; undo brings all back', async () => {
      const before = await provisioned();
      const done = await rollBack({ tenant: null, clearLinks: true }, deps());
      expect(done).toMatchObject({ rolledBack: 4, linksCleared: 4 });
      const rows = await ground.rows();
      expect(
        rows
          .filter(({ auth_method }) => auth_method === 'password')
          .every(({ kanidm_user_id, link }) => kanidm_user_id === null && link === null),
      ).toBe(true);
      expect(rows.filter(({ link }) => link !== null).map(({ email }) => email)).toEqual([
        'user2@example.org',
        'user4@example.org',
      ]);
      expect(await previewUndoRollback(done.runId!, deps())).toMatchObject({ restored: 4, kept: 0 });
      expect(await undoRollback(done.runId!, deps())).toMatchObject({ restored: 4, kept: 0, already: false });
      expect(await ground.rows()).toEqual(before);
      expect(await undoRollback(done.runId!, deps())).toMatchObject({ already: true });
    });

    it('undo leaves rows that have changed since', async () => {
      await provisioned();
      const done = await rollBack({ tenant: null, clearLinks: false }, deps());
      await ground.database.execute(
        sql`update users set auth_method = 'dual', migration_completed_at = now() where email = 'user3@example.org'`,
      );
      expect(await undoRollback(done.runId!, deps())).toMatchObject({ restored: 3, kept: 1 });
    });

    it('is done in batches, and one that was cut off goes on under its id', async () => {
      await ground.addTenant('acme');
      await ground.database.execute(sql`
      insert into users (tenant_id, email, password_hash, auth_method)
      select tenant_id, 'u' || n || '@example.org', 'x', 'dual' from tenants, generate_series(1, 2500) n`);
      const cut = new AbortController();
      let runId = '';
      const dying = {
        ...deps(),
        signal: cut.signal,
        onRun: (id: string) => (runId = id),
        onProgress: (n: number) => {
          if (n >= 1_000) cut.abort(new Error('cut'));
        },
      };
      await expect(rollBack({ tenant: null, clearLinks: false }, dying)).rejects.toThrow('cut');
      const half = (await ground.rows()).filter(({ auth_method }) => auth_method === 'dual').length;
      expect(half).toBe(1_500);
      await expect(rollBack({ tenant: 'acme', clearLinks: false }, deps())).rejects.toThrow(
        new RegExp(`--undo ${runId}.*same rollback again`),
      );
      expect(await rollBack({ tenant: null, clearLinks: false }, deps())).toMatchObject({
        runId,
        rolledBack: 2_500,
      });
      expect((await ground.rows()).every(({ auth_method }) => auth_method === 'password')).toBe(true);
    });
  },
);
