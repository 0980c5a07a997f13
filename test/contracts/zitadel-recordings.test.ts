import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import * as z from 'zod';
import { startOidc, type OidcServer } from '../../dev/oidc/index.ts';
import { startZitadel, type Zitadel } from '../../dev/zitadel/index.ts';
import { HANDLED_EVENT_TYPES } from '../../functions/webhooks/event.ts';
import { IGNORED, parseEvent } from '../../functions/webhooks/receive/parse.ts';
import { serve, type Served } from '../support/serve.ts';
import { ISSUER } from '../webhooks/events.ts';
import { recorded, recordingsMissing, type Recorded } from './recordings.ts';

/** Long because all of it asks one stand-in, and one set of recordings. */
const Delivery = z.looseObject({
  event_type: z.string(),
  created_at: z.string(),
  event_payload: z.unknown().optional(),
});
type Delivery = z.output<typeof Delivery>;
const Search = z.object({
  events: z
    .array(z.looseObject({ creationDate: z.string(), type: z.object({ type: z.string() }) }))
    .optional(),
});
const Problem = z.object({ code: z.number(), message: z.string() });

const keysOf = (value: unknown): string[] =>
  typeof value === 'object' && value !== null ? Object.keys(value).sort() : [];

describe.skipIf(recordingsMissing)('beside a recorded Zitadel (needs ../shared/recordings)', () => {
  let target: Served;
  let zitadel: Zitadel;
  const delivered: Delivery[] = [];
  beforeAll(async () => {
    target = await serve(0, async (request) => {
      delivered.push(Delivery.parse(await request.json()));
      return new Response(null, { status: 202 });
    });
    // A clock whose milliseconds end in 0, as one of ten does.
    let now = Date.UTC(2026, 0, 1);
    const clock = { now: () => (now += 1_010) };
    zitadel = await startZitadel({ clock, target: { url: target.url, signingKey: 'key' } });
  });
  afterAll(async () => {
    await zitadel.close();
    await target.close();
  });

  const call = async (method: string, path: string, body?: unknown, token = zitadel.token) => {
    const answer = await fetch(zitadel.url + path, {
      method,
      headers: { 'content-type': 'application/json', ...(token && { authorization: `Bearer ${token}` }) },
      ...(body !== undefined && { body: JSON.stringify(body) }),
    });
    const read: unknown = await answer.json();
    return { status: answer.status, body: read };
  };

  const deliveries = () =>
    ['zitadel/01-actions-v2.jsonl', 'zitadel/01b-actions-more.jsonl'].flatMap((file) =>
      recorded(file).flatMap(({ delivery, body }) => {
        const parsed = Delivery.safeParse(body);
        return delivery === true && parsed.success ? [parsed.data] : [];
      }),
    );

  it('every recorded delivery is taken: stored where something handles its type, else ignored', () => {
    const all = deliveries();
    expect(all.length).toBeGreaterThan(150);
    const handled = all.filter((body) => parseEvent(body, ISSUER) !== IGNORED);
    const types = new Set(handled.map(({ event_type }) => event_type));
    expect([...types].every((type) => HANDLED_EVENT_TYPES.includes(type))).toBe(true);
    for (const type of [
      'user.human.added',
      'user.machine.added',
      'user.locked',
      'user.removed',
      'org.removed',
    ])
      expect(types).toContain(type);
  });

  it('the stand-in delivers the members that Zitadel does, for each type of event', async () => {
    const human = zitadel.users.create({ userName: 'ann@example.org' }).id;
    const machine = zitadel.users.createMachine({ userName: 'robot' }).id;
    zitadel.users.rename(human, 'anna');
    for (const command of ['deactivate', 'reactivate', 'lock', 'unlock'] as const)
      zitadel.users[command](human);
    zitadel.users.remove(machine);
    zitadel.organizations.create('org9');
    zitadel.organizations.deactivate('org9');
    zitadel.organizations.remove('org9');
    await zitadel.deliveries.settled();
    const real = new Map(deliveries().map((body) => [body.event_type, body]));
    expect(delivered.length).toBeGreaterThan(10);
    for (const mine of delivered) {
      const theirs = real.get(mine.event_type);
      if (theirs === undefined || mine.event_type === 'org.added') continue;
      expect([mine.event_type, keysOf(mine)]).toEqual([mine.event_type, keysOf(theirs)]);
      expect(keysOf(theirs.event_payload)).toEqual(expect.arrayContaining(keysOf(mine.event_payload)));
      expect([mine.event_type, typeof mine['sequence'], mine['version']]).toEqual([
        mine.event_type,
        typeof theirs['sequence'],
        theirs['version'],
      ]);
    }
  });

  it('no zeros end the fraction of a delivery, while the API pads it to three or six digits', async () => {
    const ofDelivery = /T\d\d:\d\d:\d\d(?:\.\d*[1-9])?Z$/;
    const ofApi = /T\d\d:\d\d:\d\d(?:\.\d{3}(?:\d{3})?)?Z$/;
    const { body } = await call('POST', '/admin/v1/events/_search', {});
    const mine = Search.parse(body).events ?? [];
    const theirs = searches().flatMap(({ response }) => Search.parse(response?.body).events ?? []);
    expect(mine.length * theirs.length).toBeGreaterThan(0);
    for (const { created_at } of [...delivered, ...deliveries()]) expect(created_at).toMatch(ofDelivery);
    for (const { creationDate } of [...mine, ...theirs]) expect(creationDate).toMatch(ofApi);
    expect(delivered.some(({ created_at }) => !/\.\d{6}Z$/.test(created_at))).toBe(true);
  });

  const searches = () =>
    recorded('zitadel/03-events-head.jsonl').filter(
      ({ request, response }) => request?.path === '/admin/v1/events/_search' && response?.status === 200,
    );

  it('a search without results is answered by both with an object that has no list', async () => {
    const empty = searches().filter(({ response }) => keysOf(response?.body).length === 0);
    expect(empty.length).toBeGreaterThan(0);
    expect(await call('POST', '/admin/v1/events/_search', { eventTypes: ['user.nosuch'] })).toEqual({
      status: 200,
      body: empty[0]!.response!.body,
    });
  });

  it('an event of a search has the same members', async () => {
    const { body } = await call('POST', '/admin/v1/events/_search', { eventTypes: ['user.human.added'] });
    const mine = Search.parse(body).events![0]!;
    const theirs = searches()
      .flatMap(({ response }) => Search.parse(response?.body).events ?? [])
      .find(({ type }) => type.type === 'user.human.added')!;
    expect(keysOf(mine)).toEqual(keysOf(theirs));
    expect(keysOf(mine['aggregate'])).toEqual(keysOf(theirs['aggregate']));
  });

  /** Of a recorded exchange, with ids of its own left out. */
  const answerOf = ({ response }: Recorded) => ({
    status: response!.status,
    ...Problem.parse(response!.body),
  });
  const refusedAs = async (answer: ReturnType<typeof call>) => {
    const { status, body } = await answer;
    return { status, ...Problem.parse(body) };
  };
  const noted = (note: string) => recorded('zitadel/01-actions-v2.jsonl').find((line) => line.note === note)!;

  it.each([
    ['deactivate twice', 'deactivate'],
    ['lock an inactive one', 'lock'],
    ['unlock an active one', 'unlock'],
    ['reactivate an active one', 'reactivate'],
  ])('refuses as Zitadel does: %s', async (note, command) => {
    const { id } = zitadel.users.create({ userName: note });
    if (!note.includes('an active')) zitadel.users.deactivate(id);
    expect(await refusedAs(call('POST', `/v2/users/${id}/${command}`, {}))).toEqual(answerOf(noted(note)));
  });

  it('refuses as Zitadel does: a user who is gone, a user name alone, an id that is taken', async () => {
    const { id } = zitadel.users.create({ userName: 'gone' });
    zitadel.users.remove(id);
    expect(await refusedAs(call('DELETE', `/v2/users/${id}`))).toEqual(answerOf(noted('delete twice')));
    expect(await refusedAs(call('GET', `/v2/users/${id}`))).toEqual(answerOf(noted('get a deleted one')));
    const other = zitadel.users.create({ userName: 'other' }).id;
    expect(await refusedAs(call('PATCH', `/v2/users/${other}`, { username: 'new' }))).toEqual(
      answerOf(noted('unchanged')),
    );
    const taken = recorded('zitadel/04-import.jsonl').find(({ response }) =>
      JSON.stringify(response?.body ?? '').includes('COMMAND-7yiox1isql'),
    )!;
    const human = { email: { email: 'x@example.org' } };
    expect(await refusedAs(call('POST', '/v2/users/new', { userId: other, human }))).toEqual(answerOf(taken));
  });

  it('refuses as Zitadel does: no token, and one that is none', async () => {
    const tokens = recorded('zitadel/02-tokens.jsonl');
    const find = (note: string) => tokens.find((line) => line.note === note)!;
    expect(await refusedAs(call('GET', '/admin/v1/instances/me', undefined, ''))).toEqual(
      answerOf(find('no token at the API')),
    );
    expect(await refusedAs(call('GET', '/admin/v1/instances/me', undefined, 'garbage'))).toEqual(
      answerOf(find('garbage at the API')),
    );
  });

  describe('tokens', () => {
    let oidc: OidcServer;
    beforeAll(async () => {
      oidc = await startOidc();
    });
    afterAll(() => oidc.close());

    const introspect = async (token: string, secret = oidc.clientSecret) => {
      const answer = await fetch(`${oidc.url}/oauth/v2/introspect`, {
        method: 'POST',
        headers: { authorization: `Basic ${btoa(`${oidc.clientId}:${secret}`)}` },
        body: new URLSearchParams({ token }),
      });
      return { status: answer.status, body: z.record(z.string(), z.unknown()).parse(await answer.json()) };
    };
    const find = (note: string) =>
      z
        .record(z.string(), z.unknown())
        .parse(recorded('zitadel/02-tokens.jsonl').find((line) => line.note === note)!.response!.body);

    it('that are opaque have five parts and the header of Zitadel', async () => {
      const shape = z
        .object({ opaqueAfterLag: z.object({ parts: z.number(), header: z.string() }) })
        .parse(recorded('zitadel/02-tokens.jsonl').find((line) => 'opaqueAfterLag' in line));
      for (const options of [{ opaque: true }, { pat: true }]) {
        const token = await oidc.mintToken('alice', options);
        expect(token.startsWith('eyJ')).toBe(true);
        expect(token.split('.')).toHaveLength(shape.opaqueAfterLag.parts);
        const header: unknown = JSON.parse(Buffer.from(token.split('.')[0]!, 'base64url').toString());
        expect(keysOf(header)).toEqual(keysOf(JSON.parse(shape.opaqueAfterLag.header)));
      }
    });

    it('of a machine are introspected without a client, with an audience that is whoever asks', async () => {
      const theirs = find('PAT, own api app');
      const { body } = await introspect(await oidc.mintToken('alice', { pat: true }));
      for (const member of ['client_id', 'amr'])
        expect([member in theirs, member in body]).toEqual([false, false]);
      expect([theirs['aud'], body['aud']].map((aud) => (Array.isArray(aud) ? aud.length : 0))).toEqual([
        2, 2,
      ]);
      expect(body['aud']).toContain(oidc.clientId);
      for (const { jti } of [theirs, body]) expect(jti).toMatch(/^\d{18}$/);
      expect(keysOf(body)).toEqual(expect.arrayContaining(['sub', 'iss', 'exp', 'iat', 'nbf', 'token_type']));
    });

    it('of an application are introspected with its client and an id that begins with V2_', async () => {
      const theirs = find('opaque');
      const { body } = await introspect(await oidc.mintToken('alice', { opaque: true }));
      for (const answer of [theirs, body]) {
        expect(answer['client_id']).toBeTypeOf('string');
        expect(answer['jti']).toMatch(/^V2_\d{18}-at_\d{18}$/);
      }
    });

    it('are not told of to a client with a wrong secret', async () => {
      const line = recorded('zitadel/02-tokens.jsonl').find(({ note }) => note === 'wrong secret')!;
      expect(await introspect('any', 'wrong')).toEqual({
        status: line.response!.status,
        body: line.response!.body,
      });
    });
  });
});
