import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { migrate } from '../../cli/db/migrate.ts';
import { readMigrations } from '../../cli/db/files.ts';
import { startOpenFga } from '../../dev/openfga/index.ts';
import { seed } from '../../dev/seed.ts';
import { openPgDatabase } from '../../shared/adapters/postgres/pg.ts';
import { openPgSession } from '../../shared/adapters/postgres/session.ts';
import { openFgaClient } from '../../shared/adapters/openfga/client.ts';
import { undiciExchange } from '../../shared/adapters/undici/exchange.ts';
import { openFgaTuples } from '../../shared/adapters/openfga/tuples.ts';
import { DatabaseUnavailable, type Database } from '../../shared/ports/database.ts';
import type { Tuple, Tuples } from '../../shared/ports/tuples.ts';
import { MIGRATIONS, options } from '../db/support.ts';
import { openFgaBinary, startRealOpenFga, type OpenFgaService } from '../services/openfga.ts';
import { postgresMissing, startPostgres, type PostgresService } from '../services/postgres.ts';
import { DATABASE, type MigratedDatabase } from '../support/databases.ts';
import { startSwitchProxy, type SwitchProxy } from '../support/switch-proxy.ts';
import { createEngine, granted, type Engine } from './engine.ts';
import { kindsOf } from '../support/scale.ts';
import { empty, statusesIn } from './tables.ts';

const SERVERS = [
  { name: 'the stand-in', missing: false, start: startOpenFga },
  {
    name: 'OpenFGA (needs its binary)',
    missing: openFgaBinary() === undefined,
    start: async () => (await startRealOpenFga())!,
  },
];

/** 240 tuples over every type, more than one page and one write of each of two. */
const OWN: readonly Tuple[] = [
  ...many(110, 'viewer', 'feature'),
  ...many(110, 'admin', 'document'),
  ...many(10, 'member', 'organization'),
  ...many(10, 'assignee', 'role'),
];

function many(count: number, relation: string, type: string): Tuple[] {
  return Array.from({ length: count }, (_, n) => ({ user: 'user:u1', relation, object: `${type}:${n}` }));
}

describe.each(kindsOf(SERVERS))('events applied to $name', ({ missing, start }) => {
  describe.skipIf(missing)('over HTTP', () => {
    let server: OpenFgaService;
    let proxy: SwitchProxy;
    let db: MigratedDatabase;
    let tuples: Tuples;
    let engine: Engine;
    beforeAll(async () => {
      [server, db] = await Promise.all([start(), DATABASE.start()]);
      proxy = await startSwitchProxy(server.url);
    });
    afterAll(async () => {
      await proxy.close();
      await Promise.all([server.close(), db.close()]);
    });
    beforeEach(async () => {
      await empty(db.database);
      const { storeId, modelId } = await seed({ url: server.url });
      tuples = openFgaTuples(
        openFgaClient({ url: proxy.url, storeId, modelId, apiToken: null }, undiciExchange),
      );
      await tuples.write({ deletes: (await tuples.read({})).tuples });
      engine = createEngine(db.database);
      Object.assign(engine.tuples, tuples);
    });

    const fill = async (): Promise<void> => {
      for (let from = 0; from < OWN.length; from += 100)
        await tuples.write({ writes: OWN.slice(from, from + 100) });
    };
    const left = async () => (await tuples.read({})).tuples.map((tuple) => JSON.stringify(tuple)).sort();
    const statuses = async () => (await statusesIn(db.database)).map(({ status }) => status);

    it("a removal leaves none of a user's 240 tuples over four types, and every one of another's", async () => {
      const other = { user: 'user:u11', relation: 'viewer', object: 'feature:1' };
      await tuples.write({ writes: [other] });
      await fill();
      await engine.arrive({ user: 'u1', sequence: 1, type: 'user.removed' });
      expect(await engine.settle()).toMatchObject({ applied: 1, failed: 0 });
      expect(await left()).toEqual([JSON.stringify(other)]);
    });

    it('a server lost in the middle of a removal is asked again until nothing is left', async () => {
      await fill();
      const already = proxy.requests.length;
      Object.assign(engine.tuples, {
        read: (...filter: Parameters<Tuples['read']>) => {
          if (proxy.requests.length > already + 4) proxy.state = 'away';
          return tuples.read(...filter);
        },
      });
      await engine.arrive({ user: 'u1', sequence: 1, type: 'user.removed' });
      expect(await engine.settle()).toMatchObject({ applied: 0, failed: 1 });
      Object.assign(engine.tuples, tuples);
      proxy.state = 'up';
      const between = (await left()).length;
      expect(between > 0 && between < OWN.length, `${between} were left half-way`).toBe(true);
      engine.clock.advance(600);
      expect(await engine.settle()).toMatchObject({ applied: 1 });
      expect(await left()).toEqual([]);
      expect(await statuses()).toEqual(['applied']);
    });
  });
});

describe.skipIf(postgresMissing)('Postgres killed between receipt and applying (needs postgresql)', () => {
  let server: PostgresService;
  let database: Database;
  beforeAll(async () => {
    server = (await startPostgres())!;
    const session = await openPgSession(server.url);
    await migrate(session, await readMigrations(MIGRATIONS), options);
    await session.close();
    database = openPgDatabase({ url: server.url, max: 4 });
  });
  afterAll(async () => {
    await database.close();
    await server.close();
  });

  it('loses no event: what was answered is applied once it is back', async () => {
    const engine = createEngine(database);
    const users = Array.from({ length: 20 }, (_, n) => `u${n}`);
    await Promise.all(users.map((user) => engine.arrive({ user })));
    await server.kill();
    await expect(engine.settle()).rejects.toThrow(DatabaseUnavailable);
    await server.start();
    expect(await engine.settle()).toMatchObject({ applied: users.length });
    expect([...engine.tuples.all].sort()).toEqual(granted(...users));
  });

  it('and in the middle of applying: its events come again after their leases', async () => {
    await empty(database);
    const engine = createEngine(database);
    const users = Array.from({ length: 20 }, (_, n) => `v${n}`);
    await Promise.all(users.map((user) => engine.arrive({ user })));
    let killing: Promise<void> | undefined;
    engine.tuples.before = () => void (killing ??= server.kill());
    await expect(engine.settle()).rejects.toThrow(DatabaseUnavailable);
    await killing;
    await server.start();
    engine.clock.advance(61);
    while ((await engine.settle()).applied > 0) engine.clock.advance(61);
    expect((await statusesIn(database)).map(({ status }) => status)).toEqual(users.map(() => 'applied'));
    expect([...engine.tuples.all].sort()).toEqual(granted(...users));
  });
});
