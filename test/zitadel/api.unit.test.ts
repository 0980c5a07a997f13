import { describe, expect, it } from 'vitest';
import * as z from 'zod';
import { either, listed, orAbsent, paginated } from '../../shared/zitadel/reader.ts';
import type { ZitadelAnswer, ZitadelCall, ZitadelRefusal } from '../../shared/ports/zitadel-api.ts';
import {
  Refused,
  Unanswered,
  unlessThere,
  unlessUnchanged,
  zitadelClient,
} from '../../cli/zitadel/api/client.ts';
import { differences } from '../../cli/zitadel/setup/plan.ts';
import { openZitadelApi } from '../../shared/adapters/zitadel/api.ts';
import { instanceLoginPolicy } from '../../shared/zitadel/login-policy.ts';

const OK: ZitadelAnswer = { outcome: 'ok', body: {} };
const AWAY: ZitadelAnswer = { outcome: 'away', reason: 'status 503' };
const SLOW: ZitadelAnswer = { outcome: 'slow', reason: 'no answer in time' };
const BUSY: ZitadelAnswer = { outcome: 'busy', reason: 'status 429', retryAfterSeconds: 3 };

function refusal(status: number, reason: string, more: Partial<ZitadelRefusal> = {}): ZitadelRefusal {
  return {
    outcome: 'refused',
    status,
    id: 'X-1',
    reason: `status ${status}: ${reason}`,
    unknownRoute: false,
    ...more,
  };
}

/** A client of a server that gives these answers in turn, the last one for good. */
function clientOf(...answers: readonly ZitadelAnswer[]) {
  const calls: ZitadelCall[] = [];
  const waits: number[] = [];
  const client = zitadelClient(
    {
      ...{ url: 'https://auth.example.org', token: 'token-7c1f' },
      api: (call) => {
        calls.push(call);
        return Promise.resolve(answers[Math.min(calls.length, answers.length) - 1] ?? OK);
      },
    },
    { wait: (ms) => Promise.resolve(void waits.push(ms)) },
  );
  const send = (method: 'GET' | 'POST', path = '/admin/v1/members') =>
    client.call(z.unknown(), { method, path, body: {}, right: 'iam.member.write' });
  return { client, calls, waits, send };
}

describe('a call of Zitadel’s API', () => {
  it('that was not carried out is sent again: 503 right after a start, 429 after what it asks for', async () => {
    const { calls, waits, send } = clientOf(AWAY, BUSY, OK);
    await send('POST');
    expect([calls.length, waits]).toEqual([3, [200, 3_000]]);
  });

  it('that may have been carried out is sent again only where it reads', async () => {
    const reading = clientOf(SLOW, OK);
    await reading.send('POST', '/admin/v1/members/_search');
    expect(reading.calls).toHaveLength(2);
    const writing = clientOf(SLOW, OK);
    await expect(writing.send('POST')).rejects.toThrow(Unanswered);
    expect(writing.calls).toHaveLength(1);
  });

  it('gives up on a server that stays away, and names it', async () => {
    const { calls, send } = clientOf(AWAY);
    await expect(send('GET')).rejects.toThrow(/auth\.example\.org .* is away or not ready yet/);
    expect(calls.length).toBeLessThan(12);
  });

  it.each([
    [
      refusal(403, 'No matching permissions found (AUTH-AWfge)'),
      /lacks the right iam\.member\.write, which the role IAM_OWNER has/,
    ],
    [refusal(401, 'Errors.Token.Invalid (AUTH-7fs1e)'), /ZITADEL_SERVICE_TOKEN is not accepted.*masterkey/s],
    [refusal(404, 'Not Found', { unknownRoute: true, id: '' }), /This release of Zitadel has no such call/],
  ])('that is refused says why, and what is missing: %#', async (answer, expected) => {
    const { send } = clientOf(answer);
    await expect(send('POST')).rejects.toThrow(expected);
    await expect(send('POST')).rejects.toThrow(Refused);
  });

  it('says what an answer lacks that is not of the known shape', async () => {
    const { client } = clientOf({ outcome: 'ok', body: { id: 7 } });
    const call = { method: 'GET', path: '/x', right: 'iam.read' } as const;
    await expect(client.call(z.object({ id: z.string() }), call)).rejects.toThrow(
      /not the answer of a Zitadel.*id/,
    );
  });

  it('goes another way only where the release does not know the first, not where the thing is missing', async () => {
    const unknown = clientOf(refusal(501, 'not implemented', { unknownRoute: true }));
    const other = () => Promise.resolve('by Connect');
    expect(await either(() => unknown.send('GET'), other)).toBe('by Connect');
    const missing = clientOf(refusal(404, 'User could not be found'));
    await expect(either(() => missing.send('GET'), other)).rejects.toThrow('could not be found');
    expect(await orAbsent(missing.send('GET'))).toBeUndefined();
  });

  it.each([
    'Default Login Policy has not been changed (INSTANCE-5M9vdd)',
    'Errors.NoChangesFound (COMMAND-1m88i)',
    'Errors.IAM.LabelPolicy.NotChanged (INSTANCE-28fHe)',
    'Errors.SMTPConfig.AlreadyActive (COMMAND-vUHBSmBzaw)',
  ])('that changes nothing counts as done: %s', async (reason) => {
    await expect(unlessUnchanged(clientOf(refusal(400, reason)).send('POST'))).resolves.toBeUndefined();
  });

  it('of a state that forbids it, or of a value that is wrong, is refused', async () => {
    const invalid = clientOf(refusal(400, 'Member is invalid (INSTANCE-3m9fs)'));
    await expect(unlessUnchanged(invalid.send('POST'))).rejects.toThrow('Member is invalid');
    await expect(unlessThere(clientOf(refusal(400, 'x')).send('POST'))).rejects.toThrow(Refused);
    await expect(unlessThere(clientOf(refusal(409, 'x')).send('POST'))).resolves.toBeUndefined();
  });
});

describe('what is read of Zitadel', () => {
  it('has the first of an enumeration, which answers leave out', async () => {
    const { settings } = await instanceLoginPolicy(clientOf({ outcome: 'ok', body: { policy: {} } }).client);
    const wanted = { passwordlessType: 'PASSWORDLESS_TYPE_NOT_ALLOWED' };
    expect(differences(settings, wanted)).toEqual([]);
  });

  it('differs in a message without members, as that says which kind is meant', () => {
    expect(differences({ restWebhook: {} }, { restAsync: {} })).toEqual(['restAsync']);
    expect(differences({ options: { a: false } }, { options: {} })).toEqual([]);
  });

  it('is asked for in English, whatever the language of the instance', async () => {
    const sent: Readonly<Record<string, unknown>>[] = [];
    const api = openZitadelApi({ url: 'https://auth.example.org', token: 't' }, ({ headers }) => {
      sent.push(headers);
      return Promise.resolve({ status: 200, headers: {}, text: '{}' });
    });
    await api({ method: 'GET', path: '/x', organization: '7', timeoutMs: 1_000 });
    expect(sent).toMatchObject([{ 'accept-language': 'en', 'x-zitadel-orgid': '7' }]);
  });
});

describe('a list', () => {
  const Entry = z.object({ id: z.string() });
  const entries = (from: number, count: number): object[] =>
    Array.from({ length: count }, (_, at) => ({ id: String(from + at) }));
  const offsets = (calls: readonly ZitadelCall[]): unknown[] =>
    calls.map(
      ({ body }) => z.looseObject({}).parse(body)['query'] ?? z.looseObject({}).parse(body)['pagination'],
    );
  const path = '/admin/v1/members/_search';

  it('is read to its end, also where a page lacks what the account may not see', async () => {
    const details = { totalResult: '250' };
    const { client, calls } = clientOf(
      { outcome: 'ok', body: { details, result: entries(0, 90) } },
      { outcome: 'ok', body: { details, result: entries(100, 100) } },
      { outcome: 'ok', body: { details, result: entries(200, 50) } },
    );
    expect(await listed(client, Entry, { path, right: 'iam.member.read' })).toHaveLength(240);
    expect(offsets(calls)).toMatchObject([{ offset: '0' }, { offset: '100' }, { offset: '200' }]);
  });

  it('goes on by the limit that the server applied', async () => {
    const pagination = { totalResult: '3', appliedLimit: '2' };
    const { client, calls } = clientOf(
      { outcome: 'ok', body: { pagination, projects: entries(0, 2) } },
      { outcome: 'ok', body: { pagination, projects: entries(2, 1) } },
    );
    const call = { path, member: 'projects', right: 'project.read' };
    expect(await paginated(client, Entry, call)).toHaveLength(3);
    expect(offsets(calls)).toMatchObject([{ offset: '0' }, { offset: '2' }]);
  });

  it('that has no end is given up', async () => {
    const { client } = clientOf({ outcome: 'ok', body: { result: entries(0, 100) } });
    await expect(listed(client, Entry, { path, right: 'iam.member.read' })).rejects.toThrow(
      /more than 100000/,
    );
  });
});
