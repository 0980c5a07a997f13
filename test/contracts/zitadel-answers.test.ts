import { describe, expect, it } from 'vitest';
import { openZitadelDirectory } from '../../shared/adapters/zitadel/directory.ts';
import type { Creation, NewPerson } from '../../shared/ports/directory.ts';
import type { Call, Exchange, Reply } from '../../shared/ports/runtime.ts';
import { recorded, recordingsMissing, type Recorded } from './recordings.ts';

const ID = '018f3a5e-7c1a-7b3c-8d2e-1f2a3b4c5d6e';
const HASH = '$2b$10$Vd7S1b8ZTOuVVXQ8nTqCPumZmFLSKU0KKUUPPAaowab6hA/5ZA/gq';
const PERSON: NewPerson = {
  id: ID,
  mail: 'alice@example.org',
  mailVerified: true,
  displayName: 'Alice Example',
  tenant: { id: '401533973655784486', slug: 'acme' },
};

const noted = (file: string, note: string): Recorded => {
  const found = recorded(`zitadel/${file}`).find((line) => line.note === note);
  if (found === undefined) throw new Error(`no exchange ${note}`);
  return found;
};
const replyOf = ({ response }: Recorded): Reply => ({
  status: response?.status ?? 0,
  headers: {},
  text: JSON.stringify(response?.body),
});
const reply = (status: number, body: unknown): Reply => ({ status, headers: {}, text: JSON.stringify(body) });
const CREATED = reply(200, { id: ID, creationDate: '2026-01-01T00:00:00Z' });

/** The adapter over answers that were recorded. */
function opened(
  answer: (call: Call, sent: Record<string, unknown>) => Reply,
  issuer = 'https://auth.example.org',
) {
  const calls: { readonly path: string; readonly sent: Record<string, unknown> }[] = [];
  const exchange: Exchange = async (call) => {
    const sent = JSON.parse(call.body ?? '{}') as Record<string, unknown>;
    calls.push({ path: `${call.method} ${new URL(call.url).pathname}`, sent });
    return answer(call, sent);
  };
  const url = 'https://auth.example.org';
  const config = {
    ...({ provider: 'zitadel', tenancy: 'organisations' } as const),
    ...{ issuer, url, token: 'token', organization: null, projectId: null },
  };
  return { directory: openZitadelDirectory(config, { exchange, clock: Date }), calls };
}

describe.skipIf(recordingsMissing)(
  "what Zitadel's recorded answers mean (needs ../shared/recordings)",
  () => {
    const creation = async (line: Recorded, person: NewPerson = PERSON): Promise<Creation | undefined> =>
      (await opened(() => replyOf(line)).directory.create([person]))[0];

    it.each([
      ['e-mail "x"', { outcome: 'refused', field: 'mail' }],
      ['e-mail "x@exämple.com"', { outcome: 'refused', field: 'mail' }],
      ['e-mail 202', { outcome: 'refused', field: 'mail' }],
      ['no e-mail', { outcome: 'refused' }],
      ['empty given name', { outcome: 'refused', field: 'displayName' }],
      ['unknown organisation', { outcome: 'refused', field: 'tenant' }],
      ['no organisation', { outcome: 'refused', field: 'tenant' }],
      ['userId 201', { outcome: 'refused', field: 'id' }],
      ['username 201', { outcome: 'refused', field: 'name' }],
      ['password over 72 bytes', { outcome: 'refused', field: 'password' }],
      ['other id, same username', { outcome: 'clash', fields: ['name'] }],
      ['userId uuid', { outcome: 'created', password: 'none', name: 'alice@example.org' }],
    ])('04-import.jsonl: %s', async (note, outcome) => {
      expect(await creation(noted('04-import.jsonl', note))).toMatchObject(outcome);
    });

    it('rights that lack are denied, as a token is that does not count', async () => {
      const viewer = noted('07-setup.jsonl', 'IAM_OWNER_VIEWER creates a user');
      expect(await creation(viewer)).toMatchObject({ outcome: 'denied' });
      expect(await creation(noted('02-tokens.jsonl', 'garbage at the API'))).toMatchObject({
        outcome: 'denied',
      });
    });

    it('a taken id is read: the same person exists, one elsewhere or a machine clashes', async () => {
      const taken = replyOf(noted('04-import.jsonl', 'same id, same username'));
      const shown = noted('05-invites.jsonl', 'state before an invitation');
      const of = (person: NewPerson, read = replyOf(shown)) =>
        opened(({ method }) => (method === 'GET' ? read : taken)).directory.create([person]);
      expect(await of(PERSON)).toMatchObject([
        { outcome: 'exists', person: { name: 'inv.a.a', mail: 'inv.a.a@example.com', state: 'active' } },
      ]);
      const elsewhere = { ...PERSON, tenant: { id: 'other', slug: 'other' } };
      expect(await of(elsewhere)).toEqual([{ outcome: 'clash', fields: ['id', 'tenant'] }]);
      const machine = reply(200, { user: { userId: ID, details: { resourceOwner: 'x' }, machine: {} } });
      expect(await of(PERSON, machine)).toEqual([{ outcome: 'clash', fields: ['id'] }]);
      const gone = replyOf(noted('01-actions-v2.jsonl', 'get a deleted one'));
      expect(await of(PERSON, gone)).toMatchObject([{ outcome: 'busy' }]);
    });

    it("a username that another tenant's user has gives way to one with the tenant's slug", async () => {
      const taken = replyOf(noted('04-import.jsonl', 'other id, same username'));
      const { directory, calls } = opened((_call, sent) =>
        sent['username'] === PERSON.mail ? taken : CREATED,
      );
      expect(await directory.create([PERSON])).toMatchObject([
        { outcome: 'created', name: 'acme/alice@example.org' },
      ]);
      expect(calls).toHaveLength(2);
    });

    it.each(['new 2x', 'new 2b_04', 'new sha512', 'new trunc'])(
      'a hash that it refuses is left out, and flagged: %s',
      async (note) => {
        const refused = replyOf(noted('04-import.jsonl', note));
        const { directory } = opened((_call, { human }) =>
          'hashedPassword' in (human as object) ? refused : CREATED,
        );
        expect(await directory.create([{ ...PERSON, passwordHash: HASH }])).toMatchObject([
          { outcome: 'created', password: 'refused' },
        ]);
      },
    );

    it('an unverified address is not verified, and no mail is sent of it', async () => {
      const { directory, calls } = opened(() => CREATED);
      await directory.create([PERSON, { ...PERSON, mailVerified: false }]);
      const mails = calls.map(({ sent }) => (sent['human'] as { email: unknown }).email);
      expect(mails).toEqual([
        { email: PERSON.mail, isVerified: true },
        { email: PERSON.mail, returnCode: {} },
      ]);
    });

    it('what is done already counts as done', async () => {
      const twice = opened(() => replyOf(noted('01-actions-v2.jsonl', 'deactivate twice')));
      expect(await twice.directory.disable(ID)).toMatchObject({ outcome: 'done' });
      const gone = opened(() => replyOf(noted('01-actions-v2.jsonl', 'delete twice')));
      expect(await gone.directory.delete(ID)).toEqual({ outcome: 'absent' });
    });

    it('an organisation that is there by its id exists; a name that is taken gets the slug beside it', async () => {
      const tenant = { id: 'acme-a', slug: 'acme', name: 'Acme' };
      const there = opened(() => replyOf(noted('07-setup.jsonl', 'own organizationId AGAIN')));
      expect(await there.directory.ensureGroup(tenant, 'member')).toMatchObject({ outcome: 'exists' });
      const taken = replyOf(noted('07-setup.jsonl', ' AGAIN'));
      const { directory, calls } = opened((_call, { name }) =>
        name === 'Acme' ? taken : replyOf(noted('07-setup.jsonl', 'own organizationId')),
      );
      expect(await directory.ensureGroup(tenant, 'member')).toMatchObject({ outcome: 'created' });
      expect(calls.map(({ sent }) => sent['name'])).toEqual(['Acme', 'Acme (acme)']);
    });

    it('a code is a link to the page of the sign-in in force; who has a password needs none', async () => {
      const code = reply(200, { details: { resourceOwner: 'org1' }, inviteCode: 'ABC123' });
      const link = async (features: unknown, status = 200): Promise<string> => {
        const { directory } = opened(({ method }) => (method === 'GET' ? reply(status, features) : code));
        const invitation = await directory.invite(ID, 3_600);
        return invitation.outcome === 'link' ? invitation.url : invitation.outcome;
      };
      const query = `userId=${ID}&organization=org1&code=ABC123&invite=true`;
      const own = recorded('zitadel/07-setup.jsonl').find(
        ({ request }) => request?.path === '/v2/features/instance',
      );
      expect(await link(own?.response?.body)).toBe(`https://auth.example.org/ui/v2/login/verify?${query}`);
      const after = noted('07-setup.jsonl', 'after').response?.body;
      expect(await link(after)).toBe(`http://localhost:3009/ui/v2/login/verify?${query}`);
      expect(await link({})).toBe(
        `https://auth.example.org/ui/login/user/invite?userID=${ID}&orgID=org1&code=ABC123`,
      );
      expect(await link({}, 403)).toBe(`https://auth.example.org/ui/v2/login/verify?${query}`);
      const has = opened(() => replyOf(noted('05-invites.jsonl', 'invite after a password')));
      expect(await has.directory.invite(ID, 3_600)).toEqual({ outcome: 'initialised' });
      const nobody = opened(() => replyOf(noted('05-invites.jsonl', 'unknown user')));
      expect(await nobody.directory.invite(ID, 3_600)).toEqual({ outcome: 'absent' });
    });

    it('a grant that was made meanwhile is read again, as lists lag behind', async () => {
      let looks = 0;
      const exchange: Exchange = async ({ url }) => {
        if (url.endsWith('/CreateAuthorization'))
          return reply(409, { code: 'already_exists', message: 'User grant already exists (V3-DKcYh)' });
        if (!url.endsWith('/ListAuthorizations')) return reply(500, {});
        looks += 1;
        const authorizations = [{ id: 'a1', user: { id: ID }, roles: [{ key: 'tenant_acme_users' }] }];
        return reply(200, looks === 1 ? {} : { authorizations });
      };
      const directory = openZitadelDirectory(
        {
          ...({ provider: 'zitadel', tenancy: 'roles', organization: 'o', projectId: 'p' } as const),
          ...{ issuer: 'https://auth.example.org', url: 'https://auth.example.org', token: 't' },
        },
        { exchange, clock: Date },
      );
      const group = { id: ID, name: 'tenant_acme_users' };
      expect(await directory.addMembers(group, [ID])).toEqual({ outcome: 'done', absent: [] });
      expect(looks).toBe(2);
    });

    it('never calls a username alone a change, which Zitadel does not know', async () => {
      const shown = reply(200, {
        user: {
          ...{ userId: ID, username: 'alice@example.org', details: { resourceOwner: 'x' } },
          human: { email: { email: 'alice@example.org' } },
        },
      });
      const { directory, calls } = opened(({ method }) => (method === 'GET' ? shown : reply(200, {})));
      await directory.update(ID, { mail: { address: 'new@example.org', verified: true } });
      expect(calls.at(-1)?.sent).toEqual({
        username: 'new@example.org',
        human: { email: { email: 'new@example.org', isVerified: true } },
      });
    });
  },
);

describe("an organisation's name", () => {
  const tenant = { id: ID, slug: 'nihon', name: '日本' };
  const problem = (status: number, id: string): Reply =>
    reply(status, { code: 3, message: `No (${id})`, details: [{ id, message: 'No' }] });

  it.each([
    ['refused, as one that makes no domain', problem(400, 'ORG-RrfXY')],
    ["another organisation's", problem(409, 'V3-DKcYh')],
  ])('that is %s gives way to one that will do', async (_what, refusal) => {
    for (const refused of [1, 2]) {
      const { directory, calls } = opened((_call, { name }) =>
        calls.length <= refused ? refusal : reply(201, { organizationId: ID, name }),
      );
      expect(await directory.ensureGroup(tenant, 'member')).toMatchObject({ outcome: 'created' });
      const names = calls.map(({ sent }) => sent['name']);
      expect(names).toEqual(['日本', '日本 (nihon)', `tenant ${ID}`].slice(0, refused + 1));
    }
  });

  it('is never longer than Zitadel takes', async () => {
    const { directory, calls } = opened(() => problem(409, 'V3-DKcYh'));
    const long = { ...tenant, slug: 's'.repeat(100), name: 'n'.repeat(255) };
    expect(await directory.ensureGroup(long, 'member')).toEqual({ outcome: 'clash', fields: ['name'] });
    for (const { sent } of calls) expect(String(sent['name']).length).toBeLessThanOrEqual(200);
    expect(String(calls[1]?.sent['name'])).toMatch(/ \(s{100}\)$/);
  });
});
