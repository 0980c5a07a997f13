import { readFile } from 'node:fs/promises';
import { Client } from 'pg';
import { startPostgres as startPglite } from '../../dev/postgres.ts';
import { SERVERS } from '../fga/servers.ts';
import { FULL } from '../support/scale.ts';
import { postgresMissing, startPostgres } from '../services/postgres.ts';

const MIGRATIONS = [
  '20260101000001_webhook_inbox',
  '20260101000002_identities',
  '20260101000011_sallyport_cron',
  '20260101000021_sallyport_feature_sync',
  '20260101000041_tokens_not_before',
  '20260101000051_identity_organization',
  '20260101000061_sallyport_runs',
].map((name) => new URL(`../../migrations/${name}.sql`, import.meta.url));

export interface TestDatabase {
  readonly url: string;
  query(text: string): Promise<{ readonly rows: unknown[] }>;
  close(): Promise<void>;
}

async function prepared(url: string, close: () => Promise<void>): Promise<TestDatabase> {
  const client = new Client({ connectionString: url });
  client.on('error', () => undefined);
  await client.connect();
  for (const migration of MIGRATIONS) await client.query(await readFile(migration, 'utf8'));
  return {
    url,
    query: (text) => client.query(text),
    async close() {
      await client.end();
      await close();
    },
  };
}

/** PGlite and, where it is installed, a real Postgres, each with the tables of feature sync and the users it asks about. */
export const DATABASES = [
  {
    name: 'PGlite',
    missing: false,
    start: async () => {
      const server = await startPglite();
      return prepared(server.url, () => server.close());
    },
  },
  {
    name: 'a real Postgres (needs the postgresql package)',
    missing: postgresMissing,
    start: async () => {
      const server = (await startPostgres())!;
      return prepared(server.url, () => server.close());
    },
  },
] as const;

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
