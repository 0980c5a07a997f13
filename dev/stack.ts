import { randomBytes } from 'node:crypto';
import { HANDLED_EVENT_TYPES } from '../functions/webhooks/event.ts';
import { startDoors, type DoorProvider, type Doors } from './doors.ts';
import { openInbox, type Inbox } from './inbox.ts';
import { generateKey } from './keys.ts';
import { METRICS_TOKEN } from './metrics-token.ts';
import { makeLegacyDatabase } from './legacy/database.ts';
import { adopt } from './migrate.ts';
import { startNeonEndpoint, type NeonEndpoint } from './neon.ts';
import type { WebClient } from './oidc/directory.ts';
import { startOidc, type OidcServer } from './oidc/index.ts';
import { startOpenFga } from './openfga/index.ts';
import { startPostgres, type Postgres } from './postgres.ts';
import { seed } from './seed.ts';
import { startSmtpSink, type SmtpSink } from './smtp/index.ts';
import { startUpstream } from './upstream/index.ts';
import type { Kanidm } from './kanidm/index.ts';
import { makeZitadelDatabase } from './zitadel/database/index.ts';
import { startZitadel, type Zitadel } from './zitadel/index.ts';
import { directoryOf } from './zitadel/sign-in.ts';

/** Variables of the gateway, by the names of docs/architecture.md. */
export type StackVariables = Readonly<Record<string, string>>;

export interface Stack {
  readonly variables: StackVariables;
  readonly oidc: OidcServer;
  readonly zitadel: Zitadel;
  readonly kanidm: Kanidm;
  readonly mails: SmtpSink;
  /** Stops every part; safe to call twice. */
  close(): Promise<void>;
}

export interface StackOptions {
  /** Where the gateway will listen: the upstream fetches its assertion keys there, events go to its webhook. */
  readonly gatewayUrl: string;
  /** Where people of the legacy application go; default Kanidm. */
  readonly provider?: DoorProvider;
  /** Called with the name of each of PARTS as it is up. */
  readonly onUp?: (part: string) => void;
}

/** How many times `onUp` is called. */
export const PARTS = 6;

interface Part {
  readonly url: string;
  close(): Promise<void>;
}

interface Parts {
  readonly zitadel: Zitadel;
  readonly doors: Doors;
  readonly oidc: OidcServer;
  readonly openfga: Part;
  readonly upstream: Part;
  readonly postgres: Part;
  readonly neon: NeonEndpoint;
  readonly mails: SmtpSink;
}

/** Everything the gateway talks to, in this process, on free loopback ports, gone when it ends. */
export async function startStack({ gatewayUrl, provider = 'kanidm', onUp }: StackOptions): Promise<Stack> {
  const signingKey = randomBytes(24).toString('base64url');
  let inbox: Inbox | undefined;
  const zitadel = await startZitadel({
    target: { url: `${gatewayUrl}/webhooks/zitadel`, signingKey },
    applied: async (userId) => inbox?.applied(userId),
  });
  showTarget(zitadel, `${gatewayUrl}/webhooks/zitadel`, signingKey);
  const announced = <T>(part: string, start: Promise<T>): Promise<T> =>
    start.then((started) => {
      onUp?.(part);
      return started;
    });
  const doors = startDoors(gatewayUrl, provider);
  const starting = [
    announced(
      'the OpenID provider',
      doors.then(({ webClient }) => startZitadelSignIn(zitadel, webClient)),
    ),
    announced('OpenFGA', startOpenFga()),
    announced(
      'the upstream',
      startUpstream({ gatewayJwksUrl: `${gatewayUrl}/.well-known/sallyport/jwks.json` }),
    ),
    announced('Postgres', startDatabase()),
    announced('Kanidm', doors),
    startNeonEndpoint(),
    announced('the mail server', startSmtpSink()),
  ] as const;
  let closing: Promise<void> | undefined;
  const close = () => (closing ??= closeAll(inbox, [Promise.resolve(zitadel), ...starting]));
  try {
    const [oidc, openfga, upstream, postgres, started, neon, mails] = await Promise.all(starting);
    inbox = openInbox(postgres.url);
    const parts = { zitadel, oidc, openfga, upstream, postgres, doors: started, neon, mails };
    const variables = await variablesOf(parts, signingKey);
    return { oidc, zitadel, kanidm: started.kanidm, mails, close, variables };
  } catch (error) {
    await close();
    throw error;
  }
}

/** As if a person had set it up: where events go is one of its targets, called for each. */
function showTarget({ settings }: Zitadel, endpoint: string, signingKey: string): void {
  const { targets, executions } = settings.now;
  targets.push({
    id: '1',
    value: { name: 'sallyport', restAsync: {}, timeout: '10s', endpoint, signingKey },
  });
  for (const event of HANDLED_EVENT_TYPES)
    executions.push({ condition: { event: { event } }, targets: ['1'] });
}

/** The OpenID provider of Zitadel, for the people of the demo and those of the directory. */
function startZitadelSignIn(zitadel: Zitadel, webClient: WebClient): Promise<OidcServer> {
  const isUser = (id: string): boolean => zitadel.users.has(id);
  return startOidc({ isUser, directory: directoryOf(zitadel), webClient });
}

async function startDatabase(): Promise<Postgres> {
  const postgres = await startPostgres();
  try {
    await makeLegacyDatabase(postgres.url);
    await adopt(postgres.url);
    await makeZitadelDatabase(postgres.url);
    return postgres;
  } catch (error) {
    await postgres.close();
    throw error;
  }
}

async function variablesOf(parts: Parts, signingKey: string): Promise<StackVariables> {
  const { zitadel, oidc, openfga, upstream, postgres, doors, neon, mails } = parts;
  const { storeId, modelId } = await seed({ url: openfga.url });
  const assertionKey = await generateKey('ES256', 'demo-gateway');
  return {
    UPSTREAM_URL: upstream.url,
    OPENFGA_URL: openfga.url,
    OPENFGA_STORE_ID: storeId,
    OPENFGA_MODEL_ID: modelId,
    ZITADEL_ISSUER_URL: oidc.url,
    ZITADEL_AUDIENCE: oidc.audience,
    ZITADEL_CLIENT_ID: oidc.clientId,
    ZITADEL_CLIENT_SECRET: oidc.clientSecret,
    ZITADEL_API_URL: zitadel.url,
    ZITADEL_DATABASE_URL: postgres.url,
    ZITADEL_SERVICE_TOKEN: zitadel.token,
    WEBHOOK_SIGNING_KEYS: signingKey,
    DATABASE_URL: postgres.url,
    DATABASE_HTTP_ENDPOINT: neon.endpoint,
    ASSERTION_KEYS: JSON.stringify({ keys: [assertionKey] }),
    METRICS_TOKEN,
    MAIL_URL: mails.mailUrl,
    MAIL_FROM: 'Inventory <no-reply@example.org>',
    MAIL_REPLY_TO: 'help@example.org',
    PRODUCT_NAME: 'Inventory',
    // Waves of all 500 go out at once.
    MAIL_RATE: '600/60s',
    ...doors.variables,
    ZITADEL_PROVISIONING_TOKEN: zitadel.token,
    // The demo's forward-auth lines come from this machine.
    TRUSTED_PROXIES: '127.0.0.1/32',
    ENVIRONMENT: 'development',
  };
}

/** Waits for the parts still starting, so that none outlives a start that failed elsewhere. */
async function closeAll(inbox: Inbox | undefined, parts: readonly Promise<Part>[]): Promise<void> {
  await inbox?.close();
  const settled = await Promise.allSettled(parts);
  await Promise.all(settled.flatMap((part) => (part.status === 'fulfilled' ? part.value.close() : [])));
}
