import { randomUUID } from 'node:crypto';
import { afterEach, describe, expect, it } from 'vitest';
import { startKanidm, type Kanidm, type KanidmOptions } from '../../dev/kanidm/index.ts';
import { startZitadel } from '../../dev/zitadel/index.ts';
import { ORGANIZATION } from '../../dev/zitadel/users.ts';
import { undiciExchange } from '../../shared/adapters/undici/exchange.ts';
import type { DirectoryConfig, KanidmDirectoryConfig } from '../../shared/configuration/providers.ts';
import { isRetryable, type Creation, type Directory, type NewPerson } from '../../shared/ports/directory.ts';
import type { Exchange } from '../../shared/ports/runtime.ts';
import { manualClock } from '../support/clock.ts';
import { seeded } from '../support/seeded.ts';
import { openDirectory, signsInAtKanidm } from './directory-support.ts';

/** Long because every fault of one port is here. */
const TENANT = { id: ORGANIZATION, slug: 'acme', name: 'Acme' };
const PASSWORD = 'Old-legacy-pw-2019!';
const HASH = '$2b$10$Vd7S1b8ZTOuVVXQ8nTqCPumZmFLSKU0KKUUPPAaowab6hA/5ZA/gq';

const personOf = (name: string, changes: Partial<NewPerson> = {}): NewPerson => ({
  id: randomUUID(),
  mail: `${name}@example.org`,
  mailVerified: true,
  displayName: `${name} Example`,
  tenant: TENANT,
  ...changes,
});

const opened: { close(): Promise<void> }[] = [];
afterEach(async () => {
  for (const each of opened.splice(0)) await each.close();
});

async function kanidm(options: KanidmOptions = {}): Promise<Kanidm> {
  const started = await startKanidm(options);
  opened.push(started);
  return started;
}

const configOf = (server: Kanidm, changes: Partial<KanidmDirectoryConfig> = {}) => {
  const { url, token } = server;
  return {
    provider: 'kanidm',
    issuer: server.issuer('api'),
    url,
    token,
    syncToken: null,
    ...changes,
  } as const;
};

async function started(kind: 'local' | 'sync' | 'zitadel'): Promise<DirectoryConfig> {
  if (kind === 'zitadel') {
    const server = await startZitadel();
    opened.push(server);
    const { url, token } = server;
    const where = { organization: null, projectId: null };
    return { provider: 'zitadel', issuer: url, url, token, tenancy: 'organisations', ...where };
  }
  const server = await kanidm();
  return configOf(server, { syncToken: kind === 'local' ? null : server.syncs.make('sync') });
}

/** Of all calls some are lost on their way, and some answers on theirs. */
function losing(random: (below: number) => number): Exchange {
  const cut = (): Error => Object.assign(new Error('cut'), { code: 'ECONNRESET' });
  return async (call) => {
    if (random(4) === 0) throw cut();
    const reply = await undiciExchange(call);
    if (random(4) === 0) throw cut();
    return reply;
  };
}

describe.each(['local', 'sync', 'zitadel'] as const)('a directory behind a bad network: %s', (kind) => {
  it.each([1, 2, 3, 4, 5])(
    'ends with everybody once, however often calls are lost (seed %i)',
    async (seed) => {
      const config = await started(kind);
      const directory = openDirectory(config, { exchange: losing(seeded(seed)) });
      const people = Array.from({ length: 20 }, (_, at) => personOf(`p${at}`));
      const results = new Map<string, Creation>();
      // At least every second call gets through, so that this many rounds are never needed.
      for (let round = 0; round < 500 && results.size < people.length; round++) {
        const left = people.filter(({ id }) => !results.has(id));
        const batch = left.slice(0, directory.traits.batch);
        for (const [at, creation] of (await directory.create(batch)).entries())
          if (!isRetryable(creation)) results.set(batch[at]!.id, creation);
      }
      const outcomes = new Set([...results.values()].map(({ outcome }) => outcome));
      expect([...outcomes].filter((each) => each !== 'created' && each !== 'exists')).toEqual([]);
      expect(results.size).toBe(people.length);
      const listed = await openDirectory(config).list(TENANT, null);
      const mails = listed.outcome === 'page' ? listed.people.map(({ mail }) => mail) : [];
      expect(mails.sort()).toEqual(people.map(({ mail }) => mail).sort());
    },
  );

  it('shows neither token nor password nor hash in anything it answers', async () => {
    const config = await started(kind);
    const results: unknown[] = [];
    const echo: Exchange = (call) =>
      Promise.resolve({ status: 400, headers: {}, text: JSON.stringify({ message: JSON.stringify(call) }) });
    for (const exchange of [undiciExchange, echo]) {
      const directory = openDirectory(config, { exchange });
      const person = personOf(`secret${results.length}`, { passwordHash: HASH });
      results.push(
        await directory.create([person]),
        await directory.carryPassword(person.id, { plain: PASSWORD }),
        await directory.carryPassword(person.id, { hash: HASH }),
        await directory.find([person.id]),
        await directory.rights(),
      );
    }
    const text = JSON.stringify(results);
    for (const secret of [config.token, PASSWORD, HASH, HASH.slice(7, 40)])
      expect(text).not.toContain(secret);
  });
});

describe('at Kanidm', () => {
  const outcomesOf = async (directory: Directory, ...people: NewPerson[]) =>
    (await directory.create(people)).map(({ outcome }) => outcome);

  it('a locked database is tried again, and one unknown answer is one person’s alone', async () => {
    let answer: Response | undefined = Response.json('databaselockacquisitiontimeout', { status: 500 });
    const server = await kanidm({ intercept: () => answer?.clone() });
    const directory = openDirectory(configOf(server));
    expect(await outcomesOf(directory, personOf('a'), personOf('b'))).toEqual(['busy', 'busy']);
    answer = undefined;
    expect(await outcomesOf(directory, personOf('a'), personOf('b', { displayName: 'a\nb' }))).toEqual([
      'created',
      'refused',
    ]);
  });

  it('a batch that was done before costs few calls more, not one for each', async () => {
    let calls = 0;
    const server = await kanidm({
      intercept: () => {
        calls += 1;
        return undefined;
      },
    });
    const directory = openDirectory(configOf(server));
    const people = Array.from({ length: 100 }, (_, at) => personOf(`p${at}`));
    expect(new Set(await outcomesOf(directory, ...people))).toEqual(new Set(['created']));
    expect(calls).toBe(1);
    calls = 0;
    expect(new Set(await outcomesOf(directory, ...people))).toEqual(new Set(['exists']));
    // One refused batch, seven searches, and one look at each of them for what they are.
    expect(calls).toBe(1 + 7 + 100);
  });

  it('a deleted person is revived where the token may, and else held until the week is over', async () => {
    const clock = manualClock();
    const server = await kanidm({ clock });
    const all = openDirectory(configOf(server), { clock });
    const least = openDirectory(
      configOf(server, { token: server.tokenWith(['idm_people_admins', 'idm_group_admins']) }),
      { clock },
    );
    const person = personOf('deleted');
    await all.create([person]);
    await all.delete(person.id);
    expect(await least.create([person])).toEqual([{ outcome: 'held', until: null }]);
    expect(await all.create([person])).toMatchObject([{ outcome: 'revived', person: { mail: person.mail } }]);
    await all.delete(person.id);
    await all.create([personOf('deleted')]);
    expect(await all.create([person])).toEqual([{ outcome: 'clash', fields: ['mail', 'name'] }]);
    clock.advance(all.traits.heldSeconds);
    expect(await least.create([personOf('other', { id: person.id })])).toMatchObject([
      { outcome: 'created' },
    ]);
  });

  it('an id that Kanidm keeps for itself is refused, and denied to nobody else', async () => {
    const directory = openDirectory(configOf(await kanidm()));
    const legacy = personOf('legacy', { id: '00000000-0000-0000-0000-000000000001' });
    expect(await directory.create([personOf('a'), legacy, personOf('b')])).toMatchObject([
      { outcome: 'created' },
      { outcome: 'refused', field: 'id' },
      { outcome: 'created' },
    ]);
    const reader = openDirectory(configOf(await kanidm(), { token: 'none' }));
    expect(await outcomesOf(reader, personOf('a'), personOf('b'))).toEqual(['denied', 'denied']);
  });

  it('an id that a group has is no person’s', async () => {
    const server = await kanidm();
    const directory = openDirectory(configOf(server));
    const ensured = await directory.ensureGroup(TENANT, 'member');
    const id = 'group' in ensured ? ensured.group.id : '';
    expect(await directory.create([personOf('clash', { id })])).toEqual([
      { outcome: 'clash', fields: ['id'] },
    ]);
  });

  it.each([
    [['idm_group_admins'], ['idm_people_admins'], 1],
    [['idm_people_admins'], ['idm_group_admins'], 1],
    [['idm_people_on_boarding', 'idm_group_admins'], [], 2],
    [['idm_people_admins', 'idm_group_admins'], [], 1],
    [['idm_people_admins', 'idm_group_admins', 'idm_recycle_bin_admins'], [], 0],
  ] as const)('a token with %j lacks %j', async (groups, missing, warnings) => {
    const server = await kanidm();
    const report = await openDirectory(configOf(server, { token: server.tokenWith(groups) })).rights();
    expect(report.outcome).toBe('rights');
    if (report.outcome !== 'rights') return;
    expect(report.missing.map(({ right }) => right)).toEqual(missing);
    expect(report.warnings).toHaveLength(warnings);
    for (const { remedy } of [...report.missing, ...report.warnings])
      expect(remedy).toMatch(/^kanidm group add-members idm_\w+ sallyport_prov\d/);
  });

  it('a token that only reads is named, with the command for another', async () => {
    const server = await kanidm();
    const token = server.tokenWith(['idm_people_admins', 'idm_group_admins'], false);
    const report = await openDirectory(configOf(server, { token })).rights();
    expect(report).toMatchObject({ missing: [{ remedy: expect.stringContaining('--readwrite') as string }] });
  });

  it('a database without an index of addresses is named, with the command that makes one', async () => {
    const report = await openDirectory(configOf(await kanidm({ mailIndex: false }))).rights();
    expect(report).toMatchObject({
      warnings: [{ remedy: expect.stringContaining('kanidmd database reindex') as string }],
    });
  });
});

describe('people of a sync account at Kanidm', () => {
  const ground = async () => {
    const server = await kanidm();
    const directory = openDirectory(configOf(server, { syncToken: server.syncs.make('sync') }));
    const person = personOf('synced');
    const signsIn = async (): Promise<boolean> =>
      signsInAtKanidm(server.url, directory.nameOf(person), PASSWORD);
    await directory.create([person]);
    return { server, directory, person, signsIn };
  };

  it('keep a password that was carried, though they are created again', async () => {
    const { directory, person, signsIn } = await ground();
    expect(await signsIn()).toBe(false);
    await directory.carryPassword(person.id, { plain: PASSWORD });
    expect(await directory.create([person, personOf('another')])).toMatchObject([
      { outcome: 'exists', person: { origin: 'sync' } },
      { outcome: 'created' },
    ]);
    expect(await signsIn()).toBe(true);
  });

  it('lose it with a change, which says so, and get it again', async () => {
    const { directory, person, signsIn } = await ground();
    await directory.carryPassword(person.id, { plain: PASSWORD });
    expect(await directory.update(person.id, { displayName: 'New Name' })).toEqual({
      outcome: 'done',
      passwordDropped: true,
    });
    expect(await signsIn()).toBe(false);
    await directory.carryPassword(person.id, { plain: PASSWORD });
    expect(await signsIn()).toBe(true);
    expect((await directory.find([person.id])) as object).toMatchObject({
      people: [{ displayName: 'New Name', mail: person.mail }],
    });
  });

  it('stay disabled while a password is carried', async () => {
    const { directory, person } = await ground();
    await directory.disable(person.id);
    await directory.carryPassword(person.id, { plain: PASSWORD });
    expect(await directory.find([person.id])).toMatchObject({ people: [{ state: 'disabled' }] });
  });

  it('are written whatever state another process left behind', async () => {
    const { server, directory, person } = await ground();
    const body = {
      from_state: { Active: { cookie: Buffer.from('sallyport').toString('base64') } },
      to_state: { Active: { cookie: 'b3RoZXI=' } },
      entries: [],
      retain: 'Ignore',
    };
    const token = server.syncs.get('sync')!.token;
    const moved = await fetch(`${server.url}/scim/v1/Sync`, {
      method: 'POST',
      headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
      body: JSON.stringify(body),
    });
    expect(moved.status).toBe(200);
    expect(await directory.disable(person.id)).toMatchObject({ outcome: 'done' });
  });

  it('are Kanidm’s own after the account is finalised, and the token says what follows', async () => {
    const { server, directory, person } = await ground();
    server.syncs.finalise('sync', server.store);
    expect(await directory.disable(person.id)).toEqual({ outcome: 'done', passwordDropped: false });
    const [creation] = await directory.create([personOf('late')]);
    expect(creation).toMatchObject({ outcome: 'denied' });
    expect(creation?.outcome === 'denied' && creation.remedy).toContain('KANIDM_SYNC_TOKEN');
  });

  it('cannot be invited until the account yields that, and then can', async () => {
    const { server, directory, person } = await ground();
    expect(await directory.invite(person.id, 600)).toMatchObject({ outcome: 'denied' });
    server.syncs.get('sync')!.yields = ['primary_credential', 'passkeys'];
    expect(await directory.invite(person.id, 600)).toMatchObject({ outcome: 'link' });
  });
});
