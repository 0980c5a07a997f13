import { describe, expect, it } from 'vitest';
import { openKanidmDirectory } from '../../shared/adapters/kanidm/directory.ts';
import type { Creation, NewPerson } from '../../shared/ports/directory.ts';
import type { Call, Exchange, Reply } from '../../shared/ports/runtime.ts';
import { webRandom } from '../../shared/runtime.ts';
import { exchanges, kanidmRecordingsMissing, type Exchanged } from './kanidm-recordings.ts';

const ID = '018f3a5e-7c1a-7b3c-8d2e-1f2a3b4c5d6e';
const PERSON: NewPerson = {
  id: ID,
  mail: 'alice@example.org',
  mailVerified: true,
  displayName: 'Alice',
  tenant: { id: ID, slug: 'acme' },
};

const replyOf = ({ status, response }: Pick<Exchanged, 'status' | 'response'>): Reply => ({
  status: status ?? 0,
  headers: {},
  text: JSON.stringify(response),
});
const NOTHING: Reply = { status: 200, headers: {}, text: 'null' };
const NO_ENTRIES: Reply = { status: 200, headers: {}, text: '{"entries":[]}' };
const NO_PERSON: Reply = { status: 404, headers: {}, text: '"nomatchingentries"' };

/** The adapter over answers that were recorded. */
function opened(answer: (call: Call) => Reply) {
  const calls: Call[] = [];
  const exchange: Exchange = async (call) => {
    calls.push(call);
    return answer(call);
  };
  const config = {
    provider: 'kanidm',
    issuer: 'https://idm.example.org/oauth2/openid/api',
    url: 'https://idm.example.org',
    token: 'token',
    syncToken: null,
  } as const;
  const directory = openKanidmDirectory(config, { exchange, clock: Date, random: webRandom() });
  return { directory, calls };
}

const noted = (file: string, note: string): Exchanged => {
  const found = exchanges(file).find((line) => line.note === note);
  if (found === undefined) throw new Error(`no exchange ${note}`);
  return found;
};

describe.skipIf(kanidmRecordingsMissing)(
  "what Kanidm's recorded answers mean (needs ../shared/recordings)",
  () => {
    const creation = async (
      recorded: Pick<Exchanged, 'status' | 'response'>,
    ): Promise<Creation | undefined> => {
      const { directory } = opened(({ method, url }) => {
        if (method === 'POST' && url.endsWith('/v1/person')) return replyOf(recorded);
        if (url.includes('/raw/search')) return NO_ENTRIES;
        return url.includes('/scim/v1/Person/') ? NO_PERSON : NOTHING;
      });
      return (await directory.create([PERSON]))[0];
    };

    it.each([
      ['same name', { outcome: 'clash', fields: ['name'] }],
      ['same mail', { outcome: 'clash', fields: ['mail'] }],
      ['group has that name', { outcome: 'clash', fields: ['name'] }],
      ["name 'bob@example.org'", { outcome: 'refused', field: 'name' }],
      ["name '1bob'", { outcome: 'refused', field: 'name' }],
      ["mail 'not-mail'", { outcome: 'refused', field: 'mail' }],
      ["mail 'x@exämple.org'", { outcome: 'refused', field: 'mail' }],
      ['empty displayname', { outcome: 'refused', field: 'displayName' }],
      ['displayname newline', { outcome: 'refused', field: 'displayName' }],
      ['bad date', { outcome: 'refused', field: null }],
      ['no displayname', { outcome: 'refused', field: null }],
      ['uuid reserved range', { outcome: 'denied' }],
      ['no name', { outcome: 'failed' }],
      // No entry under the id: deleted, and this token cannot read the recycle bin.
      ['same uuid', { outcome: 'held', until: null }],
      ['the first, own uuid', { outcome: 'created', password: 'none' }],
    ])('02_persons.jsonl: %s', async (note, outcome) => {
      expect(await creation(noted('02_persons.jsonl', note))).toMatchObject(outcome);
    });

    it('a database that is locked is a matter of time; a token that ran out is not', async () => {
      const locked = { status: 500, response: 'databaselockacquisitiontimeout' };
      expect(await creation(locked)).toMatchObject({ outcome: 'busy' });
      for (const note of ['expired api token writes', 'no token makes a person', 'person without rights'])
        expect(await creation(noted('01_auth.jsonl', note))).toMatchObject({ outcome: 'denied' });
    });

    it('a deleted person is revived where the bin is seen, and held until its week is over where that is refused', async () => {
      const bin = noted('02_persons.jsonl', 'one');
      const revive = (recorded: Pick<Exchanged, 'status' | 'response'>) =>
        opened(({ method, url }) => {
          if (url.endsWith('/_revive')) return replyOf(recorded);
          if (url.includes('/recycle_bin/')) return replyOf(bin);
          if (url.includes('/raw/search')) return NO_ENTRIES;
          return method === 'POST' ? replyOf(noted('02_persons.jsonl', 'same uuid')) : NO_PERSON;
        }).directory.create([PERSON]);
      const [held] = await revive(noted('02_persons.jsonl', 'revive as sa'));
      // The change id's time, 2026-11-28T01:17:16.705Z, and seven days.
      expect(held).toEqual({ outcome: 'held', until: new Date('2026-12-05T01:17:16.705Z') });
      const [taken] = await revive(noted('02b_persons_more.jsonl', 'revive while name and mail are taken'));
      expect(taken).toEqual({ outcome: 'clash', fields: ['mail', 'name'] });
    });

    it('a person is read with their groups by uuid, an absent one is none', async () => {
      const shown = noted('02_persons.jsonl', 'scim get');
      const { directory } = opened(() => replyOf(shown));
      expect(await directory.find([ID])).toMatchObject({
        outcome: 'found',
        people: [
          {
            id: '89d2780d-b75d-4131-b88e-2aa893b0130d',
            name: 'alice.b',
            displayName: 'Alice B.',
            mail: null,
            state: 'active',
            origin: 'local',
            groups: ['00000000-0000-0000-0000-000000000035', '00000000-0000-0000-0000-000000000036'],
          },
        ],
      });
      const absent = opened(() => replyOf(noted('02_persons.jsonl', 'scim get missing')));
      expect(await absent.directory.find([ID])).toEqual({ outcome: 'found', people: [] });
    });

    it('pages follow one another until all were shown', async () => {
      const page = noted('02_persons.jsonl', 'scim paging');
      const { directory, calls } = opened(() => replyOf(page));
      const first = await directory.list(null, null);
      expect(first).toMatchObject({ outcome: 'page', next: '3' });
      expect(first.outcome === 'page' && first.people.map(({ name }) => name)).toEqual(['p_onb', 'target0']);
      expect(await directory.list(null, '37')).toMatchObject({ next: null });
      expect(new URL(calls[1]!.url).searchParams.get('startIndex')).toBe('37');
    });

    it('a reset link carries its end, and names what a synced person lacks', async () => {
      const link = opened(() => ({
        status: 200,
        headers: {},
        text: '{"token":"abc","expiry_time":1795832281}',
      }));
      expect(await link.directory.invite(ID, 3_600)).toEqual({
        outcome: 'link',
        url: 'https://idm.example.org/ui/reset?token=abc',
        expiresAt: new Date(1_795_832_281_000),
      });
      const refused = opened(() => replyOf(noted('06_password_import.jsonl', 'intent for a synced person')));
      const answer = await refused.directory.invite(ID, 3_600);
      expect(answer).toMatchObject({ outcome: 'denied' });
      expect(answer.outcome === 'denied' && answer.remedy).toContain('sync_yield_authority');
    });

    it('members that are unknown are named, and a group that is not there is no fault of theirs', async () => {
      const group = { id: ID, name: 'tenant_acme_users' };
      const missing = opened(() => replyOf(noted('03_groups.jsonl', 'missing group')));
      expect(await missing.directory.addMembers(group, [ID])).toEqual({ outcome: 'no-group' });
      const unknown = opened(({ url }) =>
        url.includes('/raw/search') ? NO_ENTRIES : replyOf(noted('03_groups.jsonl', 'unknown member uuid')),
      );
      expect(await unknown.directory.addMembers(group, [ID])).toEqual({ outcome: 'done', absent: [ID] });
    });
  },
);
