import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { sessionsOf } from '../../cli/doctor/zitadel-database.ts';
import { openPgDatabase } from '../../shared/adapters/postgres/pg.ts';
import { openPgSession } from '../../shared/adapters/postgres/session.ts';
import type { DatabaseSession } from '../../shared/database/session.ts';
import { postgresMissing, sharedPostgres, type PostgresService } from '../services/postgres.ts';
import { containing, doctor, found } from './stage.ts';

const NAMES = ['zitadel-database', 'zitadel-database-sessions'] as const;

describe.skipIf(postgresMissing)("checks of Zitadel's database (needs the postgresql package)", () => {
  let server: PostgresService;
  let url: string;
  let session: DatabaseSession;
  const role = `reader_${process.pid}`;
  beforeAll(async () => {
    server = await sharedPostgres();
    url = await server.createDatabase('zitadel');
    session = await openPgSession(url);
    await session.script(`
      create schema eventstore; create schema projections; create schema system;
      create table eventstore.events2 (instance_id text);
      create table projections.users14 (id text);
      create role ${role} login`);
  });
  afterAll(async () => {
    await session.close();
    await server.dropDatabase(url);
    const other = await openPgSession(server.url);
    await other.script(`drop role ${role}`);
    await other.close();
  });
  const as = (user: string): string => {
    const changed = new URL(url);
    changed.username = user;
    return changed.href;
  };

  it('are green where the role may read what Zitadel keeps', async () => {
    const results = await doctor({ ZITADEL_DATABASE_URL: url }, NAMES);
    expect(Object.values(results).map(({ status }) => status)).toEqual(['green', 'green']);
  });

  it('are red for a role without rights, with what to grant, and green with read rights alone', async () => {
    const limited = { ZITADEL_DATABASE_URL: as(role) };
    const { status, cause, next } = await found(limited, 'zitadel-database');
    expect([status, cause]).toEqual(['red', containing('permission denied')]);
    expect(next).toContain('grant usage');
    await session.script(`
      grant usage on schema eventstore, projections, system to ${role};
      grant select on all tables in schema eventstore, projections to ${role}`);
    onTestFinished(() => session.script(`drop owned by ${role}`));
    expect(await found(limited, 'zitadel-database')).toMatchObject({
      status: 'green',
      cause: containing('needs a superuser'),
    });
  });

  it('are red for a database of something else, a role that is none, and a server that is away', async () => {
    expect(await found({ ZITADEL_DATABASE_URL: server.url }, NAMES[0])).toMatchObject({
      status: 'red',
      cause: containing('no eventstore'),
    });
    expect(await found({ ZITADEL_DATABASE_URL: as('nobody_of_this_name') }, NAMES[0])).toMatchObject({
      status: 'red',
      next: containing('peer authentication'),
    });
    expect(await found({ ZITADEL_DATABASE_URL: 'postgres://u@127.0.0.1:1/zitadel' }, NAMES[1])).toMatchObject(
      {
        status: 'red',
        cause: containing('ECONNREFUSED'),
      },
    );
  });

  it('name whoever has a transaction open for long, as an import would wait for it', async () => {
    const holder = await openPgSession(url);
    onTestFinished(() => holder.close());
    await holder.script("set application_name = 'a forgotten console'; begin; select 1");
    expect(await found({ ZITADEL_DATABASE_URL: url }, NAMES[1])).toMatchObject({
      status: 'green',
      cause: containing('a forgotten console as postgres from 127.0.0.1 (1)'),
    });
    const database = openPgDatabase({ url });
    onTestFinished(() => database.close());
    expect(await sessionsOf(database, 'here', 0)).toMatchObject({
      status: 'red',
      cause: containing('is being accessed by a forgotten console'),
    });
  });
});
