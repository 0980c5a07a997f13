// Long because every promise of the report is held against one store.
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as z from 'zod';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startZitadel, type Zitadel } from '../../dev/zitadel/index.ts';
import { StoreClient, type Fact } from '../contracts/openfga/client.ts';
import { SERVERS } from '../fga/servers.ts';
import { openFgaBinary, startRealOpenFga, type OpenFgaService } from '../services/openfga.ts';
import { FULL, kindsOf } from '../support/scale.ts';
import { sallyport, spawnSallyport, type Variables } from '../support/sallyport.ts';

const DSL = `model
  schema 1.1
type user
type team
  relations
    define member: [user, team#member]
type folder
  relations
    define parent: [folder]
    define viewer: [user, team#member] or viewer from parent
type feature
  relations
    define folder: [folder]
    define blocked: [user, team#member]
    define trained: [user]
    define admin: [user, team#member]
    define manager: [user] or admin
    define viewer: [user, user:*] or manager or viewer from folder
    define view: viewer
    define read: viewer but not blocked
    define sign: manager and trained
`;
/** Without what OpenFGA has to be asked of, person by person. */
const SIMPLE = `model
  schema 1.1
type user
type team
  relations
    define member: [user]
type feature
  relations
    define admin: [user, team#member]
    define manager: [user] or admin
`;
const FACTS: readonly Fact[] = [
  ['user:alice', 'member', 'team:x'],
  ['team:x#member', 'member', 'team:y'],
  ['team:y#member', 'member', 'team:x'],
  ['team:y#member', 'admin', 'feature:reports'],
  ['user:bob', 'manager', 'feature:reports'],
  ['user:bob', 'trained', 'feature:reports'],
  ['user:carol', 'viewer', 'feature:reports'],
  ['team:x#member', 'blocked', 'feature:reports'],
  ['user:*', 'viewer', 'feature:open'],
  ['user:carol', 'blocked', 'feature:open'],
  ['folder:top', 'parent', 'folder:sub'],
  ['folder:sub', 'folder', 'feature:filed'],
  ['team:y#member', 'viewer', 'folder:top'],
  ['user:carol', 'viewer', 'folder:sub'],
  ['user:kanidm|bob', 'admin', 'feature:filed'],
];
const USERS = ['user:alice', 'user:bob', 'user:carol', 'user:kanidm|bob', 'user:*'];
const OBJECTS: readonly (readonly [string, readonly string[]])[] = [
  ['team:x', ['member']],
  ['team:y', ['member']],
  ['folder:top', ['viewer']],
  ['folder:sub', ['viewer']],
  ...['reports', 'open', 'filed'].map(
    (name) =>
      [
        `feature:${name}`,
        ['blocked', 'trained', 'admin', 'manager', 'viewer', 'view', 'read', 'sign'],
      ] as const,
  ),
];

const Tuple = z.object({ user: z.string(), relation: z.string(), object: z.string() });
const Row = z.strictObject({
  user: z.string(),
  relation: z.string(),
  object: z.string(),
  tuples: z.array(z.looseObject(Tuple.shape)),
  conditions: z.array(z.string()),
  stale: z.boolean().nullable(),
});
const Rows = z.array(Row);
type Row = z.output<typeof Row>;

const Checked = z.object({ allowed: z.boolean().optional() });

function keyOf({ user, relation, object }: Pick<Row, 'user' | 'relation' | 'object'>): string {
  return `${user} ${relation} ${object}`;
}

describe.each(kindsOf(SERVERS))('sallyport access report: $name', ({ start, missing }) => {
  let server: OpenFgaService;
  let store: StoreClient;
  beforeAll(async () => {
    if (missing) return;
    server = await start();
    store = await StoreClient.with(server.url, DSL, FACTS);
  });
  afterAll(() => server.close());

  const report = async (args: readonly string[] = [], more: Variables = {}) => {
    const variables = { OPENFGA_URL: store.url, OPENFGA_STORE_ID: store.id, ...more };
    return sallyport(variables, 'access', 'report', ...args);
  };
  const rowsOf = async (args: readonly string[] = [], more: Variables = {}): Promise<Row[]> => {
    const { stdout, stderr, code } = await report([...args, '--format', 'json'], more);
    expect(code, stderr).toBe(0);
    return Rows.parse(JSON.parse(stdout));
  };

  /** What a check allows, by user, object and relation; what everybody may do alone in one row, of everybody. */
  const allowedIn = async (
    at: StoreClient,
    users: readonly string[],
    objects: readonly (readonly [string, readonly string[]])[],
  ): Promise<string[]> => {
    const allowed = new Set<string>();
    for (const user of users)
      for (const [object, relations] of objects)
        for (const relation of relations) {
          const { body } = await at.post('check', { tuple_key: { user, relation, object } });
          if (Checked.parse(body).allowed === true) allowed.add(keyOf({ user, relation, object }));
        }
    const open = [...allowed]
      .filter((key) => key.startsWith('user:* '))
      .map((key) => key.slice('user:* '.length));
    return [...allowed]
      .filter((key) => key.startsWith('user:* ') || !open.some((rest) => key.endsWith(` ${rest}`)))
      .sort();
  };

  it.skipIf(missing)('has a row for exactly what a check allows', async () => {
    const rows = new Set((await rowsOf()).map(keyOf));
    expect([...rows].sort()).toEqual(await allowedIn(store, USERS, OBJECTS));
  });

  it.skipIf(missing)('has the same at the model that is shipped', async () => {
    const shipped = await StoreClient.with(
      server.url,
      readFileSync(new URL('../../config/model.fga', import.meta.url), 'utf8'),
      [
        ['user:alice', 'assignee', 'role:editors'],
        ['role:editors#assignee', 'member', 'organization:acme'],
        ['user:bob', 'admin', 'organization:acme'],
        ['organization:acme#member', 'viewer', 'feature:reports'],
        ['organization:acme#admin', 'admin', 'feature:billing'],
        ['user:*', 'viewer', 'feature:open'],
        ['organization:acme', 'organization', 'document:root'],
        ['document:root', 'parent', 'document:leaf'],
        ['role:editors#assignee', 'manager', 'document:leaf'],
        ['user:*', 'viewer', 'document:root'],
      ],
    );
    const held = ['admin', 'manager', 'viewer', 'view', 'edit', 'delete'];
    const objects = [
      ['role:editors', ['assignee']] as const,
      ['organization:acme', ['admin', 'member']] as const,
      ...['feature:reports', 'feature:billing', 'feature:open', 'document:root', 'document:leaf'].map(
        (object) => [object, held] as const,
      ),
    ];
    const found = await rowsOf([], { OPENFGA_STORE_ID: shipped.id });
    // One of several ways for each; what everybody may do holds for a person too.
    const rows = new Set(found.map(keyOf));
    const own = await allowedIn(shipped, ['user:alice', 'user:bob', 'user:*'], objects);
    for (const key of own) expect([...rows]).toContain(key);
    for (const { user, relation, object } of found) {
      const { body } = await shipped.post('check', { tuple_key: { user, relation, object } });
      expect(Checked.parse(body).allowed, keyOf({ user, relation, object })).toBe(true);
    }
  });

  it.skipIf(missing)('names the tuples that grant it, from the person on', async () => {
    const rows = await rowsOf(['--feature', 'filed', '--user', 'alice']);
    expect(rows.find(({ relation }) => relation === 'view')).toEqual({
      user: 'user:alice',
      relation: 'view',
      object: 'feature:filed',
      tuples: [
        ['user:alice', 'member', 'team:x'],
        ['team:x#member', 'member', 'team:y'],
        ['team:y#member', 'viewer', 'folder:top'],
        ['folder:top', 'parent', 'folder:sub'],
        ['folder:sub', 'folder', 'feature:filed'],
      ].map(([user, relation, object]) => ({ user, relation, object })),
      conditions: [],
      stale: null,
    });
  });

  it.skipIf(missing)(
    'of one user has what everybody may do as well, and of one feature that alone',
    async () => {
      const ofCarol = await rowsOf(['--user', 'user:carol', '--feature', 'feature:open']);
      expect(ofCarol.map(keyOf).sort()).toEqual([
        'user:carol blocked feature:open',
        'user:carol view feature:open',
        'user:carol viewer feature:open',
      ]);
      expect(await rowsOf(['--feature', 'none'])).toEqual([]);
    },
  );

  it.skipIf(missing)('as CSV has a header, and the tuples in one cell', async () => {
    const { stdout, code } = await report(['--user', 'kanidm|bob', '--feature', 'filed']);
    expect(code).toBe(0);
    const [header, ...lines] = stdout.trimEnd().split('\r\n');
    expect(header).toBe('user,relation,object,granted_by,conditions,stale');
    expect(lines).toContain('user:kanidm|bob,view,feature:filed,user:kanidm|bob admin feature:filed,,');
  });

  it.skipIf(missing)('is refused for a store without a model', async () => {
    const { code, stdout, stderr } = await report([], { OPENFGA_STORE_ID: '01ARZ3NDEKTSV4RRFFQ69G5FAV' });
    expect([code, stdout]).toEqual([1, '']);
    expect(stderr).toContain('has no model');
  });

  describe.skipIf(missing)('beside the provider', () => {
    let zitadel: Zitadel;
    let variables: Variables;
    beforeAll(async () => {
      zitadel = await startZitadel();
      for (const id of ['alice', 'carol']) zitadel.users.create({ id, userName: `${id}@example.org` });
      zitadel.users.createMachine({ id: 'bob', userName: 'bob' });
      variables = { ZITADEL_API_URL: zitadel.url, ZITADEL_SERVICE_TOKEN: zitadel.token };
    });
    afterAll(() => zitadel.close());

    const staleOf = (rows: readonly Row[]): Record<string, boolean | null> =>
      Object.fromEntries(rows.map(({ user, stale }) => [user, stale]));

    it('calls stale who is gone, and nobody of a provider that was not asked', async () => {
      zitadel.users.remove('carol');
      const stale = staleOf(await rowsOf([], variables));
      expect(stale).toEqual({
        'user:alice': false,
        'user:bob': false,
        'user:carol': true,
        'user:kanidm|bob': null,
        'user:*': null,
      });
    });

    it('calls nobody stale who may sign in by a password here', async () => {
      const stale = staleOf(await rowsOf([], { ...variables, SHARED_SUBJECT_ISSUERS: 'session,zitadel' }));
      expect(stale).toMatchObject({ 'user:alice': false, 'user:carol': null });
    });

    it('fails rather than call everybody gone while the provider does not answer', async () => {
      const { code, stdout, stderr } = await report(['--json'], {
        ...variables,
        ZITADEL_SERVICE_TOKEN: 'wrong',
      });
      expect([code, JSON.parse(stdout)]).toEqual([1, expect.objectContaining({ ok: false })]);
      expect(stderr).toContain('ZITADEL_SERVICE_TOKEN is not accepted');
    });
  });
});

const real = openFgaBinary() === undefined;

describe.skipIf(real)('sallyport access report on a real OpenFGA (needs .tools/openfga)', () => {
  const folder = mkdtempSync(join(tmpdir(), 'access-'));
  let server: OpenFgaService;
  beforeAll(async () => {
    server = (await startRealOpenFga({ file: join(folder, 'openfga.db') }))!;
  });
  afterAll(async () => {
    await server.close();
    rmSync(folder, { recursive: true });
  });

  it('names the condition under which a grant holds', async () => {
    const store = await StoreClient.with(
      server.url,
      `model
  schema 1.1
type user
type feature
  relations
    define blocked: [user]
    define viewer: [user with in_office]
    define read: viewer but not blocked
condition in_office(at: string) {
  at == "office"
}
`,
    );
    const condition = { name: 'in_office', context: {} };
    await store.post('write', {
      writes: {
        tuple_keys: [{ user: 'user:alice', relation: 'viewer', object: 'feature:reports', condition }],
      },
    });
    const variables = { OPENFGA_URL: store.url, OPENFGA_STORE_ID: store.id };
    const { stdout } = await sallyport(variables, 'access', 'report', '--json');
    const rows = Rows.parse(JSON.parse(stdout));
    expect(rows.map(({ relation, conditions }) => [relation, conditions])).toEqual([
      ['viewer', ['in_office']],
      ['read', ['in_office']],
    ]);
  });

  it('takes the same memory for any number of tuples', async () => {
    const people = FULL ? 100_000 : 500;
    const store = await StoreClient.with(server.url, SIMPLE, [['team:x#member', 'admin', 'feature:reports']]);
    const facts = Array.from({ length: people }, (_, at): Fact => [`user:u${at}`, 'member', 'team:x']);
    await store.writeAll(facts);
    const child = spawnSallyport(
      { OPENFGA_URL: store.url, OPENFGA_STORE_ID: store.id, NODE_OPTIONS: '--max-old-space-size=96' },
      ...['access', 'report', '--feature', 'reports', '--format', 'csv'],
    );
    let lines = 0;
    for await (const chunk of child.stdout!.setEncoding('utf8'))
      lines += String(chunk).split('\n').length - 1;
    // admin and manager; the header.
    expect(lines).toBe(people * 2 + 1);
  });
});
