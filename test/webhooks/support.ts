import { migrate } from '../../cli/db/migrate.ts';
import { readMigrations } from '../../cli/db/files.ts';
import { startPostgres as startPglite } from '../../dev/postgres.ts';
import type { StorableEvent } from '../../functions/webhooks/event.ts';
import { IGNORED, parseEvent } from '../../functions/webhooks/parse.ts';
import { openPgDatabase } from '../../shared/adapters/database-pg.ts';
import { openPgSession } from '../../shared/adapters/database-session.ts';
import type { IssuerConfig } from '../../shared/config.ts';
import type { Database } from '../../shared/database.ts';
import { MIGRATIONS, options } from '../db/support.ts';
import { postgresMissing, startPostgres } from '../services/postgres.ts';

export const ISSUER: IssuerConfig = {
  name: 'zitadel',
  url: 'https://id.example.org',
  audiences: ['api'],
  sharedSubjects: true,
};

export interface TestDatabase {
  readonly url: string;
  readonly database: Database;
  close(): Promise<void>;
}

/** Where the inbox lives in tests. `missing` is for `describe.skipIf`. */
export const DATABASES = [
  { name: 'PGlite', missing: false, open: () => opened(startPglite()) },
  {
    name: 'Postgres (needs the postgresql package)',
    missing: postgresMissing,
    open: () => opened(startReal()),
  },
] as const;

async function startReal() {
  return (await startPostgres())!;
}

async function opened(starting: Promise<{ url: string; close(): Promise<void> }>): Promise<TestDatabase> {
  const server = await starting;
  const session = await openPgSession(server.url);
  await migrate(session, await readMigrations(MIGRATIONS), options);
  await session.close();
  const database = openPgDatabase({ url: server.url, max: 8 });
  return {
    url: server.url,
    database,
    close: async () => {
      await database.close();
      await server.close();
    },
  };
}

export interface EnvelopeOptions {
  readonly user?: string;
  readonly sequence?: number;
  readonly type?: string;
  readonly payload?: unknown;
  readonly instance?: string;
  readonly organization?: string;
}

/** A delivery's body as Zitadel writes it. */
export function envelope(options: EnvelopeOptions = {}): Record<string, unknown> {
  return {
    aggregateID: options.user ?? 'u1',
    aggregateType: 'user',
    resourceOwner: options.organization ?? 'org1',
    instanceID: options.instance ?? 'instance1',
    version: 'v2',
    sequence: options.sequence ?? 1,
    event_type: options.type ?? 'user.human.added',
    created_at: '2026-01-01T00:00:00.123456789Z',
    userID: 'editor',
    ...(options.payload !== undefined && { event_payload: options.payload }),
  };
}

export function eventOf(options: EnvelopeOptions = {}): StorableEvent {
  const event = parseEvent(envelope(options), ISSUER);
  if (event === IGNORED) throw new Error('nothing handles this type');
  return event;
}
