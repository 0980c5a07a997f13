import { existsSync, readFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { zitadelClient, type ZitadelClient } from '../../cli/zitadel/api/client.ts';
import { planImport } from '../../cli/zitadel/config/apply.ts';
import { readConfiguration } from '../../cli/zitadel/config/read.ts';
import { OutFile } from '../../cli/zitadel/setup/out.ts';
import { readSetupFile } from '../../cli/zitadel/setup/file.ts';
import { Asked } from '../../cli/zitadel/setup/plan.ts';
import { carryOut, type Found } from '../../cli/zitadel/setup/run.ts';
import { placeOf, survey } from '../../cli/zitadel/setup/survey.ts';
import { openZitadel } from '../../cli/deps.ts';
import type { ZitadelCall } from '../../shared/ports/zitadel-api.ts';
import { openSetupGround, SECRETS, WANTED, type SetupGround } from './setup-ground.ts';

const FACTS = new URL('../../../shared/facts/', import.meta.url);
const factsMissing = !existsSync(FACTS);
const lines = (name: string): string[] => readFileSync(new URL(name, FACTS), 'utf8').trim().split('\n');

/** Messages and enumerations of the API, by their names without `zitadel.`. */
function definitions() {
  const messages = new Map<string, Map<string, { readonly type: string; readonly list: boolean }>>();
  const enumerations = new Map<string, readonly string[]>();
  for (const line of lines('zitadel_messages_v4.13.txt')) {
    const [, kind, name = '', inner = ''] = /^(enum )?zitadel\.(\S+) \{ ?(.*?) ?\}$/.exec(line) ?? [];
    if (kind !== undefined)
      enumerations.set(
        name,
        [...inner.matchAll(/([A-Z0-9_]+)=/g)].map(([, each]) => each!),
      );
    else if (name !== '')
      messages.set(
        name,
        new Map(
          [...inner.matchAll(/(?:^|; ?)(repeated |optional )?(\w+):([^;]+)/g)].map(
            ([, mark, field, type]) => [field!, { type: type!.trim(), list: mark === 'repeated ' }] as const,
          ),
        ),
      );
  }
  return { messages, enumerations };
}

const BASES: Readonly<Record<string, string>> = {
  admin: '/admin/v1',
  management: '/management/v1',
  auth: '/auth/v1',
};

/** The message that a call's body is. */
function routes(): (call: ZitadelCall) => string | undefined {
  const all = lines('zitadel_routes_v4.13.tsv').map((line) => {
    const [rpc = '', http = '', message = ''] = line.split('\t');
    const [, service = ''] = /^zitadel\.(\w+)\.v1\./.exec(rpc) ?? [];
    const [method = '', path = ''] = http.split(' ');
    const pattern = ((BASES[service] ?? '') + path).replaceAll(/[.*+?^$()|[\]\\]/g, String.raw`\$&`);
    const rest = new RegExp(`^${pattern.replaceAll(/\{[^}]*\}/g, '[^/]+')}$`);
    return {
      connect: `/${rpc.replace(/\.(\w+)$/, '/$1')}`,
      method,
      rest,
      plain: !path.includes('{'),
      message,
    };
  });
  all.sort((one, other) => Number(other.plain) - Number(one.plain));
  return ({ method, path }) =>
    all.find(
      (each) => each.connect === path || (each.method === method && each.rest.test(path.split('?')[0]!)),
    )?.message;
}

describe.skipIf(factsMissing)(
  'calls of set-up and import, beside the definitions of Zitadel 4.13 (needs ../shared/facts)',
  () => {
    const calls: ZitadelCall[] = [];
    let ground: SetupGround;
    let other: SetupGround;
    beforeAll(async () => {
      for (const [name, value] of Object.entries(SECRETS)) vi.stubEnv(name, value);
      ground = await openSetupGround();
      other = await openSetupGround();
    });
    afterAll(async () => {
      vi.unstubAllEnvs();
      await ground.close();
      await other.close();
    });

    const clientOf = ({ zitadel: { url, token } }: SetupGround): ZitadelClient => {
      const api = openZitadel({ url, token });
      return zitadelClient({ url, token, api: (call) => (calls.push(call), api(call)) });
    };
    const bar = { update: () => undefined };

    async function setUp(content: object): Promise<void> {
      const of = {
        wanted: await readSetupFile(ground.write('setup.json', content)),
        client: clientOf(ground),
        out: await OutFile.open(ground.file('out.env')),
        asked: new Asked(['ZITADEL_CLIENT_SECRET', 'ZITADEL_OAUTH_CLIENT_SECRET'], true),
        now: Date.now,
      };
      const place = await placeOf(of, true);
      const { unseen } = await carryOut(await survey(of, place), () => survey(of, place), bar);
      expect(unseen).toEqual([]);
    }

    async function carry(): Promise<void> {
      const client = clientOf(other);
      const out = await OutFile.open(other.file('out.env'));
      const { configuration } = await readConfiguration(clientOf(ground));
      const look = async (): Promise<Found> => {
        const plan = planImport({ client, out }, await readConfiguration(client), configuration);
        return { out, plans: [plan], branches: [plan.steps], last: [] };
      };
      expect((await carryOut(await look(), look, bar)).unseen).toEqual([]);
    }

    it('have the routes, members and values that are there', async () => {
      await setUp(WANTED);
      await setUp({
        ...WANTED,
        project: {
          ...WANTED.project,
          roleCheck: true,
          roles: [{ key: 'member', name: 'Other', group: 'g' }],
        },
        web: { ...WANTED.web, redirectUris: ['http://localhost/x'], accessToken: 'bearer' },
        serviceAccount: { ...WANTED.serviceAccount, description: 'other', roles: ['IAM_OWNER'] },
        smtp: { ...WANTED.smtp, senderName: 'Other', replyTo: 'x@example.org' },
        loginPolicy: { hidePasswordReset: true, passwordlessType: 'PASSWORDLESS_TYPE_NOT_ALLOWED' },
        mfa: { force: 'local', secondFactors: ['otp_sms', 'recovery_codes'] },
        identityProviders: [{ ...WANTED.identityProviders[1], tenant: '1-2-3', emailVerified: true }],
        targets: [{ name: 'sallyport', timeout: '5s' }],
      });
      await carry();
      const { messages, enumerations } = definitions();
      const faults = new Set<string>();
      const check = (type: string, value: unknown, where: string): void => {
        if (enumerations.get(type)?.includes(String(value)) === false)
          faults.add(`${where}: ${String(value)}`);
        const fields = messages.get(type);
        if (fields === undefined || typeof value !== 'object' || value === null) return;
        for (const [name, each] of Object.entries(value)) {
          const field = fields.get(name);
          if (field === undefined || field.list !== Array.isArray(each))
            faults.add(`${where}: ${type}.${name}`);
          else for (const one of field.list ? (each as unknown[]) : [each]) check(field.type, one, where);
        }
      };
      const messageOf = routes();
      for (const call of calls) {
        const where = `${call.method} ${call.path}`;
        const message = messageOf(call);
        if (message === undefined) faults.add(where);
        else check(message, call.body, where);
      }
      expect(calls.length).toBeGreaterThan(200);
      expect([...faults]).toEqual([]);
    });
  },
);
