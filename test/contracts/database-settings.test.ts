import { createServer, type Server } from 'node:net';
import { once } from 'node:events';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import * as z from 'zod';
import { openNeonDatabase } from '../../shared/adapters/postgres/neon.ts';
import { openPgDatabase } from '../../shared/adapters/postgres/pg.ts';
import { connectionTo } from '../../shared/adapters/postgres/tls.ts';
import { undiciExchange } from '../../shared/adapters/undici/exchange.ts';
import { openPgSession } from '../../shared/adapters/postgres/session.ts';
import { sql, type Database } from '../../shared/ports/database.ts';
import { startNeonEndpoint, type NeonEndpoint } from '../services/neon.ts';
import { pgBouncerMissing, startPgBouncer, type PgBouncerService } from '../services/pgbouncer.ts';
import { postgresMissing, startPostgres, type PostgresService } from '../services/postgres.ts';
import { databaseContract, unavailableContract } from './database.contract.ts';

/** What somebody may have set for a whole database; each changes the text of a value, or how a text is read. */
const FOREIGN = [
  `datestyle = 'German'`,
  `timezone = 'America/St_Johns'`,
  `intervalstyle = 'sql_standard'`,
  `bytea_output = 'escape'`,
  `extra_float_digits = -15`,
  `array_nulls = off`,
  `default_transaction_isolation = 'serializable'`,
  `statement_timeout = '1min'`,
];

const Value = z.object({ value: z.unknown() });
const valueOf = async (db: Database, statement: ReturnType<typeof sql>): Promise<unknown> =>
  (await db.query(statement, Value))[0]?.value;

describe.skipIf(postgresMissing || pgBouncerMissing)(
  'behind poolers and other people’s settings (needs the postgresql and pgbouncer packages)',
  () => {
    let service: PostgresService;
    let bouncer: PgBouncerService;
    let neon: NeonEndpoint;
    let url: string;
    beforeAll(async () => {
      service = (await startPostgres())!;
      url = await service.createDatabase('foreign_settings');
      const session = await openPgSession(url);
      for (const setting of FOREIGN) await session.script(`alter database foreign_settings set ${setting}`);
      await session.close();
      bouncer = await startPgBouncer(service.url, 3);
      neon = await startNeonEndpoint();
    });
    afterAll(async () => {
      await neon.close();
      await bouncer.close();
      await service.close();
    });

    databaseContract('pg, foreign settings', async () => openPgDatabase({ url }));
    databaseContract('pg through PgBouncer', async () => openPgDatabase({ url: bouncer.through(url) }));
    databaseContract('Neon, foreign settings', async () =>
      openNeonDatabase({ url: `${url}?sslmode=disable`, exchange: undiciExchange, endpoint: neon.endpoint }),
    );
    unavailableContract('pg through PgBouncer', async (state) =>
      state === 'away'
        ? openPgDatabase({ url: 'postgres://postgres@127.0.0.1:1/postgres' })
        : openPgDatabase({ url: bouncer.through(url), statementTimeoutMs: 200, max: 1 }),
    );

    it('bounds a statement at the server too, behind a pooler as without one', async () => {
      for (const address of [url, bouncer.through(url)]) {
        const db = openPgDatabase({ url: address, statementTimeoutMs: 4_321 });
        expect(await valueOf(db, sql`select current_setting('statement_timeout') as value`)).toBe('4321ms');
        await db.close();
      }
    });

    it('leaves nothing on a pooled connection for the application that shares it', async () => {
      const ours = openPgDatabase({ url: bouncer.through(url), max: 6 });
      await Promise.all(Array.from({ length: 12 }, () => ours.ping()));
      await ours.close();
      const theirs = await openPgSession(bouncer.through(url));
      const shown = await theirs.query(
        sql`select current_setting('statement_timeout') || ' ' || current_setting('bytea_output') as value`,
        Value,
      );
      expect(shown).toEqual([{ value: '1min escape' }]);
      await theirs.close();
    });

    it('reads times in a session of a command, directly and through a pooler', async () => {
      for (const address of [url, bouncer.through(url)]) {
        const session = await openPgSession(address);
        const rows = await session.query(sql`select '2025-02-03 04:05:06Z'::timestamptz as value`, Value);
        expect(rows).toEqual([{ value: new Date('2025-02-03T04:05:06Z') }]);
        await session.close();
      }
    });

    it.each(['prefer', 'allow'])('takes sslmode=%s to a server without TLS', async (mode) => {
      const db = openPgDatabase({ url: `${url}?sslmode=${mode}`, connectionTo });
      await db.ping();
      await db.close();
      const session = await openPgSession(`${url}?sslmode=${mode}`);
      expect(await session.execute(sql`select 1`)).toBe(1);
      await session.close();
    });

    it('does not go on in the clear where sslmode=require asks for TLS', async () => {
      const db = openPgDatabase({ url: `${url}?sslmode=require`, connectionTo });
      await expect(db.ping()).rejects.toThrow('does not support SSL');
      await db.close();
    });
  },
);

describe('sslmode=prefer', () => {
  let silent: Server;
  beforeAll(async () => {
    silent = createServer((socket) => socket.resume().on('end', () => socket.destroy())).listen(
      0,
      '127.0.0.1',
    );
    await once(silent, 'listening');
  });
  afterAll(() => new Promise((closed) => silent.close(closed)));

  it('gives up on a server that never says whether it has TLS', async () => {
    const address = silent.address();
    const port = address !== null && typeof address === 'object' ? address.port : 0;
    const url = `postgres://postgres@127.0.0.1:${port}/postgres?sslmode=prefer`;
    const db = openPgDatabase({ url, connectTimeoutMs: 100, connectionTo });
    await expect(db.ping()).rejects.toThrow('unavailable');
    await db.close();
  });
});
