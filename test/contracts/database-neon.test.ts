import { neon, neonConfig } from '@neondatabase/serverless';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openNeonDatabase } from '../../shared/adapters/postgres/neon.ts';
import { undiciExchange } from '../../shared/adapters/undici/exchange.ts';
import { exchangeBy } from '../../shared/exchange.ts';
import { DatabaseUnavailable, sql } from '../../shared/ports/database.ts';
import type { Call, Reply } from '../../shared/ports/runtime.ts';
import { startNeonEndpoint, type NeonEndpoint } from '../services/neon.ts';
import { postgresMissing, startPostgres, type PostgresService } from '../services/postgres.ts';
import { databaseContract, unavailableContract } from './database.contract.ts';

const exchange = exchangeBy(fetch);
const URL_OF_NEON =
  'postgresql://role:p%40ss@ep-cool-1-pooler.eu-central-1.aws.neon.tech/app?sslmode=require&channel_binding=require&application_name=tests';
const OPTIONS = { arrayMode: true, fullResults: true, disableWarningInBrowsers: true } as const;

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

    it('answers as the stand-in, whose forms the driver of Neon reads', async () => {
      neonConfig.fetchFunction = (_url: string, init: RequestInit) => fetch(server.endpoint, init);
      const ask = neon(url().replace('postgres@', 'postgres:none@'), OPTIONS);
      const [rows] = await ask.transaction([ask.query('select $1::int4 as one, null as two', ['1'])]);
      expect(rows).toMatchObject({
        rows: [[1, null]],
        rowCount: 1,
        fields: [{ name: 'one', dataTypeID: 23 }, {}],
      });
      await expect(ask.transaction([ask.query('select 1/0')])).rejects.toMatchObject({
        code: '22012',
        severity: 'ERROR',
      });
    });
  },
);

describe('SQL over HTTP', () => {
  it.each([
    ['read committed', 'ReadCommitted'],
    ['repeatable read', 'RepeatableRead'],
    ['serializable', 'Serializable'],
  ] as const)(
    'asks for a transaction at %s as the driver of Neon does',
    async (isolation, isolationLevel) => {
      const theirs: Call[] = [];
      neonConfig.fetchFunction = async (url: string, init: RequestInit) => {
        const headers = {
          ...Object.fromEntries(new Headers(init.headers)),
          'content-type': 'application/json',
        };
        theirs.push({ method: init.method!, url, headers, body: init.body as string, timeoutMs: 1 });
        return Response.json({ results: [] });
      };
      const ours: Call[] = [];
      const database = openNeonDatabase({
        url: URL_OF_NEON,
        timeoutMs: 1,
        exchange: async (call) => {
          ours.push(call);
          return replying(200, { results: Array(3).fill({ fields: [], rows: [], rowCount: 0 }) });
        },
      });
      const params = ['a"b', '{"1",NULL}', '\\x00ff', null];
      const text = sql`select ${'a"b'}, ${['1', null]}, ${new Uint8Array([0, 255])}, ${null}`;
      await database.transaction([text, sql`select 2`], { isolation });
      const [{ body }] = ours as [Call];
      const [settings] = (JSON.parse(body!) as { queries: { query: string }[] }).queries;
      const ask = neon(URL_OF_NEON, OPTIONS);
      await ask.transaction(
        [ask.query(settings!.query), ask.query('select $1, $2, $3, $4', params), ask.query('select 2')],
        { isolationLevel },
      );
      expect(comparable(ours)).toEqual(comparable(theirs));
    },
  );

  it('says that it is Sallyport where the URL gives no name, and changes nothing else of it', async () => {
    const seen: (string | undefined)[] = [];
    const open = (url: string) =>
      openNeonDatabase({
        url,
        exchange: async ({ headers }) => {
          seen.push(headers['neon-connection-string']);
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
      'postgres://u:p@h.neon.tech/d?application_name=sallyport',
      'postgres://u:p%40@h.neon.tech/d?options=-c%20x%3D1&application_name=sallyport',
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
    ['a refusal that is no JSON', { status: 400, headers: {}, text: 'secret' }, 'without an SQLSTATE'],
    ['another form', replying(200, { rows: ['secret'] }), 'not of Neon'],
    ['text', { status: 200, headers: {}, text: 'secret' }, 'not of Neon'],
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

const comparable = (calls: readonly Call[]) =>
  calls.map(({ method, url, headers, body }) => ({
    method,
    url,
    headers,
    body: JSON.parse(body!) as unknown,
  }));
