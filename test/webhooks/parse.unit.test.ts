import { describe, expect, it } from 'vitest';
import { IGNORED, parseEvent, parseScript } from '../../functions/webhooks/parse.ts';
import { Refusal } from '../../shared/errors.ts';
import { envelope, ISSUER } from './support.ts';

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

  it.each(['user.human.phone.changed', 'user.token.added', 'org.added', 'script.user.deleted'])(
    'of type %s is ignored',
    (type) => {
      expect(parseEvent(envelope({ type }), ISSUER)).toBe(IGNORED);
    },
  );

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
    ['no object', 'u1'],
  ])('with %s is malformed', (_, body) => {
    expect(codeOf(() => parseScript('deleted', body, ISSUER))).toBe('invalid_request');
  });
});
