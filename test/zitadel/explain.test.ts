// Long because each trap of a login name has its case.
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { explain, type Explanation, type ExplainOptions } from '../../cli/zitadel/names/explain.ts';
import { explanationJson } from '../../cli/zitadel/names/print.ts';
import { sallyport } from '../support/sallyport.ts';
import { withZitadelDatabase } from '../../cli/zitadel/database/open.ts';
import { madeZitadel, type MadeZitadel } from './made.ts';
import { silentProxy } from './silent-proxy.ts';

let zitadel: MadeZitadel;

/** One instance, an organisation that demands its domain and one that does not, and people for each trap. */
const PEOPLE = `
  select made.instance('i1', 'id.example.org', 'acme');
  select made.org('i1', 'acme', 'acme.example.org');
  select made.org('i1', 'beta', 'beta.example', true);
  select made.org('i1', 'strict', 'strict.example');
  insert into projections.login_policies5 (aggregate_id, instance_id, disable_login_with_email) values ('strict', 'i1', true);
  select made.human('i1', 'acme', 'ann', 'Ann', 'ann@mail.example');
  select made.human('i1', 'beta', 'alice', 'alice', 'alice@mail.example');
  select made.domain('i1', 'beta', 'second.example');
  select made.human('i1', 'acme', 'seed', 'admin@acme.example.org', 'admin@acme.example.org');
  select made.renamed('i1', 'seed', 'dev@mail.example');
  update projections.users14_humans set email = 'dev@mail.example' where user_id = 'seed';
  select made.human('i1', 'acme', 'late', 'late', 'late@mail.example', false);
  select made.human('i1', 'acme', 'moving', 'moving', 'old@mail.example');
  select made.mailed('i1', 'moving', 'new@mail.example', false);
  select made.human('i1', 'acme', 'twin1', 'twin1', 'twin@mail.example');
  select made.human('i1', 'acme', 'twin2', 'twin2', 'twin@mail.example');
  select made.human('i1', 'acme', 'named', 'box@mail.example', 'named@mail.example');
  select made.human('i1', 'acme', 'boxed', 'boxed', 'box@mail.example');
  select made.human('i1', 'strict', 'nomail', 'nomail', 'nomail@mail.example');
  select made.human('i1', 'acme', 'claimed', 'carol@claim.example', 'carol@mail.example');
  select made.renamed('i1', 'claimed', '17@temporary.id.example.org', true);
  select made.human('i1', 'acme', 'first', 'popular', 'first@mail.example');
  select made.renamed('i1', 'first', 'unpopular');
  select made.human('i1', 'acme', 'second', 'popular', 'second@mail.example');
  select made.human('i1', 'acme', 'locked', 'locked@acme.example.org', 'locked@mail.example');
  select made.state('i1', 'locked', 4::smallint);
  select made.human('i1', 'acme', 'shut', 'shut', 'shut@mail.example');
  select made.state('i1', 'shut', 4::smallint);
  select made.human('i1', 'acme', 'idle', 'idle', 'idle@mail.example');
  select made.state('i1', 'idle', 2::smallint);
  select made.machine('i1', 'acme', 'robot', 'robot');
  select made.human('i1', 'beta', 'gone', 'gone', 'gone@mail.example');
  select made.domain('i1', 'beta', 'former.example');
  select made.domain_removed('i1', 'beta', 'former.example');
  update projections.users14_humans set phone = '+41790000001', is_phone_verified = true where user_id = 'ann';
  update projections.users14_notifications set last_phone = '+41790000001', verified_phone = '+41790000001' where user_id = 'ann';
  select made.caught_up('i1');`;

beforeAll(async () => {
  zitadel = await madeZitadel();
  await zitadel.run(PEOPLE);
});

afterAll(() => zitadel.close());

const ask = (input: string, options: ExplainOptions = {}): Promise<Explanation> =>
  explain(input, { database: zitadel.url, ...options });

const trapsIn = ({ traps }: Explanation): string[] => traps.map(({ trap }) => trap);

const byRule = ({ candidates }: Explanation, rule: string) => candidates.filter((each) => each.rule === rule);

describe('the built-in pages', () => {
  it.each([
    ['Ann', ['ann']],
    [' ann ', ['ann']],
    ['ANN@MAIL.example', ['ann']],
    ['+41790000001', ['ann']],
    ['Ann@acme.example.org', []],
    ['alice', []],
    ['alice@beta.example', ['alice']],
    ['Alice@SECOND.example', ['alice']],
    ['alice@acme.example.org', []],
    ['alice@mail.example', ['alice']],
    ['nobody', []],
    ['robot', []],
    ['shut', []],
    ['idle', []],
    ['@beta.example', []],
    ['alice@', []],
  ])('take %j as %j', async (input, ids) => {
    expect((await ask(input)).signs_in_as).toEqual(ids);
  });

  it('answer why an old username still works: its verified e-mail does, which SQL on the profile does not change', async () => {
    const answer = await ask('admin@acme.example.org');
    expect(answer.signs_in_as).toEqual(['seed']);
    expect(answer.candidates).toMatchObject([
      { id: 'seed', instance: 'i1', org: 'acme', rule: 'verified_email', matched: true },
      { id: 'seed', rule: 'former_login_name', matched: false },
    ]);
    expect(answer.candidates[1]?.why).toContain('was changed to dev@mail.example');
    expect(trapsIn(answer)).toContain('changed_by_hand');
    expect(answer.other).toEqual({ login: 'v2', signs_in_as: [], outcome: 'registration' });
  });

  it('find nobody by the address that SQL wrote into the profile, but Login v2 does', async () => {
    await zitadel.run(
      "update projections.users14_humans set email = 'hand@mail.example' where user_id = 'seed'",
    );
    expect(await ask('hand@mail.example')).toMatchObject({ signs_in_as: [], outcome: 'not_found' });
    expect((await ask('hand@mail.example', { login: 'v2' })).signs_in_as).toEqual(['seed']);
  });

  it('go on taking the old e-mail while the new one is not verified', async () => {
    expect((await ask('old@mail.example')).signs_in_as).toEqual(['moving']);
    const fresh = await ask('new@mail.example');
    expect(fresh.signs_in_as).toEqual([]);
    expect(trapsIn(fresh)).toContain('old_email_still_works');
  });

  it('take no unverified e-mail', async () => {
    const answer = await ask('late@mail.example');
    expect(answer.signs_in_as).toEqual([]);
    expect(trapsIn(answer)).toContain('unverified_email');
  });

  it('sign in nobody by an e-mail that several have', async () => {
    const answer = await ask('twin@mail.example');
    expect(answer).toMatchObject({ signs_in_as: [], outcome: 'not_found' });
    expect(byRule(answer, 'verified_email').map(({ id, matched }) => [id, matched])).toEqual([
      ['twin1', false],
      ['twin2', false],
    ]);
    expect(trapsIn(answer)).toContain('several_hits');
  });

  it('prefer a login name to the e-mail of another user', async () => {
    const answer = await ask('box@mail.example');
    expect(answer.signs_in_as).toEqual(['named']);
    expect(byRule(answer, 'verified_email')).toMatchObject([{ id: 'boxed', matched: false }]);
    expect(trapsIn(answer)).toContain('another_users_email');
  });

  it('take no e-mail where one organisation has switched that off', async () => {
    const answer = await ask('nomail@mail.example');
    expect(answer.signs_in_as).toEqual([]);
    expect(byRule(answer, 'verified_email')[0]?.why).toContain('disable_login_with_email');
    expect(trapsIn(answer)).toContain('email_login_off');
    expect((await ask('nomail')).signs_in_as).toEqual(['nomail']);
  });

  it('offer registration instead of naming the lock of a user whose suffix is a verified domain', async () => {
    const led = await ask('locked@acme.example.org');
    expect(led).toMatchObject({ signs_in_as: [], outcome: 'registration' });
    expect(byRule(led, 'domain_discovery')).toMatchObject([{ id: null, org: 'acme', matched: true }]);
    expect(trapsIn(led)).toContain('locked');
    expect((await ask('shut')).outcome).toBe('locked');
    expect((await ask('idle')).outcome).toBe('inactive');
  });

  it('find nobody whose row was removed by SQL, and name it', async () => {
    await zitadel.run(`select made.human('i1', 'acme', 'lost', 'lost', 'lost@mail.example');
      delete from projections.users14 where id = 'lost'; select made.caught_up('i1')`);
    const answer = await ask('lost');
    expect(answer.signs_in_as).toEqual([]);
    expect(answer.traps).toMatchObject([{ trap: 'changed_by_hand' }]);
    expect(answer.traps[0]?.text).toContain('no row in the projection of users');
  });

  it('refuse a machine', async () => {
    const answer = await ask('robot');
    expect(answer.outcome).toBe('machine');
    expect(trapsIn(answer)).toContain('machine');
  });

  it('take neither a former name nor one whose domain was claimed', async () => {
    const claimed = await ask('carol@claim.example');
    expect(claimed.signs_in_as).toEqual([]);
    expect(byRule(claimed, 'former_login_name')).toMatchObject([{ id: 'claimed', matched: false }]);
    expect(trapsIn(claimed)).toContain('domain_claimed');
    const taken = await ask('popular');
    expect(taken.signs_in_as).toEqual(['second']);
    expect(byRule(taken, 'former_login_name')).toMatchObject([{ id: 'first', matched: false }]);
    expect(trapsIn(taken)).toContain('old_name_taken');
  });

  it('take no name with a domain that was removed', async () => {
    const answer = await ask('gone@former.example');
    expect(answer.signs_in_as).toEqual([]);
    expect(trapsIn(answer)).toEqual(expect.arrayContaining(['removed_domain', 'must_be_domain']));
  });

  it('say in which case a name is stored', async () => {
    expect(trapsIn(await ask('aNN'))).toContain('case');
    expect(trapsIn(await ask('Ann'))).not.toContain('case');
  });
});

describe('events that the projections have not taken in', () => {
  const RENAMED = `select made.human('i1', 'acme', 'fresh', 'fresh', 'fresh@mail.example'); select made.caught_up('i1');
    select made.event('i1', 'user', 'fresh', 'user.username.changed', 'acme', '{"userName": "fresher"}');`;

  it('are waited for, as a running server takes them in', async () => {
    await zitadel.run(RENAMED);
    const waits: number[] = [];
    const wait = async (ms: number): Promise<void> => {
      if (waits.push(ms) < 2) return;
      await zitadel.run(`update projections.users14 set username = 'fresher' where id = 'fresh';
        update projections.login_names3_users set user_name = 'fresher' where id = 'fresh'; select made.caught_up('i1');`);
    };
    const answer = await explain('fresh', { database: zitadel.url }, wait);
    expect([answer.signs_in_as, waits]).toEqual([[], [300, 300]]);
    expect(byRule(answer, 'former_login_name')).toMatchObject([{ id: 'fresh' }]);
  });

  it('are said where they stay behind', async () => {
    await zitadel.run(
      `select made.event('i1', 'user', 'fresh', 'user.username.changed', 'acme', '{"userName": "stale"}');`,
    );
    let waits = 0;
    const answer = await explain('fresher', { database: zitadel.url }, () => {
      waits += 1;
      return Promise.resolve();
    });
    expect([answer.signs_in_as, waits, trapsIn(answer)]).toEqual([['fresh'], 4, ['projection_behind']]);
    await zitadel.run("select made.caught_up('i1')");
  });
});

describe('in the scope of an organisation', () => {
  it.each([
    ['alice', 'id', []],
    ['alice@beta.example', 'id', ['alice']],
    ['alice', 'domain', ['alice']],
    ['alice@beta.example', 'domain', []],
    ['alice@mail.example', 'domain', ['alice']],
    ['Ann', 'id', []],
  ] as const)('beta, %s by %s is %j', async (input, orgScope, ids) => {
    expect((await ask(input, { org: 'beta', orgScope })).signs_in_as).toEqual(ids);
  });

  it('nothing is appended by the built-in pages where the policy does not demand it, and by Login v2 all the same', async () => {
    const scope = { org: 'acme.example.org', orgScope: 'domain' } as const;
    expect((await ask('Ann', scope)).signs_in_as).toEqual(['ann']);
    expect((await ask('Ann', { ...scope, login: 'v2' })).signs_in_as).toEqual([]);
  });
});

describe('Login v2', () => {
  it.each([
    ['Ann', ['ann'], 'signs_in'],
    ['late@mail.example', ['late'], 'signs_in'],
    ['new@mail.example', ['moving'], 'signs_in'],
    ['old@mail.example', [], 'not_found'],
    ['twin@mail.example', [], 'several'],
    ['robot', [], 'machine'],
    ['shut', [], 'locked'],
    ['nomail@mail.example', [], 'refused'],
    ['NOMAIL', [], 'refused'],
    ['nomail', ['nomail'], 'signs_in'],
    ['someone@beta.example', [], 'registration'],
    ['someone@second.example', [], 'not_found'],
  ])('takes %j as %j: %s', async (input, ids, outcome) => {
    expect(await ask(input, { login: 'v2' })).toMatchObject({ signs_in_as: ids, outcome });
  });

  it('is what is explained where the instance requires it', async () => {
    await zitadel.run(
      `insert into projections.instance_features5 values ('i1', 'login_v2', now(), now(), 1, '{"required": true}')`,
    );
    expect((await ask('Ann')).login).toBe('v2');
    await zitadel.run('delete from projections.instance_features5');
    expect((await ask('Ann')).login).toBe('v1');
  });
});

describe('a server that stalls', () => {
  it('is waited for no longer than its statements may take, and keeps no process alive', async () => {
    const proxy = await silentProxy(zitadel.url, 'pg_catalog.pg_class');
    const opening = { database: proxy.url, statementTimeoutMs: 100, graceMs: 100 };
    await expect(withZitadelDatabase(opening, () => Promise.resolve())).rejects.toThrow(
      /127\.0\.0\.1:\d+\/.*no answer for 1 s/,
    );
    await proxy.ended;
    await proxy.close();
  });
});

describe('the command', () => {
  const login = (...args: readonly string[]) =>
    sallyport({ ZITADEL_DATABASE_URL: zitadel.url }, 'zitadel', 'login-names', ...args);

  it('exits 0 where somebody signs in, 1 where nobody does, and has the keys of its contract', async () => {
    const found = await login('explain', 'ann', '--json');
    expect(found).toMatchObject({ code: 0, stderr: '' });
    expect(JSON.parse(found.stdout)).toMatchObject({
      signs_in_as: ['ann'],
      policy: { org: 'acme', must_be_domain: false },
      candidates: [{ id: 'ann', instance: 'i1', org: 'acme', rule: 'login_name', matched: true }],
    });
    const nobody = await login('explain', 'nobody', '--json');
    expect(nobody.code).toBe(1);
    expect(JSON.parse(nobody.stdout)).toMatchObject({ signs_in_as: [], candidates: [] });
  });

  it.each([
    ['ann', 'v1'],
    ['locked@acme.example.org', 'v1'],
    ['gone@former.example', 'v1'],
    ['twin@mail.example', 'v1'],
    ['new@mail.example', 'v2'],
  ] as const)('as JSON has no other keys, and loses no trap: %s, %s', async (input, login) => {
    const explained = await ask(input, { login });
    const json = explanationJson(explained);
    expect(Object.keys(json)).toEqual(['signs_in_as', 'policy', 'candidates']);
    for (const each of json.candidates)
      expect(Object.keys(each)).toEqual(['id', 'instance', 'org', 'rule', 'matched', 'why']);
    const text = JSON.stringify(json);
    for (const trap of explained.traps) expect(text).toContain(JSON.stringify(trap.text).slice(1, -1));
  });

  it('as JSON says by what the pages find somebody', async () => {
    const takes = async (input: string, options: ExplainOptions) =>
      explanationJson(await ask(input, options)).policy.takes;
    expect(await takes('ann', { login: 'v1' })).toEqual(['login_name', 'verified_email', 'phone']);
    expect(await takes('ann', { login: 'v2' })).toEqual(['login_name', 'email', 'phone']);
    expect(await takes('nomail', { login: 'v1' })).toEqual(['login_name', 'phone']);
  });

  it('refuses a scope without an organisation, and an organisation that is not there', async () => {
    expect((await login('explain', 'ann', '--org-scope', 'id')).code).toBe(2);
    const unknown = await login('explain', 'ann', '--org', 'nowhere');
    expect(unknown).toMatchObject({ code: 1 });
    expect(unknown.stderr).toContain('nowhere');
  });

  it('lists every name of a user, the primary one first', async () => {
    const listed = await login('list', 'alice', '--json');
    expect(JSON.parse(listed.stdout)).toEqual({ names: ['alice@beta.example', 'alice@second.example'] });
    expect((await login('list', 'ann@mail.example')).stdout).toContain('Ann (primary)');
    expect(await login('list', 'nobody')).toMatchObject({ code: 1 });
    const all = JSON.parse((await login('list', '--json')).stdout) as { names: string[]; users: unknown[] };
    expect(all.names).toContain('alice@second.example');
    expect(all.names).toHaveLength(all.users.length + 2);
  });

  it('needs a database, and one of Zitadel', async () => {
    expect((await sallyport({}, 'zitadel', 'login-names', 'explain', 'a')).stderr).toContain(
      'ZITADEL_DATABASE_URL',
    );
    const wrong = await sallyport({}, 'zitadel', 'login-names', 'list', '--database', 'mysql://secret@h/x');
    expect(wrong.stderr).toContain('--database is not a postgres:// URL');
    expect(wrong.stderr).not.toContain('secret');
  });
});
