import { readFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { seed } from '../../dev/seed.ts';
import { startOidc, type OidcServer } from '../../dev/oidc/index.ts';
import { migrate } from '../../dev/migrate.ts';
import { openPgDatabase } from '../../shared/adapters/postgres/pg.ts';
import { connectionTo } from '../../shared/adapters/postgres/tls.ts';
import { makePrivateKeys } from '../../shared/keys/signing-keys.ts';
import { makeUser, PASSWORD, type MadeUser } from '../auth/people.ts';
import { SignedIn } from '../auth/suite.ts';
import { openFgaBinary, startRealOpenFga, type OpenFgaService } from '../services/openfga.ts';
import { postgresMissing, startPostgres, type PostgresService } from '../services/postgres.ts';
import { startEchoUpstream, type EchoUpstream } from '../support/echo-upstream.ts';
import { node } from '../support/gateway/node.ts';
import { sallyport } from '../support/sallyport.ts';
import { execute, ZITADEL } from './stage.ts';

const DATABASES = ['zitadel', 'openfga', 'sallyport'] as const;
const DRILL = readFileSync('docs/disaster-recovery.md', 'utf8');

/** The commands of one section, as their words. */
function commandsOf(section: string): readonly (readonly string[])[] {
  const text = DRILL.split(/^## /m).find((each) => each.startsWith(section)) ?? '';
  return [...text.matchAll(/^npx sallyport (.+)$/gm)].map(([, line = '']) => line.trim().split(/\s+/));
}

/** Everything on one Postgres; what is there when it is opened is what `make` puts there. */
interface Site {
  readonly postgres: PostgresService;
  readonly url: (name: (typeof DATABASES)[number]) => string;
}

async function openSite(): Promise<Site> {
  const postgres = await startPostgres();
  if (postgres === undefined) throw new Error('no Postgres');
  // As docs/disaster-recovery.md has it.
  for (const name of DATABASES) await execute(postgres.url, `create role ${name} login`);
  await execute(postgres.url, 'create role reader');
  return { postgres, url: (name) => postgres.url.replace(/\/postgres$/, `/${name}`) };
}

describe.skipIf(postgresMissing || openFgaBinary() === undefined)(
  'the drill of docs/disaster-recovery.md (needs the postgresql package and OpenFGA)',
  () => {
    let folder: string;
    let oidc: OidcServer;
    let upstream: EchoUpstream;
    let site: Site;
    let openfga: OpenFgaService;
    let person: MadeUser;
    let stores: Awaited<ReturnType<typeof seed>>;
    let keys: readonly [session: string, assertion: string];
    const RULES = [{ path: '/documents/:id', method: 'GET', object: 'document:{id}', action: 'view' }];

    const variables = () => ({
      BACKUP_DIR: join(folder, 'backups'),
      ZITADEL_DATABASE_URL: site.url('zitadel'),
      OPENFGA_DATABASE_URL: site.url('openfga'),
      DATABASE_URL: site.url('sallyport'),
      OPENFGA_URL: openfga.url,
      OPENFGA_STORE_ID: stores.storeId,
      OPENFGA_MODEL_ID: stores.modelId,
      ACCESS_RULES: JSON.stringify(RULES),
      ACCESS_RULES_PREV: '[]',
      DEFAULT_GRANTS: '[]',
    });
    const walk = async (section: string) => {
      const commands = commandsOf(section);
      expect(commands.length).toBeGreaterThan(0);
      for (const words of commands) {
        const { code, stdout, stderr } = await sallyport(variables(), ...words);
        expect({ words, code, said: code === 0 ? '' : stdout + stderr }).toEqual({
          words,
          code: 0,
          said: '',
        });
      }
    };
    /** What two people get: one signs in by password here, one by a token of the provider. */
    const answers = async () => {
      const gateway = await node.start({
        ...variables(),
        DEFAULT_GRANTS: undefined!,
        FUNCTIONS: 'auth',
        PUBLIC_URL: 'http://127.0.0.1:3999',
        SESSION_KEYS: keys[0],
        ASSERTION_KEYS: keys[1],
        UPSTREAM_URL: upstream.url,
        ZITADEL_ISSUER_URL: oidc.url,
        ZITADEL_AUDIENCE: oidc.audience,
        SHARED_SUBJECT_ISSUERS: 'session,zitadel',
        OPENFGA_MODEL: 'off',
        PASSWORD_COST: '4',
      });
      try {
        const login = await gateway.fetch('/api/v1/auth/login', {
          method: 'POST',
          headers: { 'content-type': 'application/json' },
          body: JSON.stringify({ email: person.email, password: PASSWORD }),
        });
        const { access_token: own } = SignedIn.parse(await login.json());
        const alice = await oidc.mintToken('alice');
        const status = async (path: string, token: string) =>
          (await gateway.fetch(path, { headers: { authorization: `Bearer ${token}` } })).status;
        return {
          person: [await status('/documents/7', own), await status('/documents/1', own)],
          alice: [await status('/documents/1', alice), await status('/documents/7', alice)],
        };
      } finally {
        await gateway.close();
      }
    };
    const GRANTED = { person: [200, 403], alice: [200, 403] };

    beforeAll(async () => {
      folder = await mkdtemp(join(tmpdir(), 'sallyport-drill-'));
      [oidc, upstream, site] = await Promise.all([startOidc(), startEchoUpstream(), openSite()]);
      keys = [await makePrivateKeys(), await makePrivateKeys()];
      for (const name of DATABASES) await execute(site.postgres.url, `create database ${name} owner ${name}`);
      await execute(site.url('zitadel'), `set role zitadel; ${ZITADEL}`);
      await migrate(site.url('sallyport'));
      const database = openPgDatabase({ url: site.url('sallyport'), max: 1, connectionTo });
      person = await makeUser(database);
      await database.close();
      openfga = (await startRealOpenFga({ databaseUrl: `${site.url('openfga')}?sslmode=disable` }))!;
      stores = await seed({ url: openfga.url });
      const written = await fetch(`${openfga.url}/stores/${stores.storeId}/write`, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify({
          writes: {
            tuple_keys: [{ user: `user:${person.userId}`, relation: 'viewer', object: 'document:7' }],
          },
        }),
      });
      expect(written.status).toBe(200);
    });
    afterAll(async () => {
      await openfga.close();
      await site.postgres.close();
      await upstream.close();
      await oidc.close();
      await rm(folder, { recursive: true, force: true });
    });

    it('backs up, loses everything, restores by its commands, and people sign in and may what they might', async () => {
      expect(await answers()).toEqual(GRANTED);
      await walk('1. Before');

      await openfga.close();
      await site.postgres.close();
      site = await openSite();
      await expect(execute(site.url('sallyport'), 'select 1')).rejects.toThrow('does not exist');

      await walk('3. Restore');
      openfga = (await startRealOpenFga({ databaseUrl: `${site.url('openfga')}?sslmode=disable` }))!;
      await walk('4. Start');
      expect(await answers()).toEqual(GRANTED);
      expect(await execute(site.url('zitadel'), 'select count(*)::int as n from eventstore.events2')).toEqual(
        [{ n: 500 }],
      );
    });
  },
);
