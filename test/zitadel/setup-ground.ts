import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as z from 'zod';
import { startZitadel, type Zitadel, type ZitadelOptions } from '../../dev/zitadel/index.ts';
import { without } from '../../dev/zitadel/settings.ts';
import { sallyport, type Variables } from '../support/sallyport.ts';

export const WANTED = {
  publicUrl: 'https://gateway.example.org',
  organization: { name: 'Example' },
  project: {
    name: 'Auth Gateway API',
    roles: [{ key: 'member', name: 'Member' }, { key: 'admin' }],
  },
  api: { name: 'auth-gateway' },
  web: { name: 'sallyport' },
  serviceAccount: { username: 'gateway-service', description: 'reads events' },
  loginClient: { username: 'login-client' },
  smtp: {
    host: 'smtp.example.org:587',
    user: 'apikey',
    password: { env: 'SMTP_PASSWORD' },
    senderAddress: 'noreply@example.org',
    senderName: 'Example',
  },
  loginPolicy: { allowRegister: false },
  mfa: { force: 'administrators', secondFactors: ['otp', 'u2f', 'otp_email'] },
  identityProviders: [
    { type: 'google', name: 'Google', clientId: 'google-id', clientSecret: { env: 'GOOGLE_SECRET' } },
    {
      ...{ type: 'azure', name: 'Microsoft', clientId: 'azure-id', clientSecret: { env: 'AZURE_SECRET' } },
      tenant: 'common',
    },
  ],
  targets: [{ name: 'sallyport' }],
} as const;

/** Values that no output may have. */
export const SECRETS = {
  SMTP_PASSWORD: 'smtp-pass-7f3a',
  GOOGLE_SECRET: 'google-sec-91bc',
  AZURE_SECRET: 'azure-sec-55de',
};

const Step = z.object({ action: z.string(), what: z.string(), why: z.string().optional() });
export const Result = z.object({
  ok: z.boolean(),
  error: z.string().optional(),
  changed: z.number().optional(),
  done: z.array(Step).default([]),
  planned: z.array(Step).default([]),
  left: z.array(Step).default([]),
  kept: z.array(z.string()).default([]),
  notes: z.array(z.string()).default([]),
  unchecked: z.array(z.string()).default([]),
  next: z.string().optional(),
});

export interface SetupGround {
  readonly zitadel: Zitadel;
  readonly folder: string;
  /** A file of the ground's folder. */
  readonly file: (name: string) => string;
  readonly write: (name: string, content: unknown) => string;
  readonly read: (name: string) => string;
  readonly run: (args: readonly string[], more?: Variables) => Promise<Ran>;
  readonly close: () => Promise<void>;
}

export interface Ran {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
  readonly result: z.output<typeof Result>;
}

export async function openSetupGround(options: ZitadelOptions = {}): Promise<SetupGround> {
  const zitadel = await startZitadel(options);
  const folder = mkdtempSync(join(tmpdir(), 'sallyport-setup-'));
  const file = (name: string): string => join(folder, name);
  const write = (name: string, content: unknown): string => {
    writeFileSync(file(name), typeof content === 'string' ? content : JSON.stringify(content));
    return file(name);
  };
  write('setup.json', WANTED);
  return {
    ...{ zitadel, folder, file, write },
    read: (name) => readFileSync(file(name), 'utf8'),
    async run(args, more = {}) {
      const variables = {
        ...SECRETS,
        ZITADEL_API_URL: zitadel.url,
        ZITADEL_SERVICE_TOKEN: zitadel.token,
        BACKUP_DIR: file('backups'),
        ...more,
      };
      const ran = await sallyport(variables, 'zitadel', ...args, '--json');
      const parsed = Result.safeParse(json(ran.stdout));
      return { ...ran, result: parsed.data ?? Result.parse({ ok: false, error: ran.stdout + ran.stderr }) };
    },
    async close() {
      await zitadel.close();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

function json(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** What counts of an instance: everything that a set-up makes, without ids, times and secrets. */
export function shapeOf({ settings, users, organizations, grants }: Zitadel): unknown {
  const { now } = settings;
  const names = (
    entries: readonly { readonly id: string; readonly value: Readonly<Record<string, unknown>> }[],
  ) => entries.map(({ value }) => JSON.stringify(without(value, 'signingKey'), withoutIds)).sort();
  const targetNames = new Map(now.targets.map(({ id, value }) => [id, value['name']]));
  const nameOf = (id: string): string => (users.has(id) ? users.get(id).userName : id);
  return {
    organizations: [...organizations.all.values()].sort(),
    projects: [...now.projects.values()].map(({ name }) => name),
    roles: [...now.projects.keys()].flatMap((id) => [...grants.project(id).roles]),
    apps: [...now.apps.values()].map(names),
    email: names(now.email),
    idps: names(now.idps),
    targets: names(now.targets),
    executions: now.executions
      .map(({ condition, targets }) => [JSON.stringify(condition), targets.map((id) => targetNames.get(id))])
      .sort(),
    members: now.members.map(({ userId, roles }) => [nameOf(userId), roles]).sort(),
    pats: now.pats.map(({ userId }) => nameOf(userId)).sort(),
    policies: [...now.policies]
      .map(([key, policy]) => [key, JSON.stringify(Object.entries(policy).sort(), withoutIds)])
      .sort(),
  };
}

function withoutIds(name: string, value: unknown): unknown {
  return name === 'clientId' || name === 'idpId' ? typeof value : value;
}

const READS = /\/_?search$|\/List\w+$|^\/v2\/users$/;

/** Whether a request changes something. */
export function isCommand({ method, url }: Request): boolean {
  return method !== 'GET' && !READS.test(new URL(url).pathname);
}

/** Variables of an env file. */
export function variables(text: string): Readonly<Record<string, string>> {
  const lines = text.split('\n').filter((line) => line !== '' && !line.startsWith('#'));
  return Object.fromEntries(
    lines.map((line): [string, string] => [line.split('=')[0]!, line.slice(line.indexOf('=') + 1)]),
  );
}
