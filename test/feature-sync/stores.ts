import { Client } from 'pg';
import { SERVERS } from '../fga/servers.ts';
import { DATABASES as MIGRATED } from '../support/databases.ts';
import { FULL } from '../support/scale.ts';

export interface TestDatabase {
  readonly url: string;
  query(text: string): Promise<{ readonly rows: unknown[] }>;
  close(): Promise<void>;
}

/** PGlite and, where it is installed, a real Postgres. */
export const DATABASES = MIGRATED.map(({ name, missing, start }) => ({
  name,
  missing,
  start: async (): Promise<TestDatabase> => {
    const database = await start();
    const { url } = database;
    const client = new Client({ connectionString: url });
    client.on('error', () => undefined);
    await client.connect();
    return {
      url,
      query: (text) => client.query(text),
      async close() {
        await client.end();
        await database.close();
      },
    };
  },
}));

export interface Pair {
  readonly fga: (typeof SERVERS)[number];
  readonly postgres: (typeof DATABASES)[number];
}

const [embedded, real]: readonly Pair[] = [0, 1].map((kind) => ({
  fga: SERVERS[kind]!,
  postgres: DATABASES[kind]!,
}));

/** Both embedded and both real. */
export const PAIRS = [embedded!, real!];

/** Both in full; else the one below. */
export const SCALED_PAIRS = FULL
  ? PAIRS
  : PAIRS.filter(({ fga, postgres }) => !fga.missing && !postgres.missing).slice(-1);

/** For what takes long: the real ones where they are installed. */
export const PAIR = [real!, embedded!]
  .filter(({ fga, postgres }) => !fga.missing && !postgres.missing)
  .map((pair) => ({ ...pair, name: `${pair.fga.name} and ${pair.postgres.name}` }))[0]!;
