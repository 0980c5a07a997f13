import { describe, expect, it } from 'vitest';
import { compile, join, json, sql } from '../../shared/database/sql.ts';
import { decodeRows } from '../../shared/database/driver.ts';
import { toRefusal } from '../../shared/edge/problem.ts';
import {
  DatabaseError,
  DatabaseUnavailable,
  toDatabaseError,
  UniqueViolation,
} from '../../shared/database/errors.ts';
import { Unavailable } from '../../shared/errors.ts';
import { parseDatabaseUrl } from '../../shared/database/url.ts';

describe('a tagged statement', () => {
  it('keeps values out of its text, nested fragments included', () => {
    const inner = sql`email = ${"o'hara"}`;
    const outer = sql`select 1 from users where ${inner} and role = ${'admin'}`;
    expect(compile(outer)).toEqual({
      text: 'select 1 from users where email = $1 and role = $2',
      params: ["o'hara", 'admin'],
    });
  });

  it('joins nothing to nothing', () => {
    expect(compile(join([]))).toEqual({ text: '', params: [] });
  });

  it('refuses a value that has no JSON form', () => {
    expect(() => json(undefined)).toThrow(TypeError);
  });
});

describe('decoding', () => {
  const decode = (oid: number, text: string) =>
    decodeRows({ fields: [{ name: 'v', oid }], rows: [[text]], count: 1 })[0]!['v'];

  it.each(['infinity', '2025-01-01 00:00:00', '01/02/2025 00:00:00 UTC', '0044-03-15 12:00:00+00 BC'])(
    'refuses the timestamptz %s, which has no exact Date',
    (text) => {
      expect(() => decode(1184, text)).toThrow(RangeError);
    },
  );

  it('reads an offset with minutes', () => {
    expect(decode(1184, '2025-06-01 12:00:00+05:30')).toEqual(new Date('2025-06-01T06:30:00Z'));
  });

  it.each([
    [
      '{{1,2},{3,4}}',
      [
        [1, 2],
        [3, 4],
      ],
    ],
    ['[0:1]={1,2}', [1, 2]],
    ['{}', []],
  ])('reads the array %s with all its dimensions', (text, expected) => {
    expect(decode(1007, text)).toEqual(expected);
  });

  it('refuses an int8 that no number holds within an array too', () => {
    expect(() => decode(1016, '{1,9007199254740993}')).toThrow(RangeError);
  });
});

describe('what Postgres or the network reports', () => {
  const refused = { severity: 'ERROR', message: 'says "s3cret"' };

  it.each(['08006', '57014', '57P01', '57P03', '53300'])('takes %s for an absent database', (code) => {
    expect(toDatabaseError({ ...refused, code })).toBeInstanceOf(DatabaseUnavailable);
  });

  it.each([
    ['40001', true],
    ['40P01', true],
    ['23505', false],
  ])('marks %s as retryable: %s', (code, retryable) => {
    expect(toDatabaseError({ ...refused, code })).toMatchObject({ retryable });
  });

  it.each([
    ['42P01', 'database_misconfigured', /sallyport db migrate/],
    ['42703', 'database_misconfigured', /sallyport db migrate/],
    ['42501', 'database_misconfigured', /lacks a privilege/],
    ['28P01', 'database_misconfigured', /password/],
    ['3D000', 'database_misconfigured', /does not exist/],
    ['53100', 'database_unavailable', /unavailable/],
    ['25006', 'database_unavailable', /25006/],
    ['57P04', 'database_unavailable', /unavailable/],
    ['40001', 'database_unavailable', /40001/],
    ['55P03', 'database_unavailable', /55P03/],
    ['23505', 'internal_error', /23505/],
    ['23502', 'internal_error', /23502/],
    ['22P02', 'internal_error', /22P02/],
    ['22008', 'internal_error', /22008/],
    ['42601', 'internal_error', /42601/],
  ])('tells %s as %s, so that only an absent database is called away', (code, expected, reason) => {
    expect(toRefusal(toDatabaseError({ ...refused, code }))).toMatchObject({
      code: expected,
      reason: expect.stringMatching(reason) as unknown,
    });
  });

  it('tells a second row with the same key from every other refusal, by its constraint', () => {
    const twice = toDatabaseError({
      ...refused,
      code: '23505',
      constraint: 'users_email_key',
      table: 'users',
    });
    expect(twice).toBeInstanceOf(UniqueViolation);
    expect(twice).toMatchObject({ constraint: 'users_email_key', table: 'users', retryable: false });
    expect(twice).toBeInstanceOf(DatabaseError);
    expect(twice).not.toBeInstanceOf(Unavailable);
    for (const code of ['23503', '23514', '23502'])
      expect(toDatabaseError({ ...refused, code })).not.toBeInstanceOf(UniqueViolation);
  });

  it('shows the message of a refusal only when the statement held no values', () => {
    const error = { ...refused, code: '22P02' };
    expect(toDatabaseError(error).message).not.toContain('s3cret');
    expect(toDatabaseError(error, true).message).toContain('s3cret');
  });

  it('does not take a socket error for a refusal', () => {
    const error = toDatabaseError(Object.assign(new Error('x'), { code: 'EPIPE' }));
    expect(error).not.toBeInstanceOf(DatabaseError);
    expect(error.message).toContain('EPIPE');
  });
});

describe('a database URL', () => {
  it('is shown without its password and query', () => {
    expect(parseDatabaseUrl('postgres://me:s3cret@db.example:5432/app?sslmode=require').shown).toBe(
      'me@db.example:5432/app',
    );
  });

  it('is not repeated when it is wrong', () => {
    expect(() => parseDatabaseUrl('mysql://me:s3cret@db')).toThrow(/^(?!.*s3cret)/);
  });

  it('tells Neon and its pooler by the host', () => {
    const pooled = 'postgres://u@ep-x-pooler.eu-central-1.aws.neon.tech/db';
    expect(parseDatabaseUrl(pooled)).toMatchObject({ neon: true, pooled: true });
    expect(parseDatabaseUrl('postgres://u@neon.tech.example/db')).toMatchObject({
      neon: false,
      pooled: false,
    });
  });
});
