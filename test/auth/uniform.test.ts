import { hashSync } from 'bcryptjs';
import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { sql } from '../../shared/ports/database.ts';
import { DATABASE, type MigratedDatabase } from '../support/databases.ts';
import { startCounted, type Counted } from './counted.ts';
import { HASH, makeTenant, makeUser, PASSWORD, type MadeUser } from './people.ts';

const DEAREST = 7;

describe('a refused sign-in', () => {
  let db: MigratedDatabase;
  let auth: Counted;
  let dear: MadeUser;
  beforeAll(async () => {
    db = await DATABASE.start();
    auth = await startCounted(db.url);
    dear = await makeUser(db.database, { hash: hashSync(PASSWORD, DEAREST) });
  });
  afterAll(async () => {
    await auth.close();
    await db.close();
  });

  /** One account for each reason of a refusal, and the password that is sent. */
  async function refused(): Promise<Record<string, { email: string; slug: string; password?: string }>> {
    const { database } = db;
    const user = (options = {}) => makeUser(database, options);
    const locked = await user();
    await database.execute(
      sql`update users set locked_until = now() + interval '1 hour' where user_id = ${locked.userId}`,
    );
    const elsewhere = await user();
    return {
      unknown: { email: `${randomUUID()}@example.org`, slug: dear.slug },
      'an unknown tenant': { ...(await user()), slug: 'nowhere' },
      'another tenant': { ...elsewhere, slug: dear.slug },
      'a wrong password at the lowest cost': { ...(await user()), password: 'wrong' },
      'a wrong password at a middle cost': {
        ...(await user({ hash: hashSync(PASSWORD, 5) })),
        password: 'wrong',
      },
      'a wrong password at the dearest cost': { ...dear, password: 'wrong' },
      locked,
      inactive: await user({ status: 'inactive' }),
      deleted: await user({ deleted: true }),
      'of a suspended tenant': await user({ tenant: await makeTenant(database, 'suspended') }),
      'of the provider alone': await user({ authMethod: 'kanidm' }),
      'without a hash': await user({ hash: null, authMethod: 'dual' }),
      'malformed hash': await user({ hash: '$2b$10$short' }),
      'a hash of $2x$': await user({ hash: `$2x$${HASH.slice(4)}` }),
      'a hash of an absurd cost': await user({ hash: `$2b$31$${HASH.slice(7)}` }),
    };
  }

  it('costs one hash of the dearest cost in use and two statements, whoever it is', async () => {
    for (const [who, { email, slug, password = PASSWORD }] of Object.entries(await refused())) {
      auth.paid();
      auth.statements();
      const answer = await auth.post('login', { tenant: slug, email, password });
      expect(answer.status, who).toBe(401);
      expect(auth.paid(), who).toBe(2 ** DEAREST);
      expect(auth.statements(), who).toHaveLength(2);
    }
  });

  it('without a tenant costs as many of them as any address has accounts', async () => {
    const email = `${randomUUID()}@example.org`;
    for (let at = 0; at < 3; at += 1) await makeUser(db.database, { email, hash: hashSync('another', 4) });
    await auth.post('login', { email, password: 'wrong' });
    for (const [who, { email: each, password = PASSWORD }] of Object.entries(await refused())) {
      if (who.endsWith('tenant')) continue;
      auth.paid();
      const answer = await auth.post('login', { email: each, password });
      expect(answer.status, who).toBe(401);
      expect(auth.paid(), who).toBe(3 * 2 ** DEAREST);
    }
    auth.paid();
    expect((await auth.post('login', { email, password: 'wrong' })).status).toBe(401);
    expect(auth.paid()).toBe(3 * 2 ** DEAREST);
  });

  it('of an address with more accounts than are compared costs no more', async () => {
    const email = `${randomUUID()}@example.org`;
    for (let at = 0; at < 6; at += 1) await makeUser(db.database, { email });
    auth.paid();
    await auth.post('login', { email, password: 'wrong' });
    expect(auth.paid()).toBe(4 * 2 ** DEAREST);
  });
});
