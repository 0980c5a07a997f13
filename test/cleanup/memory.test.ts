import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import * as z from 'zod';
import { sql } from '../../shared/ports/database.ts';
import { groundOn } from '../provisioning/ground.ts';
import { postgresMissing } from '../services/postgres.ts';
import { FULL } from '../support/scale.ts';
import { DATABASES, type MigratedDatabase } from '../support/databases.ts';
import { openFolder, openGate, type Folder } from './by-hand.ts';

const PEOPLE = 100_000;
/** MiB. The program itself takes most of it; so many people as objects take more than is left. */
const HEAP = 64;

describe.skipIf(postgresMissing || !FULL)(
  'the clean-up of many (in the full form alone; needs the postgresql package)',
  () => {
    let db: MigratedDatabase;
    let folder: Folder;
    beforeAll(async () => {
      [db, folder] = await Promise.all([DATABASES[1].start(), openFolder()]);
      await groundOn(db.database).addTenant('acme');
      await db.database.execute(sql`
      insert into users (tenant_id, email, password_hash, password_changed_at)
      select tenant_id, 'user' || n || '@example.org', '$2b$10$' || repeat('x', 53), now() from tenants, generate_series(1, ${PEOPLE}::int) n`);
      await openGate(db.database);
    });
    afterAll(async () => {
      await Promise.all([db.close(), folder.close()]);
    });

    it(`takes constant memory, there and back: ${PEOPLE} people through a heap of ${HEAP} MiB`, async () => {
      const limited = { NODE_OPTIONS: `--max-old-space-size=${HEAP}` };
      const archive = await folder.apply(db.url, limited);
      await folder.restore(db.url, archive, limited);
      const [row] = await db.database.query(
        sql`select count(*)::int as n from users where auth_method = 'dual' and password_hash like '$2b$10$x%'`,
        z.object({ n: z.number() }),
      );
      expect(row).toEqual({ n: PEOPLE });
    });
  },
);
