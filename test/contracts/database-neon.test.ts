import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openNeonDatabase } from '../../shared/adapters/postgres/neon.ts';
import { undiciExchange } from '../../shared/adapters/undici/exchange.ts';
import { exchangeBy } from '../../shared/runtime.ts';
import { DatabaseUnavailable, sql } from '../../shared/ports/database.ts';
import type { Reply } from '../../shared/ports/runtime.ts';
import { startNeonEndpoint, type NeonEndpoint } from '../services/neon.ts';
import { postgresMissing, startPostgres, type PostgresService } from '../services/postgres.ts';
import { databaseContract, unavailableContract } from './database.contract.ts';

const exchange = exchangeBy(fetch);
const URL_OF_NEON =
  'postgresql://role:p%40ss@ep-cool-1-pooler.eu-central-1.aws.neon.tech/app?sslmode=require&channel_binding=require&application_name=tests';

describe.skipIf(postgresMissing)(
  'Neon over a stand-in of its endpoint (needs the postgresql package)',
  () => {
    let service: PostgresService | undefined;
    let server: NeonEndpoint;
    beforeAll(async () => {
      service = await startPostgres();
      server = await startNeonEndpoint();
    });
    afterAll(async () => {
      await server.close();
      await service?.close();
    });

    const url = () => `${service!.url}?sslmode=disable`;
    const open = (endpoint: string, timeoutMs: number) =>
      openNeonDatabase({ url: url(), exchange, endpoint, timeoutMs });

    databaseContract('Neon', async () => open(server.endpoint, 15_000));
    databaseContract('Neon by undici', async () =>
      openNeonDatabase({ url: url(), exchange: undiciExchange, endpoint: server.endpoint }),
    );
    unavailableContract('Neon', async (state) =>
      open(state === 'away' ? 'http://127.0.0.1:1/sql' : server.endpoint, 300),
    );
  },
);

describe('SQL over HTTP', () => {
  it('says that it is Sallyport where the URL gives no name, and changes nothing else of it', async () => {
    const seen: (string | undefined)[] = [];
    const open = (url: string) =>
      openNeonDatabase({
        url,
        exchange: async ({ headers }) => {
          seen.push(new Headers(headers).get('neon-connection-string') ?? undefined);
          return replying(503, {});
        },
      });
    for (const url of [
      'postgres://u:p@h.neon.tech/d',
      'postgres://u:p%40@h.neon.tech/d?options=-c%20x%3D1',
      URL_OF_NEON,
    ])
      await expect(open(url).ping()).rejects.toThrow(DatabaseUnavailable);
    expect(seen).toEqual([
      'postgresql://u:p@h.neon.tech/d?application_name=sallyport',
      'postgresql://u:p%40@h.neon.tech/d?options=-c%20x%3D1&application_name=sallyport',
      URL_OF_NEON,
    ]);
  });

  it.each([
    ['a proxy in its place', replying(502, 'secret'), 'HTTP status 502'],
    ['a redirect', { ...replying(307, ''), headers: { location: 'http://x' } }, 'HTTP status 307'],
    [
      'a refusal by the endpoint itself',
      replying(400, { message: 'secret', code: null }),
      'without an SQLSTATE',
    ],
    ['a refusal that is no JSON', { status: 400, headers: {}, text: 'secret' }, 'no JSON'],
    ['another form', replying(200, { rows: ['secret'] }), 'refused'],
    ['text', { status: 200, headers: {}, text: 'secret' }, 'no JSON'],
    ['fewer results than statements', replying(200, { results: [] }), 'without its result'],
  ])('takes %s for an absent database, and quotes none of it', async (_what, reply, reason) => {
    const database = openNeonDatabase({ url: URL_OF_NEON, exchange: async () => reply });
    const error: unknown = await database.execute(sql`select 1`).catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(DatabaseUnavailable);
    expect((error as Error).message).toContain(reason);
    expect((error as Error).message).not.toContain('secret');
  });
});

function replying(status: number, body: unknown): Reply {
  return { status, headers: {}, text: JSON.stringify(body) };
}
