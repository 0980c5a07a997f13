import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { isFailure } from '../../shared/ports/directory.ts';
import { groundOn } from '../provisioning/ground.ts';
import { PROVIDERS, type Provider } from '../provisioning/stand-ins.ts';
import { postgresMissing } from '../services/postgres.ts';
import { DATABASES, type MigratedDatabase } from '../support/databases.ts';
import { openFolder, openGate, type Folder } from './by-hand.ts';

describe.skipIf(postgresMissing).each(PROVIDERS)(
  'after the clean-up, at %s (needs the postgresql package)',
  (_name, start) => {
    let db: MigratedDatabase;
    let folder: Folder;
    let provider: Provider;
    beforeAll(async () => {
      [db, folder, provider] = await Promise.all([DATABASES[1].start(), openFolder(), start()]);
    });
    afterAll(async () => {
      await Promise.all([db.close(), folder.close(), provider.close()]);
    });

    it('an account that is gone is made again, and a person can be shown and forgotten', async () => {
      const { addTenant, addUser } = groundOn(db.database);
      await addTenant('acme');
      const id = await addUser({ tenant: 'acme', email: 'alice@example.org' });
      await addUser({ tenant: 'acme', email: 'bob@example.org' });
      const run = (line: string) => folder.run(line, { DATABASE_URL: db.url, ...provider.variables });
      for (const line of ['tenants sync', 'users provision'])
        expect(await run(line), line).toMatchObject({ code: 0 });
      await openGate(db.database);
      await folder.apply(db.url);
      const accounts = async () => {
        const found = await provider.directory.find([id]);
        return isFailure(found) ? undefined : found.people.length;
      };
      expect(await provider.directory.delete(id)).toEqual({ outcome: 'deleted' });
      expect((await run('users reconcile')).code).toBe(1);
      const mended = await run('users reconcile --fix');
      expect([mended.code, mended.stderr]).toEqual([0, expect.not.stringContaining('42703')]);
      expect(await accounts()).toBe(1);
      for (const line of [
        'users reconcile',
        'users provision',
        `users show ${id}`,
        `users forget ${id} --yes`,
      ])
        expect(await run(line), line).toMatchObject({ code: 0 });
      expect(await accounts()).toBe(0);
    });
  },
);
