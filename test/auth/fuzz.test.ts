import fc from 'fast-check';
import { expect, it } from 'vitest';
import * as z from 'zod';
import { sql } from '../../shared/ports/database.ts';
import { times } from '../support/scale.ts';
import { makeUser } from './people.ts';
import { authSuite, bearer, signIn } from './suite.ts';

const nasty = fc.oneof(
  fc.string({ unit: 'binary', maxLength: 300 }),
  fc.constantFrom(
    '\0',
    "' or 1=1 --",
    '${x}',
    '%00',
    '\ud800',
    'ı',
    '{}',
    '\u202e',
    'a'.repeat(1_024),
    'x@y',
  ),
  fc.integer(),
  fc.boolean(),
  fc.constant(null),
  fc.array(fc.string(), { maxLength: 3 }),
  fc.dictionary(fc.string(), fc.string(), { maxKeys: 3 }),
);
const FIELDS = [
  'tenant',
  'email',
  'password',
  'cookie',
  'refresh_token',
  'token',
  'new_password',
  'current_password',
  'full_name',
  '__proto__',
];
const body = fc.oneof(
  fc.dictionary(fc.constantFrom(...FIELDS), nasty).map((value) => JSON.stringify(value)),
  fc.json(),
  fc.string({ unit: 'binary', maxLength: 200 }),
);
const ROUTES = [
  'login',
  'refresh',
  'logout',
  'register',
  'register/confirm',
  'change-password',
  'reset-password',
  'reset-password/confirm',
];

const variables = () => ({ NEW_USERS: 'both', TRUSTED_PROXIES: '127.0.0.1' });
/** Each try from an address of its own: refusals of one address are bounded. */
let tries = 0;
const elsewhere = () => {
  tries += 1;
  const address = `10.${tries >> 16}.${(tries >> 8) & 255}.${tries & 255}`;
  return { 'x-forwarded-for': address, 'cf-connecting-ip': address };
};

authSuite('whatever is sent', { variables }, (stage) => {
  it('to the routes of sign-in is refused in form, and never an error of ours', async () => {
    await fc.assert(
      fc.asyncProperty(fc.constantFrom(...ROUTES), body, async (route, text) => {
        const answer = await stage.post(route, text, elsewhere());
        const answered = `${route} ${answer.status} ${await answer.text()}`;
        expect([202, 400, 401, 413, 422], answered).toContain(answer.status);
      }),
      { numRuns: times(2_000, 200) },
    );
  });

  it('in place of a token or cookie is 400 or 401', async () => {
    const printable = fc.string({ unit: 'grapheme-ascii', maxLength: 200 });
    await fc.assert(
      fc.asyncProperty(printable, fc.constantFrom('authorization', 'cookie'), async (text, field) => {
        const value = field === 'cookie' ? `sallyport=${text}; sallyport_refresh=${text}` : `Bearer ${text}`;
        const sent = { [field]: value.replaceAll(/[^\x20-\x7e]/g, '') };
        const answer = await stage.get('me', { ...sent, ...elsewhere() });
        expect([400, 401], `${value} ${answer.status}`).toContain(answer.status);
      }),
      { numRuns: times(1_000, 100) },
    );
  });

  it('none of it signed anybody in, or ended a session of a bystander', async () => {
    const email = `bystander.${stage.runtime}@example.org`;
    const bystander = await signIn(stage, await makeUser(stage.database, { email }));
    expect((await stage.get('me', bearer(bystander.access_token))).status).toBe(200);
    const [row] = await stage.database.query(
      sql`select count(*) as count from sessions join users using (user_id) where email not like 'bystander%'`,
      z.object({ count: z.number() }),
    );
    expect(row!.count).toBe(0);
  });
});
