import { hashSync } from 'bcryptjs';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import * as z from 'zod';
import { startZitadel } from '../../dev/zitadel/index.ts';
import { provision } from '../../shared/provisioning/provision.ts';
import { sql } from '../../shared/ports/database.ts';
import { depsOf } from '../provisioning/ground.ts';
import { SOCKETS } from '../support/gateway/runtimes.ts';
import { expectRefusal } from '../support/refusal.ts';
import { signature } from '../webhooks/sign.ts';
import { userOfGroups, zitadelDirectory } from './directory.ts';
import { auditOf, PASSWORD, userRow, type MadeUser } from './people.ts';
import { authSuite, type AuthStage } from './suite.ts';

const KEY = 'the-key-of-the-target';
const SET = '/zitadel.session.v2.SessionService/SetSession';
const ROUTE = 'zitadel/set-session';

const Session = z.object({ sessionId: z.string(), sessionToken: z.string() });

authSuite(
  'the lazy door inside Zitadel’s own sign-in',
  {
    // Zitadel calls over a socket.
    on: SOCKETS,
    variables: () => ({ ...variables, WEBHOOK_SIGNING_KEYS: KEY }),
  },
  (stage) => {
    beforeAll(() => {
      zitadel.addRequestTarget({
        method: SET,
        url: `${stage.gateway.url}/api/v1/auth/${ROUTE}`,
        signingKey: KEY,
        interruptOnError: false,
      });
    });
    beforeEach(() => stage.secrets.push(PASSWORD));

    it('the password of the application works there from its first use on, and is set once', async () => {
      const user = await provisioned(stage);
      expect(await signsIn(user, 'wrong')).toBe(false);
      expect((await userRow(stage.database, user.userId)).failed_login_attempts).toBe(1);
      expect(await signsIn(user, PASSWORD)).toBe(true);
      expect((await auditOf(stage.database, user.userId)).map(({ what }) => what)).toContain('provisioned');
      // From now on it is Zitadel's: another one here changes nothing there.
      await stage.database.execute(
        sql`update users set password_hash = ${hashSync('another password', 4)} where user_id = ${user.userId}`,
      );
      expect(await signsIn(user, 'another password')).toBe(false);
      expect(await signsIn(user, PASSWORD)).toBe(true);
    });

    it.each<[string, (user: MadeUser) => ReturnType<typeof sql>]>([
      [
        'is locked here',
        ({ userId }) =>
          sql`update users set locked_until = now() + interval '1 hour' where user_id = ${userId}`,
      ],
      [
        'is inactive here',
        ({ userId }) => sql`update users set status = 'inactive' where user_id = ${userId}`,
      ],
      [
        'has signed in there',
        ({ userId }) => sql`update users set migration_completed_at = now() where user_id = ${userId}`,
      ],
      [
        'is of the provider alone',
        ({ userId }) => sql`update users set auth_method = 'kanidm' where user_id = ${userId}`,
      ],
      [
        'is excluded',
        ({ userId }) =>
          sql`insert into sallyport_people (user_id, excluded_at) values (${userId}, now()) on conflict (user_id) do update set excluded_at = now()`,
      ],
    ])('not for whoever %s', async (_what, change) => {
      const user = await provisioned(stage);
      await stage.database.execute(change(user));
      expect(await signsIn(user, PASSWORD)).toBe(false);
    });

    it('nothing that is not signed is looked at, and nothing is said of anybody', async () => {
      const user = await provisioned(stage);
      const body = JSON.stringify({
        fullMethod: SET,
        request: { sessionId: '1', checks: { password: { password: PASSWORD } } },
      });
      for (const headers of [{}, { 'zitadel-signature': signature('guessed', body) }])
        await expectRefusal(await stage.post(ROUTE, body, headers), 'invalid_signature');
      for (const text of ['{}', 'nonsense', '{"request":{"sessionId":"../users"}}'])
        await expectRefusal(
          await stage.post(ROUTE, text, { 'zitadel-signature': signature(KEY, text) }),
          'invalid_request',
        );
      const known = await send(user);
      expect(known).toEqual([200, '{}']);
      expect((await userRow(stage.database, user.userId)).failed_login_attempts).toBe(1);

      async function send(whom: MadeUser): Promise<unknown[]> {
        const { sessionId } = await sessionOf(whom);
        const text = JSON.stringify({
          fullMethod: SET,
          request: { sessionId, checks: { password: { password: 'wrong' } } },
        });
        const answer = await stage.post(ROUTE, text, { 'zitadel-signature': signature(KEY, text) });
        return [answer.status, await answer.text()];
      }
    });
  },
);

const zitadel = await startZitadel();
afterAll(() => zitadel.close());
const { directory, variables } = zitadelDirectory(zitadel);

/** A user whose account there has no password: its hash is too cheap for Zitadel. */
async function provisioned(stage: AuthStage): Promise<MadeUser> {
  const user = await userOfGroups(stage, directory);
  const request = { tenant: user.slug, limit: null, passwords: true, listed: null };
  await provision(request, depsOf(stage.database, directory));
  return user;
}

const asked = (path: string, method: string, body: object) =>
  fetch(`${zitadel.url}/v2/sessions${path}`, {
    method,
    headers: { authorization: `Bearer ${zitadel.token}`, 'content-type': 'application/json' },
    body: JSON.stringify(body),
  });

async function sessionOf({ userId }: MadeUser): Promise<z.output<typeof Session>> {
  return Session.parse(await (await asked('', 'POST', { checks: { user: { userId } } })).json());
}

/** As the sign-in page does: a session of the user first, then the password. */
async function signsIn(user: MadeUser, password: string): Promise<boolean> {
  const { sessionId } = await sessionOf(user);
  const answer = await asked(`/${sessionId}`, 'PATCH', { checks: { password: { password } } });
  await answer.body?.cancel();
  return answer.ok;
}

describe('without Zitadel as the directory', () => {
  authSuite('the target', {}, (stage) => {
    it('is not there', async () => {
      const body = '{}';
      await expectRefusal(
        await stage.post(ROUTE, body, { 'zitadel-signature': signature(KEY, body) }),
        'not_found',
      );
    });
  });
});
