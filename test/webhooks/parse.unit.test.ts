import { describe, expect, it } from 'vitest';
import { IGNORED, parseEvent, parseScript } from '../../functions/webhooks/receive/parse.ts';
import { Refusal } from '../../shared/errors.ts';
import { envelope, ISSUER } from './events.ts';

/** Long because each field of a body has its list of what it is not. */

function codeOf(work: () => unknown): unknown {
  try {
    return work();
  } catch (error) {
    return error instanceof Refusal ? error.code : error;
  }
}

const HASH = '$2a$14$abcdefghijklmnopqrstuuQ7l2OyXvyxyxyxyxyxyxyxyxyxyxyxy';

describe('an event', () => {
  it.each([
    ['an object', { userName: 'ann' }],
    ['base64 of its JSON', Buffer.from('{"userName":"ann"}').toString('base64')],
  ])('has its payload from %s', (_, payload) => {
    expect(parseEvent(envelope({ payload }), ISSUER)).toMatchObject({ payload: { userName: 'ann' } });
  });

  it.each([
    ['is absent', undefined],
    ['is null', null],
    ['is empty', ''],
  ])('has an empty payload where it %s', (_, payload) => {
    expect(parseEvent(envelope({ type: 'user.removed', payload }), ISSUER)).toMatchObject({ payload: {} });
  });

  it('keeps no password hash and no secret, whatever the nesting or the name', () => {
    const payload = {
      userName: 'ann',
      encodedHash: HASH,
      secret: { Crypted: 'x' },
      nested: [{ hashedPassword: HASH, deeper: { clientSecret: 'y', kept: 1 } }],
      unforeseen: HASH,
      changeRequired: false,
    };
    const event = parseEvent(envelope({ payload }), ISSUER);
    expect(event).toMatchObject({
      payload: {
        userName: 'ann',
        nested: [{ deeper: { kept: 1 } }],
        unforeseen: null,
        changeRequired: false,
      },
    });
    expect(JSON.stringify(event)).not.toMatch(/\$2a\$|Crypted|"y"/);
  });

  it.each([
    'user.human.phone.changed',
    'user.token.added',
    'org.added',
    'org.deactivated',
    'org.removed.user',
    'script.user.deleted',
    'constructor',
  ])('of type %s is ignored', (type) => {
    expect(parseEvent(envelope({ type }), ISSUER)).toBe(IGNORED);
  });

  it.each([
    ['a number', 12, 12],
    ['the decimal text that protobuf writes', '12', 12],
    ['the largest that a number holds', '9007199254740991', Number.MAX_SAFE_INTEGER],
  ])('takes its sequence from %s', (_, sequence, expected) => {
    expect(parseEvent({ ...envelope(), sequence }, ISSUER)).toMatchObject({ key: { sequence: expected } });
  });

  it.each([
    true,
    false,
    null,
    [7],
    ['7'],
    [],
    {},
    '',
    ' 7',
    '7 ',
    '+7',
    '-7',
    '07',
    '0',
    '0x10',
    '0b1',
    '1e3',
    '1.0',
    '7n',
    '٧',
    '9007199254740992',
    '99999999999999999999',
    9_007_199_254_740_992,
    -1,
    0,
    1.5,
  ])('whose sequence is %j is malformed: nothing else is made a number', (sequence) => {
    expect(codeOf(() => parseEvent({ ...envelope(), sequence }, ISSUER))).toBe('invalid_request');
  });

  it.each([
    ['2026-11-28T01:26:32.17957Z', '2026-11-28T01:26:32.179Z'],
    ['2026-11-28T01:26:32Z', '2026-11-28T01:26:32.000Z'],
    ['2026-11-28T01:26:32.123456789+02:00', '2026-11-27T23:26:32.123Z'],
    ['2024-02-29T00:00:00-05:30', '2024-02-29T05:30:00.000Z'],
    ['9999-12-31T23:59:59.999Z', '9999-12-31T23:59:59.999Z'],
  ])('dated %s happened at %s', (created_at, expected) => {
    expect(parseEvent({ ...envelope(), created_at }, ISSUER)).toMatchObject({
      occurredAt: new Date(expected),
    });
  });

  it.each([
    '0000-01-01T00:00:00Z',
    '0001-01-01T00:00:00Z',
    '0001-01-01T00:00:00+14:00',
    '1970-01-01T00:00:00Z',
    '1999-12-31T23:59:59Z',
    '9999-12-31T23:59:59-01:00',
    '10000-01-01T00:00:00Z',
    '+010000-01-01T00:00:00Z',
    '-000001-01-01T00:00:00Z',
    '2026-02-30T00:00:00Z',
    '2025-02-29T00:00:00Z',
    '2026-13-01T00:00:00Z',
    '2026-11-28T24:00:00Z',
    '2016-12-31T23:59:60Z',
    '2026-11-28T01:26:32',
    '2026-11-28 01:26:32Z',
    '2026-11-28T01:26:32+0200',
    '2026-11-28T01:26:32+25:00',
    '2026-11-28',
    'infinity',
    'yesterday',
    '',
    1_795_829_171,
    true,
    [],
    {},
  ])('dated %j is malformed: Postgres could not store it, or Zitadel was not there', (created_at) => {
    expect(codeOf(() => parseEvent({ ...envelope(), created_at }, ISSUER))).toBe('invalid_request');
  });

  it.each([
    ['aggregateID', 7],
    ['aggregateID', ['u1']],
    ['aggregateID', null],
    ['aggregateID', ''],
    ['aggregateID', 'u\u0000'],
    ['aggregateID', '\ud800'],
    ['aggregateID', 'ünï'],
    ['aggregateID', 'a b'],
    ['aggregateID', 'a:b'],
    ['aggregateID', 'x'.repeat(256)],
    ['aggregateType', ['user']],
    ['aggregateType', 'user\u0000'],
    ['aggregateType', 'User'],
    ['aggregateType', 'org'],
    ['event_type', ['user.removed']],
    ['event_type', ''],
    ['instanceID', 7],
    ['instanceID', 'a\u0000'],
    ['instanceID', '\udfff'],
    ['instanceID', 'x'.repeat(256)],
    ['resourceOwner', 7],
    ['resourceOwner', ['org1']],
    ['resourceOwner', 'x'.repeat(256)],
    ['event_payload', true],
    ['event_payload', [{}]],
    ['event_payload', 'no base64!'],
  ])('whose %s is %j is malformed', (field, value) => {
    expect(codeOf(() => parseEvent({ ...envelope(), [field]: value }, ISSUER))).toBe('invalid_request');
  });

  it('of a removed organisation is about the organisation, which no user id can be', () => {
    const body = { ...envelope({ user: 'org7', type: 'org.removed' }), aggregateType: 'org' };
    expect(parseEvent(body, ISSUER)).toMatchObject({ subject: 'org:org7', kind: 'organization_removed' });
    expect(codeOf(() => parseEvent({ ...body, aggregateType: 'user' }, ISSUER))).toBe('invalid_request');
    expect(codeOf(() => parseEvent({ ...body, aggregateID: 'org:7' }, ISSUER))).toBe('invalid_request');
    expect(codeOf(() => parseEvent({ ...body, aggregateID: '' }, ISSUER))).toBe('invalid_request');
  });

  it.each([
    ['no object', 7],
    ['nothing in it', {}],
    ['a list', [envelope()]],
    ['no sequence', { ...envelope(), sequence: undefined }],
    ['a sequence of 0', { ...envelope(), sequence: 0 }],
    ['half a sequence', { ...envelope(), sequence: 1.5 }],
    ['no instance', { ...envelope(), instanceID: '' }],
    ['a date that is none', { ...envelope(), created_at: 'yesterday' }],
    ['another aggregate', { ...envelope(), aggregateType: 'org' }],
    ['the wildcard as user', envelope({ user: '*' })],
    ['a userset as user', envelope({ user: 'group:x#member' })],
    ["another issuer's user", envelope({ user: 'kanidm|ann' })],
    ['a payload that is a number', envelope({ payload: 7 })],
    ['base64 of no JSON', envelope({ payload: 'AAAA' })],
    ['base64 of a list', envelope({ payload: Buffer.from('[1]').toString('base64') })],
  ])('with %s is malformed', (_, body) => {
    expect(codeOf(() => parseEvent(body, ISSUER))).toBe('invalid_request');
  });

  it('nested without end is malformed, and no stack overflows', () => {
    const text = `${'{"a":'.repeat(100_000)}1${'}'.repeat(100_000)}`;
    expect(codeOf(() => parseEvent(envelope({ payload: JSON.parse(text) as unknown }), ISSUER))).toBe(
      'invalid_request',
    );
  });

  it('quotes no value when it is malformed', () => {
    try {
      parseEvent({ ...envelope(), sequence: 'hunter2' }, ISSUER);
      expect.unreachable();
    } catch (error) {
      expect(error).toMatchObject({ detail: expect.stringMatching(/sequence/) as unknown });
      expect(`${String(error)} ${(error as Refusal).detail ?? ''}`).not.toContain('hunter2');
    }
  });
});

describe("a script's body", () => {
  it('is the same event as long as every field is the same', () => {
    const body = { userId: 'u1', userName: 'ann', userType: 'human' };
    const keyOf = (event: 'created' | 'deleted', changes: object = {}) =>
      JSON.stringify(parseScript(event, { ...body, ...changes }, ISSUER).key);
    expect(keyOf('created')).toBe(keyOf('created'));
    const others = [
      keyOf('deleted'),
      ...[{ userId: 'u2' }, { userName: 'bob' }, { eventId: '2' }].map((changes) =>
        keyOf('created', changes),
      ),
    ];
    expect(others).not.toContain(keyOf('created'));
    expect(new Set(others).size).toBe(others.length);
  });

  it('may send more and leave fields empty: what nobody asked for is not kept', () => {
    const body = { userId: 'u1', userName: null, password: 'x', roles: { a: 1 } };
    const event = parseScript('created', body, ISSUER);
    expect(event.payload).toEqual({ userName: null });
    expect(event.key).toEqual(parseScript('created', { userId: 'u1' }, ISSUER).key);
  });

  it.each([
    ['no user', {}],
    ['a user that is a number', { userId: 7 }],
    ['the wildcard as user', { userId: '*' }],
    ['a user id with NUL', { userId: 'u\u0000' }],
    ['half a surrogate pair as user id', { userId: '\ud800' }],
    ['a user id that is too long', { userId: 'x'.repeat(256) }],
    ['a name that is none', { userId: 'u1', userName: ['ann'] }],
    ['an event id that is a number', { userId: 'u1', eventId: 7 }],
    ['no object', 'u1'],
  ])('with %s is malformed', (_, body) => {
    expect(codeOf(() => parseScript('deleted', body, ISSUER))).toBe('invalid_request');
  });
});
