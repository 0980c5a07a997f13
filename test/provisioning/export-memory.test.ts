import { once } from 'node:events';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { sql } from '../../shared/ports/database.ts';
import { DATABASE, type MigratedDatabase } from '../support/databases.ts';
import { spawnSallyport } from '../support/sallyport.ts';
import { times } from '../support/scale.ts';
import { groundOn } from './ground.ts';

const PEOPLE = times(100_000, 40_000);
/** MiB. The program itself takes half of it; forty thousand rows would take more than the other half. */
const HEAP = 32;

describe('sallyport users export of many', () => {
  let db: MigratedDatabase;
  beforeAll(async () => {
    db = await DATABASE.start();
    await groundOn(db.database).addTenant('acme');
    await db.database.execute(sql`
      insert into users (tenant_id, email, password_hash, full_name)
      select tenant_id, 'user' || n || '@example.org', 'x', repeat('Name of many letters ', 10) || n
      from tenants, generate_series(1, ${PEOPLE}::int) n`);
  });
  afterAll(() => db.close());

  it(`takes constant memory: ${PEOPLE} people through a heap of ${HEAP} MiB`, async () => {
    const variables = { DATABASE_URL: db.url, NODE_OPTIONS: `--max-old-space-size=${HEAP}` };
    const child = spawnSallyport(variables, 'users', 'export');
    let people = 0;
    child.stdout?.setEncoding('utf8').on('data', (text: string) => {
      people += text.split('"user_id"').length - 1;
    });
    await once(child, 'close');
    expect(child.exitCode).toBe(0);
    // A chunk's end may cut a name in two.
    expect(people).toBeGreaterThan(PEOPLE * 0.99);
  });
});
