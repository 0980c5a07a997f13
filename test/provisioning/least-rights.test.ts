import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startKanidm, type Kanidm } from '../../dev/kanidm/index.ts';
import { startZitadel, type Zitadel } from '../../dev/zitadel/index.ts';
import { sql } from '../../shared/ports/database.ts';
import { DATABASE, type MigratedDatabase } from '../support/databases.ts';
import { sallyport, type Variables } from '../support/sallyport.ts';
import { groundOn } from './ground.ts';

let db: MigratedDatabase;
let kanidm: Kanidm;
let zitadel: Zitadel;
beforeAll(async () => {
  [db, kanidm, zitadel] = await Promise.all([DATABASE.start(), startKanidm(), startZitadel()]);
});
afterAll(() => Promise.all([db.close(), kanidm.close(), zitadel.close()]));

const atKanidm = (token: string): Variables => ({
  DATABASE_URL: db.url,
  KANIDM_URL: kanidm.url,
  KANIDM_ISSUER_URL: kanidm.issuer('api'),
  KANIDM_TOKEN: token,
});
const atZitadel = (): Variables => ({
  DATABASE_URL: db.url,
  ZITADEL_ISSUER_URL: zitadel.url,
  ZITADEL_PROVISIONING_TOKEN: zitadel.token,
});

async function run(variables: Variables, line: string) {
  const { code, stdout, stderr } = await sallyport(variables, ...line.split(' '));
  const last = line.includes('--json') ? stdout.trim().split('\n').at(-1) : undefined;
  return {
    code,
    stdout,
    stderr,
    last: last === undefined ? {} : (JSON.parse(last) as Record<string, unknown>),
  };
}

/** Tenants of their own for a test, without those of others. */
async function people(slug: string, mails: readonly string[]): Promise<void> {
  await db.database.execute(sql`delete from sallyport_runs`);
  await db.database.execute(sql`delete from tenants`);
  const { addTenant, addUser } = groundOn(db.database);
  await addTenant(slug);
  for (const email of mails) await addUser({ tenant: slug, email });
}

const headersOf = () => ({ authorization: `Bearer ${kanidm.token}`, 'content-type': 'application/json' });

/** By somebody else, at Kanidm itself. */
async function addPerson(attrs: Readonly<Record<string, readonly string[]>>): Promise<void> {
  const person = { method: 'POST', headers: headersOf(), body: JSON.stringify({ attrs }) };
  expect((await fetch(`${kanidm.url}/v1/person`, person)).status).toBe(200);
}

describe('a service account with fewer rights', () => {
  it.each([
    { rights: ['idm_people_admins'], named: 'kanidm group add-members idm_group_admins sallyport_prov' },
    { rights: ['idm_group_admins'], named: 'kanidm group add-members idm_people_admins sallyport_prov' },
    {
      rights: ['idm_people_admins', 'idm_group_admins'],
      mayWrite: false,
      named: 'api-token generate --readwrite sallyport_prov',
    },
  ] as const)(
    'Kanidm, $rights: preview and run refuse, and the command that mends it is named: $named',
    async ({ rights, named, ...more }) => {
      await people('lacking', ['lacking@example.org']);
      await run(atKanidm(kanidm.token), 'tenants sync');
      const variables = atKanidm(kanidm.tokenWith(rights, 'mayWrite' in more ? more.mayWrite : true));
      for (const line of ['users provision --dry-run', 'users provision', 'users reconcile']) {
        const { code, stderr } = await run(variables, line);
        expect([line, code]).toEqual([line, 1]);
        expect(stderr).toContain(named);
      }
    },
  );

  it('without the recycle bin a removed person fails with name and date, in the preview as in the run; with it they are back', async () => {
    await people('bin', ['bin@example.org']);
    const without = atKanidm(kanidm.tokenWith(['idm_people_admins', 'idm_group_admins']));
    await run(without, 'tenants sync');
    const made = await run(without, 'users provision --json');
    expect(made).toMatchObject({ code: 0, last: { created: 1 } });
    expect((await run(without, `users rollback ${String(made.last['run'])}`)).code).toBe(0);
    const preview = await run(without, 'users provision --dry-run --json');
    const refused = await run(without, 'users provision --json');
    expect(refused.code).toBe(1);
    expect(preview.last).toEqual({ ...refused.last, run: null, dry_run: true });
    for (const { stdout } of [preview, refused])
      expect(stdout).toMatch(/bin@example\.org.*it is free at 20\d\d-\d\d-\d\dT/);
    expect(await run(atKanidm(kanidm.token), 'users provision --json')).toMatchObject({
      code: 0,
      last: { created: 1, failed: 0 },
    });
  });

  it('who comes back from the bin has the address, name and groups of today, and none of another tenant', async () => {
    await people('moved', ['moved@example.org']);
    const variables = atKanidm(kanidm.token);
    const { addTenant } = groundOn(db.database);
    const birch = await addTenant('birch');
    await run(variables, 'tenants sync');
    const made = await run(variables, 'users provision --json');
    await run(variables, `users rollback ${String(made.last['run'])}`);
    await db.database.execute(
      sql`update users set tenant_id = ${birch}, email = 'now@example.org', full_name = 'Named Now'`,
    );
    expect(await run(variables, 'users provision --json')).toMatchObject({ code: 0, last: { created: 1 } });
    expect(await run(variables, 'users reconcile --json')).toMatchObject({ code: 0, last: { left: 0 } });
  });

  it('one whose address of today another account has is a collision, and stays deleted', async () => {
    await people('clash', ['clash@example.org']);
    const variables = atKanidm(kanidm.token);
    await run(variables, 'tenants sync');
    const made = await run(variables, 'users provision --json');
    await run(variables, `users rollback ${String(made.last['run'])}`);
    const [row] = await groundOn(db.database).rows();
    await addPerson({ name: ['another'], displayname: ['Another'], mail: ['taken@example.org'] });
    await db.database.execute(sql`update users set email = 'taken@example.org'`);
    expect(await run(variables, 'users provision --json')).toMatchObject({
      code: 0,
      last: { created: 0, collisions: 1 },
    });
    expect(kanidm.store.find(row!.user_id)).toBeUndefined();
  });

  it('an account that others have deleted is held for a week at the latest, and the date is there all the same', async () => {
    await people('others', ['others@example.org']);
    const without = atKanidm(kanidm.tokenWith(['idm_people_admins', 'idm_group_admins']));
    await run(without, 'tenants sync');
    const [row] = await groundOn(db.database).rows();
    await addPerson({ name: ['others'], displayname: ['Others'], uuid: [row!.user_id] });
    await fetch(`${kanidm.url}/v1/person/${row!.user_id}`, { method: 'DELETE', headers: headersOf() });
    const { code, stdout } = await run(without, 'users provision');
    expect(code).toBe(1);
    expect(stdout).toMatch(/others@example\.org: .*it is free at 20\d\d-\d\d-\d\dT\S+ at the latest/);
  });
});

describe('a preview', () => {
  const ODD = [
    'plain@example.org',
    'x@exämple.org',
    'zoë@example.org',
    '.a@example.org',
    'a..b@example.org',
    'a@-b.org',
    'a@b-.org',
    'a@x..org',
    'a@@example.org',
    'a,b@example.org',
    `${'l'.repeat(65)}@example.org`,
    `h@${'h'.repeat(64)}.org`,
    'o+tag@example.org',
    "o'neil@example.org",
    'no address',
    'root',
  ];

  it.each([
    ['Kanidm', () => atKanidm(kanidm.token)],
    ['Zitadel', atZitadel],
  ] as const)(
    'refuses without groups as the run does, and counts odd addresses as the run then finds them, at %s',
    async (name, variables) => {
      await people(`odd-${name.toLowerCase()}`, ODD);
      const bare = await run(variables(), 'users provision --dry-run');
      expect(bare.code).toBe(1);
      expect(bare.stderr).toContain('sallyport tenants sync');
      await run(variables(), 'tenants sync');
      const preview = await run(variables(), 'users provision --dry-run --json');
      const done = await run(variables(), 'users provision --json');
      expect(preview.last).toEqual({ ...done.last, run: null, dry_run: true });
      expect(done.last).toMatchObject({ failed: 0 });
      expect(Number(done.last['refused'])).toBeGreaterThan(5);
    },
  );
});

describe('users show', () => {
  it('tells ended sessions from open ones, and has the invitations that were mailed', async () => {
    await people('shown', ['shown@example.org']);
    const template = sql`insert into sallyport_mail_templates (digest, content) values ('d', '{}') on conflict do nothing`;
    await db.database.execute(template);
    await db.database.execute(sql`
      insert into sallyport_outbox (message_id, kind, template, recipient, user_id, status, finished_at)
      select '<' || user_id || '@example.org>', 'invitation', 'd', email, user_id, 'sent', now() from users`);
    await db.database.execute(sql`
      insert into sessions (user_id, tenant_id, auth_method, access_token_hash, refresh_token_hash, access_token_expires_at,
        refresh_token_expires_at, revoked, revoked_reason)
      select user_id, tenant_id, 'jwt', n::text, n::text, now(), now() + interval '1 day' * n, n = 1, case when n = 1 then 'logout' end
      from users, generate_series(0, 2) n`);
    const { stdout } = await run({ DATABASE_URL: db.url }, 'users show shown@example.org');
    expect(
      stdout
        .match(/^session .*$/gm)
        ?.map((line) => line.replace(/^.* jwt +/, ''))
        .sort(),
    ).toEqual(['ended: expired', 'ended: logout', 'open']);
    expect(stdout).toMatch(/^invited {3}\S+ invitation sent$/m);
  });
});
