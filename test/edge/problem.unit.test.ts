import { describe, expect, it } from 'vitest';
import { serviceFailure } from '../../cli/failure.ts';
import { CODES } from '../../shared/codes.ts';
import { toProblem, toRefusal } from '../../shared/edge/problem.ts';
import {
  CountersUnavailable,
  InputRefused,
  ProviderUnavailable,
  Refusal,
  RelationsRefused,
  RelationsUnavailable,
  Unavailable,
} from '../../shared/errors.ts';
import { DatabaseError, DatabaseUnavailable } from '../../shared/ports/database.ts';

class MailUnavailable extends Unavailable {
  override readonly name = 'MailUnavailable';
  readonly problem = 'upstream_unreachable';
}

const KINDS: readonly (readonly [Error, string])[] = [
  [new CountersUnavailable('why'), 'limiter_unavailable'],
  [new RelationsUnavailable('why'), 'authorization_unavailable'],
  [new RelationsRefused('why'), 'authorization_misconfigured'],
  [new InputRefused('why'), 'authorization_misconfigured'],
  [new ProviderUnavailable('why'), 'identity_provider_unavailable'],
  [new DatabaseUnavailable('why'), 'database_unavailable'],
  [new DatabaseError('42P01'), 'database_misconfigured'],
  [new DatabaseError('40001'), 'database_unavailable'],
  [new MailUnavailable('why'), 'upstream_unreachable'],
];

describe('a service that is away or refuses', () => {
  it.each(KINDS)('%s is %s to a caller, also of a kind that nothing else names', (error, code) => {
    expect(toRefusal(error)).toMatchObject({ code, reason: error.message, cause: error });
  });

  it.each(KINDS)('%s fails a command in words, without a stack', (error) => {
    expect(serviceFailure(error)).toMatchObject({ name: 'Failure', cause: error });
  });
});

describe('a defect', () => {
  it('is internal_error to a caller, and stays what it is to a command', () => {
    const defect = new TypeError('x is undefined');
    expect(toRefusal(defect)).toMatchObject({ code: 'internal_error', reason: 'TypeError: x is undefined' });
    expect(serviceFailure(defect)).toBeUndefined();
  });
});

it('every 401 names a scheme, and its own where it has one', () => {
  const codes = (Object.keys(CODES) as (keyof typeof CODES)[]).filter((code) => CODES[code].status === 401);
  expect(codes).toContain('invalid_credentials');
  for (const code of codes)
    expect(toProblem(new Refusal(code, 'why'), 'r1').headers['www-authenticate']).toMatch(/^Bearer /);
  const own = { headers: { 'WWW-Authenticate': 'Basic' } };
  expect(toProblem(new Refusal('missing_token', 'why', own), 'r1').headers).not.toHaveProperty(
    'www-authenticate',
  );
  expect(toProblem(new Refusal('no_tenant', 'why'), 'r1').headers).not.toHaveProperty('www-authenticate');
});
