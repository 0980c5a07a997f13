import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import * as z from 'zod';
import { sql } from '../../shared/ports/database.ts';
import { DATABASES, type MigratedDatabase } from '../support/databases.ts';
import { startCounted, type Counted } from './counted.ts';
import { openSevered, type Severed } from './each-call.ts';
import { openBrowser, type Browser } from './oauth/browser.ts';
import { startProvider, type Account, type FakeProvider } from './oauth/provider.ts';
import {
  address,
  countOf,
  KANIDM,
  leave,
  linkedTo,
  makeGroupedTenant,
  me,
  memberOf,
  providerVariables,
  signInAt,
} from './oauth/suite.ts';

const postgres = DATABASES[1];
const REFRESH = '/api/v1/auth/oauth/refresh';

describe.skipIf(postgres.missing)(
  'the database and sign-in by the provider (needs the postgresql package)',
  () => {
    let db: MigratedDatabase;
    let auth: Counted;
    let severed: Severed;
    let kanidm: FakeProvider;
    let zitadel: FakeProvider;
    beforeAll(async () => {
      db = await postgres.start();
      severed = await openSevered(db.url, () => auth.pings());
      [kanidm, zitadel] = await Promise.all([startProvider('kanidm'), startProvider('zitadel')]);
      auth = await startCounted(severed.url, providerVariables(kanidm, zitadel));
    });
    afterAll(async () => {
      await auth.close();
      await Promise.all([severed.close(), kanidm.close(), zitadel.close()]);
      await db.close();
    });

    const open = () => openBrowser((target, sent) => auth.send(target, sent));
    const somebody = async (): Promise<Account> => memberOf(await makeGroupedTenant(db.database));
    const arriving = async (account: Account) => {
      const browser = open();
      return { account, browser, back: kanidm.approve(await leave(browser, KANIDM), account) };
    };
    const copy = (browser: Browser): Browser => {
      const other = open();
      for (const [name, value] of browser.cookies) other.cookies.set(name, value);
      return other;
    };
    /** Whole or not at all: one user, each session with its family, state and code spent with it. */
    const isWhole = async ({ sub, email = '' }: Account): Promise<void> => {
      expect((await linkedTo(db.database, kanidm.url, sub)).length).toBeLessThanOrEqual(1);
      expect(await countOf(db.database, sql`users where email = ${email}`)).toBeLessThanOrEqual(1);
      const row = await db.database.query(
        sql`select count(*)::int as sessions, count(f.session_id)::int as families
          from sessions s join users u on u.user_id = s.user_id left join sallyport_sessions f on f.session_id = s.session_id
          where u.email = ${email}`,
        z.object({ sessions: z.number(), families: z.number() }),
      );
      expect(row[0]!.families).toBe(row[0]!.sessions);
    };

    describe('no N+1 in the callback', () => {
      it('2 round trips for a known user and for a new one, 3 where the ID token does not tell, and one call to the provider', async () => {
        const account = await somebody();
        // Keys are fetched once.
        expect((await signInAt(open(), kanidm, await somebody(), KANIDM)).status).toBe(303);
        const trips = async (bare = false) => {
          const { browser, back } = await arriving(account);
          kanidm.idTokenIsBare = bare;
          auth.statements();
          kanidm.calls();
          expect((await browser.get(back)).status).toBe(303);
          kanidm.reset();
          return { statements: auth.statements().length, calls: kanidm.calls() };
        };
        expect(await trips()).toEqual({ statements: 2, calls: ['/token'] });
        expect(await trips()).toEqual({ statements: 2, calls: ['/token'] });
        expect(await trips(true)).toEqual({ statements: 2, calls: ['/token'] });
        Object.assign(account, await somebody());
        expect(await trips(true)).toEqual({ statements: 3, calls: ['/token', '/userinfo'] });
      });

      it('none for what is refused before it, and none to leave', async () => {
        auth.statements();
        const browser = open();
        await leave(browser, KANIDM);
        await browser.get('/api/v1/auth/oauth/callback/kanidm?state=x&code=y');
        expect(auth.statements()).toEqual([]);
      });
    });

    it('a callback is 503 or done; the person comes in at the next try, once', async () => {
      for (const known of [false, true])
        await severed.atEachCall(
          async () => {
            const account = await somebody();
            if (known) expect((await signInAt(open(), kanidm, account, KANIDM)).status).toBe(303);
            return arriving(account);
          },
          ({ browser, back }) => browser.get(back),
          async ({ account, browser, back }, answer) => {
            expect([303, 503]).toContain(answer.status);
            if (answer.status === 303) expect((await me(browser)).email).toBe(account.email);
            // The same answer of the provider: done now, or known to be spent.
            expect([303, 400]).toContain((await copy(browser).get(back)).status);
            const again = open();
            expect((await signInAt(again, kanidm, account, KANIDM)).status).toBe(303);
            expect((await me(again)).email).toBe(account.email);
            await isWhole(account);
          },
        );
    });

    it('a refusal that is not in the audit is 503, and one that is stays one', async () => {
      const tenant = await makeGroupedTenant(db.database);
      await severed.atEachCall(
        async () => arriving({ sub: randomUUID(), email: address(), groups: [tenant.slug] }),
        ({ browser, back }) => browser.get(back),
        async ({ account }, answer) => {
          expect([403, 503]).toContain(answer.status);
          const audited = await countOf(
            db.database,
            sql`sallyport_audit where detail ->> 'account' = ${account.sub}`,
          );
          expect(audited).toBeLessThanOrEqual(1);
          if (answer.status === 403) expect(audited).toBe(1);
          expect(await linkedTo(db.database, kanidm.url, account.sub)).toEqual([]);
        },
      );
    });

    it('a refresh is 503 or done, and the session goes on: the provider’s token is not lost and not used twice', async () => {
      await severed.atEachCall(
        async () => {
          const account = await somebody();
          const browser = open();
          await signInAt(browser, kanidm, account, KANIDM);
          return { account, browser };
        },
        ({ browser }) => browser.post(REFRESH),
        async ({ account, browser }, answer) => {
          expect([200, 503]).toContain(answer.status);
          expect((await browser.post(REFRESH)).status).toBe(200);
          expect((await browser.post(REFRESH)).status).toBe(200);
          expect((await me(browser)).email).toBe(account.email);
        },
      );
    });

    it('a back-channel logout that was not answered is done when it comes again', async () => {
      await severed.atEachCall(
        async () => {
          const account = await somebody();
          const browser = open();
          await signInAt(browser, kanidm, account, KANIDM);
          return { account, browser, token: await kanidm.logoutToken({ sub: account.sub }) };
        },
        ({ token }) => logout(token),
        async ({ browser, token }, answer) => {
          expect([200, 503]).toContain(answer.status);
          const second = await logout(token);
          expect([200, 400], `${answer.status} then ${await second.clone().text()}`).toContain(second.status);
          expect((await browser.get('/api/v1/auth/me')).status).toBe(401);
          expect((await browser.post(REFRESH)).status).toBe(401);
        },
      );
    });
    const logout = (token: string) =>
      auth.send('/api/v1/auth/oauth/backchannel-logout/kanidm', {
        method: 'POST',
        body: `logout_token=${token}`,
        headers: { 'content-type': 'application/x-www-form-urlencoded' },
      });
  },
);
