// Long because each thing that verify finds has its case.
import { execFile } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { withZitadelDatabase } from '../../cli/zitadel/database/open.ts';
import { explain } from '../../cli/zitadel/names/explain.ts';
import { verified, type VerifyCommand } from '../../cli/zitadel/verify/command.ts';
import type { Verification } from '../../cli/zitadel/verify/verification.ts';
import { sql } from '../../shared/ports/database.ts';
import { postgresBinaries, postgresMissing } from '../services/postgres.ts';
import { sallyport, type Variables } from '../support/sallyport.ts';
import { madeZitadel, type MadeZitadel } from './made.ts';
import {
  RECORDED_ARCHIVE,
  RECORDED_DUMP,
  RECORDED_MASTERKEY,
  recordedMissing,
  recordedZitadel,
} from './recorded.ts';

const run = promisify(execFile);

const verify = (database: string, options: VerifyCommand = {}): Promise<Verification> =>
  verified({ database, ...options });

async function verifyAs(variables: Variables, ...args: readonly string[]) {
  const { code, stdout, stderr } = await sallyport(variables, 'zitadel', 'verify', '--json', ...args);
  return { code, stderr, report: JSON.parse(stdout) as Verification };
}

const PEOPLE = `
  select made.instance('i1', 'id.example.org', 'acme');
  select made.org('i1', 'acme', 'acme.example.org');
  select made.human('i1', 'acme', 'u' || n, 'user' || n, 'user' || n || '@mail.example') from generate_series(1, 20) n;
  select made.machine('i1', 'acme', 'm1', 'robot');
  select made.caught_up('i1');`;

const found = ({ differs }: Verification): string[] =>
  differs.map(
    ({ what, found: text, samples }) =>
      `${what}: ${text}${samples.length === 0 ? '' : ` (${samples.join(' ')})`}`,
  );

describe('verify', () => {
  let zitadel: MadeZitadel;
  beforeEach(async () => {
    zitadel = await madeZitadel();
    await zitadel.run(PEOPLE);
  });
  afterEach(() => zitadel.close());

  it('finds nothing in a healthy database, whose idle projections stand far behind the head', async () => {
    await zitadel.run(
      "select made.event('i1', 'session', 's' || n, 'session.terminated', 'i1') from generate_series(1, 50) n",
    );
    expect(await verify(zitadel.url)).toMatchObject({
      ok: true,
      differs: [],
      counts: { users: 21, humans: 20, machines: 1, instances: 1 },
    });
  });

  it('names people whom somebody removed by hand, in each projection', async () => {
    await zitadel.run(
      "delete from projections.users14 where id = 'u3'; delete from projections.login_names3_users where id = 'u4'",
    );
    const { code, report } = await verifyAs({ ZITADEL_DATABASE_URL: zitadel.url });
    expect(code).toBe(1);
    expect(found(report)).toEqual([
      'projections.users14: 1 missing (u3)',
      'projections.login_names3_users: 1 missing (u4)',
      'projections.users14_humans: 1 missing (u3)',
      'projections.users14_notifications: 1 missing (u3)',
    ]);
  });

  it('does not miss who was removed by an event, nor people of a removed organisation', async () => {
    await zitadel.run(`
      select made.event('i1', 'user', 'u5', 'user.removed', 'acme');
      delete from projections.users14 where id = 'u5'; delete from projections.login_names3_users where id = 'u5';
      select made.org('i1', 'gone', 'gone.example'); select made.human('i1', 'gone', 'g1', 'g1', 'g1@mail.example');
      select made.event('i1', 'org', 'gone', 'org.removed', 'gone');
      delete from projections.users14 where id = 'g1'; delete from projections.login_names3_users where id = 'g1';
      delete from projections.orgs1 where id = 'gone'; select made.caught_up('i1')`);
    expect(found(await verify(zitadel.url))).toEqual([]);
  });

  it('names memberships that were removed by hand, but none that ended with its person or its organisation', async () => {
    await zitadel.run(`
      create table projections.org_members4 (user_id text, user_resource_owner text, instance_id text, org_id text, primary key (instance_id, org_id, user_id));
      select made.event('i1', 'instance', 'i1', 'instance.member.added', 'i1', jsonb_build_object('userId', 'u' || n)) from generate_series(1, 3) n;
      select made.event('i1', 'org', 'acme', 'org.member.added', 'acme', jsonb_build_object('userId', 'u' || n)) from generate_series(1, 4) n;
      select made.event('i1', 'org', 'acme', 'org.member.cascade.removed', 'acme', '{"userId": "u4"}');
      select made.org('i1', 'gone', 'gone.example'); select made.human('i1', 'gone', 'g1', 'g1', 'g1@mail.example');
      select made.event('i1', 'instance', 'i1', 'instance.member.added', 'i1', '{"userId": "g1"}');
      select made.event('i1', 'org', 'gone', 'org.member.added', 'gone', '{"userId": "u1"}');
      select made.event('i1', 'org', 'gone', 'org.removed', 'gone'), made.event('i1', 'user', 'u3', 'user.removed', 'acme');
      delete from projections.users14 where id in ('u3', 'g1'); delete from projections.login_names3_users where id in ('u3', 'g1');
      delete from projections.orgs1 where id = 'gone';
      insert into projections.instance_members4 select now(), now(), 'u' || n, 'acme', '{}', 1, 'i1', 'i1', 'i1' from generate_series(1, 2) n;
      insert into projections.org_members4 select 'u' || n, 'acme', 'i1', 'acme' from generate_series(1, 2) n;
      select made.caught_up('i1'); insert into projections.current_states (projection_name, instance_id, position) values ('projections.org_members4', 'i1', 2000000000)`);
    expect(found(await verify(zitadel.url))).toEqual([]);
    await zitadel.run(
      "delete from projections.instance_members4 where user_id = 'u1'; delete from projections.org_members4 where user_id = 'u2'; insert into projections.org_members4 values ('u9', 'acme', 'i1', 'acme')",
    );
    expect(found(await verify(zitadel.url))).toEqual([
      'projections.instance_members4: 1 missing (i1 u1)',
      'projections.org_members4: 1 missing (acme u2)',
      'projections.org_members4: 1 too many (acme u9)',
    ]);
  });

  it('names events that a projection has passed over, and notes those that failed for a time', async () => {
    await zitadel.run(`
      create table projections.failed_events (projection_name text);
      create table projections.failed_events2 (projection_name text, instance_id text, aggregate_type text, aggregate_id text,
        event_creation_date timestamptz, failed_sequence bigint, failure_count smallint, error text, last_failed timestamptz);
      insert into projections.failed_events2 values ('projections.users14', 'i1', 'user', 'u1', now(), 3, 5, 'no', now()),
        ('projections.orgs1', 'i1', 'org', 'acme', now(), 1, 2, 'no', now()),
        ('projections.notifications', 'i1', 'user', 'u2', now(), 4, 5, 'no mail server', now())`);
    const { ok, differs, notes } = await verify(zitadel.url);
    expect(ok).toBe(false);
    expect(differs).toMatchObject([
      {
        check: 'projections',
        what: 'projections.users14 of instance i1',
        found: '1 passed over after 5 attempts or more',
        samples: ['user u1 3'],
      },
    ]);
    expect(notes.filter(({ check }) => check === 'projections').map(({ what }) => what)).toEqual([
      'projections.notifications of instance i1',
      'projections.orgs1 of instance i1',
    ]);
  });

  it('finds rows that no event accounts for', async () => {
    await zitadel.run(
      "insert into projections.login_names3_users (id, user_name, resource_owner, instance_id) values ('ghost', 'ghost', 'acme', 'i1')",
    );
    expect(found(await verify(zitadel.url))).toEqual(['projections.login_names3_users: 1 too many (ghost)']);
  });

  it('names a projection that has not reduced the newest event of its types', async () => {
    await zitadel.run(
      "update projections.current_states set position = position - 3 where projection_name = 'projections.users14'",
    );
    expect((await verify(zitadel.url)).differs).toMatchObject([
      { check: 'projections', what: 'projections.users14 of instance i1' },
    ]);
  });

  it('notes names and addresses that were written by SQL, as they are lost some day', async () => {
    await zitadel.run("update projections.users14_humans set email = 'x@y.example' where user_id = 'u7'");
    const { ok, notes } = await verify(zitadel.url);
    expect(ok).toBe(true);
    expect(notes).toContainEqual(
      expect.objectContaining({ what: 'projections.users14_humans.email', samples: ['u7'] }),
    );
  });

  it('misses an active web key, and a domain that is not the external one', async () => {
    await zitadel.run('update projections.web_keys1 set state = 3');
    const variables = { ZITADEL_DATABASE_URL: zitadel.url, ZITADEL_EXTERNALDOMAIN: 'other.example.org' };
    const { report } = await verifyAs(variables);
    expect(report.differs.map(({ check }) => check)).toEqual(['web keys', 'domains']);
  });

  it('finds the tables of another release by their numbers, and names one that is not there', async () => {
    const other = await madeZitadel({
      reshape: (text) => text.replaceAll('users14', 'users17').replaceAll('login_names3', 'login_names4'),
    });
    await other.run(PEOPLE);
    await other.run(
      'create table projections.users9 (id text); create table projections.users18_old (id text)',
    );
    expect(await verify(other.url)).toMatchObject({
      ok: true,
      projections: { users: 'users17', login_names: 'login_names4' },
    });
    await other.run('drop table projections.login_policies5');
    await expect(explain('user1', { database: other.url })).rejects.toThrow(
      'projections.login_policies<number>',
    );
    await other.close();
  });

  it('says that a database is none of Zitadel', async () => {
    await zitadel.run('drop schema eventstore cascade');
    await expect(verify(zitadel.url)).rejects.toThrow('no database of Zitadel: it has no eventstore.events2');
  });

  it('lists the instances where there are several, and takes one by id or domain', async () => {
    await zitadel.run(`select made.instance('i2', 'second.example.org', 'org2'); select made.org('i2', 'org2', 'org2.example.org');
      select made.human('i2', 'org2', 'u1', 'user1', 'user1@mail.example'); select made.caught_up('i2')`);
    for (const args of [['verify'], ['login-names', 'explain', 'user1'], ['login-names', 'list']]) {
      const { code, stderr } = await sallyport({ ZITADEL_DATABASE_URL: zitadel.url }, 'zitadel', ...args);
      expect(code, args.join(' ')).toBe(2);
      expect(stderr).toMatch(/i1 .*id\.example\.org[^]*i2 .*second\.example\.org/);
    }
    expect(await verify(zitadel.url, { instance: 'SECOND.example.org' })).toMatchObject({
      counts: { users: 1 },
    });
    expect(await verify(zitadel.url, { instance: 'all' })).toMatchObject({
      counts: { users: 22, instances: 2 },
    });
    await expect(verify(zitadel.url, { instance: 'nowhere' })).rejects.toThrow('second.example.org');
  });

  it('writes nothing, not even by mistake', async () => {
    await expect(
      withZitadelDatabase({ database: zitadel.url }, ({ query }) =>
        query(sql`delete from projections.users14 returning id`, { parse: (row) => row }),
      ),
    ).rejects.toThrow('25006');
  });

  it('compares two databases row by row, and sets aside what has changed since', async () => {
    const copy = await madeZitadel();
    await copy.run(PEOPLE);
    const against = { against: copy.url };
    expect(found(await verify(zitadel.url, against))).toEqual([]);
    await zitadel.run(
      "select made.renamed('i1', 'u1', 'renamed'); select made.human('i1', 'acme', 'new', 'new', 'new@mail.example'); select made.caught_up('i1')",
    );
    const since = await verify(zitadel.url, against);
    expect(found(since)).toEqual([]);
    expect(since.notes.find(({ what }) => what === 'events')?.found).toContain('2 aggregates');
    await zitadel.run(
      "update projections.users14_humans set email = 'other@mail.example' where user_id = 'u2'; delete from eventstore.events2 where aggregate_id = 'u9' and sequence = 2",
    );
    const differing = await verify(zitadel.url, against);
    expect(differing.ok).toBe(false);
    expect(found(differing)).toEqual([
      'eventstore.events2: 46 events: 1 missing (user u9 2)',
      'projections.users14_humans: 19 rows: 1 changed (u2)',
    ]);
    await copy.close();
  });
});

describe.skipIf(postgresMissing)('verify against a dump (needs the postgresql package)', () => {
  it('reads it as it is, whatever the time zone it was made in', async () => {
    const zitadel = await madeZitadel();
    const folder = await mkdtemp(join(tmpdir(), 'sallyport-verify-'));
    try {
      await zitadel.run(PEOPLE);
      const file = join(folder, 'dump.sql');
      const { stdout } = await run(join(postgresBinaries, 'pg_dump'), [zitadel.url], {
        env: { ...process.env, PGTZ: 'Asia/Kolkata' },
        maxBuffer: 64 * 1024 * 1024,
      });
      expect(stdout).toContain('+05:30');
      await writeFile(file, stdout);
      expect(found(await verify(zitadel.url, { against: file }))).toEqual([]);
      await zitadel.run("delete from projections.users14 where id = 'u3'");
      expect(found(await verify(zitadel.url, { against: file }))).toContain(
        'projections.users14: 20 rows: 1 missing (u3)',
      );
      await writeFile(file, stdout.slice(0, stdout.length / 2));
      await expect(verify(zitadel.url, { against: file })).rejects.toThrow('is cut');
    } finally {
      await rm(folder, { recursive: true });
      await zitadel.close();
    }
  });
});

describe.skipIf(recordedMissing)(
  'verify on a recorded Zitadel v4 (needs ../shared/recordings and Postgres)',
  () => {
    let zitadel: MadeZitadel;
    beforeAll(async () => {
      zitadel = await recordedZitadel();
    });
    afterAll(() => zitadel.close());

    it.each([
      ['plain and gzipped', RECORDED_DUMP],
      ['custom', RECORDED_ARCHIVE],
    ])('finds nothing that differs from its dump, %s, and proves the masterkey', async (_form, dump) => {
      const variables = { ZITADEL_DATABASE_URL: zitadel.url, ZITADEL_MASTERKEY: RECORDED_MASTERKEY };
      const { code, report } = await verifyAs(variables, '--against', dump);
      expect(report).toMatchObject({
        ok: true,
        masterkey: 'fits',
        counts: { users: 959, humans: 941, machines: 18, events: 3442 },
      });
      expect(code).toBe(0);
      expect(report.notes).toMatchObject([
        { what: 'projections.users14_humans.email', found: '2 changed by SQL' },
      ]);
    });

    it('refuses a masterkey of another database', async () => {
      const variables = { ZITADEL_DATABASE_URL: zitadel.url, ZITADEL_MASTERKEY: 'x'.repeat(32) };
      const { code, report } = await verifyAs(variables);
      expect(report.masterkey).toBe('foreign');
      expect(report.next).toMatch(/^set ZITADEL_MASTERKEY .*; then run this again$/);
      expect(code).toBe(1);
    });
  },
);
