import type { ZitadelConfig } from '../../shared/configuration/issuers.ts';
import type { TextSource } from '../../shared/configuration/values.ts';
import type { Database } from '../../shared/ports/database.ts';
import type { Deps } from '../../shared/deps.ts';
import type { OwnRoute } from '../../shared/edge/frame.ts';
import { createDiscovery } from '../../shared/keys/discovery.ts';
import { createKeySource } from '../../shared/keys/remote-keys.ts';
import type { Brought } from '../../shared/edge/function.ts';
import { callerOf, userOf, type Issuer } from '../../shared/identity/subjects.ts';
import { applyDue, type ApplyDeps } from './apply/apply.ts';
import { inboxCheck, measureDepth } from './inbox/depth.ts';
import { INBOX } from './inbox/table.ts';
import { openQueue } from '../../shared/runs/queue.ts';
import { accountsOf } from './apply/accounts.ts';
import { createEffects } from './apply/effects.ts';
import { parseGrants, type DefaultGrants } from './apply/grants.ts';
import { identitiesOf } from '../../shared/identity/identities.ts';
import { createMarks, type Marks } from './apply/marks.ts';
import { webhookJobs, type Inbox } from './jobs.ts';
import { WEBHOOKS, type SignersConfig } from './slice.ts';
import { createOrganizations } from './apply/organizations.ts';
import { receive, type Delivery, type ReceiveDeps } from './receive/receive.ts';
import type { Sent } from './receive/verify.ts';
import { messageOf } from '../../shared/errors.ts';

/** Drops this instance's cache entries of an OpenFGA user. */
type Forget = (user: string) => void;

export interface Webhooks extends Brought {
  readonly routes: readonly OwnRoute[];
  /** Null without a database or without Zitadel as an issuer. */
  readonly inbox: Inbox | null;
  /** Applies in the background what is due in the inbox. */
  readonly nudge: () => void;
}

/** Most events applied per request; the rest waits for the next request or the schedule. */
const APPLIED_PER_REQUEST = 32;

type InboxNeeds = Pick<
  Deps,
  'platform' | 'clock' | 'random' | 'log' | 'revocations' | 'marksFrom' | 'tuples'
> & { readonly forget: Forget; readonly config: { readonly defaultGrants: TextSource } };

type Needs = InboxNeeds &
  Pick<Deps, 'database' | 'collapse'> & {
    readonly config: SignersConfig & { readonly zitadel: ZitadelConfig | null };
  };

/** Wires the webhooks to the bundle's ports. Throws UnusableGrants. */
export function createWebhooks(deps: Needs): Webhooks {
  const { config, database, clock, random, log } = deps;
  const { metrics, background } = deps.platform;
  const { zitadel } = config;
  const inbox = database === null || zitadel === null ? null : openInbox(zitadel, database, deps);
  if (database !== null) measureDepth(metrics, database, clock);
  const nudge = (): void => {
    if (inbox === null) return;
    const applying = inbox.applyDue(APPLIED_PER_REQUEST).catch((error: unknown) => {
      log.error('webhook events not applied', { reason: messageOf(error) });
    });
    background(applying);
  };
  return {
    inbox,
    nudge,
    ...(database !== null && {
      checks: [inboxCheck(database, clock)],
      jobs: webhookJobs({ ...deps, database }, inbox),
    }),
    routes: webhookRoutes({
      webhooks: config.webhooks,
      database,
      clock,
      random,
      log,
      zitadel: zitadel === null ? null : { issuer: zitadel.issuer, keys: keysOf(zitadel.issuer, deps) },
      count: metrics.counter('sallyport_webhooks_total', 'Webhooks by what became of them.', 'status'),
      nudge,
    } satisfies ReceiveDeps),
  };
}

/** Marks of this provider's users; makes the mirror the source from which counters restore marks that their store has lost. */
export function openMarks(
  issuer: Issuer,
  database: Database,
  {
    revocations,
    clock,
    marksFrom,
    forget,
  }: Pick<InboxNeeds, 'revocations' | 'clock' | 'marksFrom' | 'forget'>,
): Marks {
  const marks = createMarks({
    identities: identitiesOf(issuer.name, database),
    revocations,
    clock,
    callerOf: (subject) => callerOf(issuer, subject),
    forget: (subject) => {
      forget(userOf(issuer, subject));
    },
  });
  marksFrom(marks);
  return marks;
}

/** Throws UnusableGrants. */
export function openInbox({ issuer, api }: ZitadelConfig, database: Database, deps: InboxNeeds): Inbox {
  const { clock, random, log, platform } = deps;
  const identities = identitiesOf(issuer.name, database);
  const marks = openMarks(issuer, database, deps);
  const effects = createEffects({
    identities,
    accounts: accountsOf(issuer, database),
    marks,
    organizations: createOrganizations({
      database,
      identities,
      issuer,
      clock,
      random,
      api: api === null ? null : { ...api, fetch: platform.fetch },
    }),
    tuples: deps.tuples,
    grants: readGrants(deps),
    clock,
    userOf: (subject) => userOf(issuer, subject),
  });
  const apply: ApplyDeps = {
    queue: openQueue({ table: INBOX, database, random }),
    async applyEvent(event) {
      await effects(event);
      // A cached decision must not outlive the change, at least on this instance.
      deps.forget(userOf(issuer, event.subject));
    },
    log,
    count: platform.metrics.counter(
      'sallyport_webhook_events_total',
      'Attempts to apply an event by their outcome.',
      'outcome',
    ),
  };
  return { applyDue: (limit) => applyDue(limit, apply), remark: () => marks.remark() };
}

function readGrants({ config, platform }: Pick<InboxNeeds, 'config' | 'platform'>): DefaultGrants {
  const { defaultGrants } = config;
  return parseGrants(
    defaultGrants.kind === 'inline' ? defaultGrants.json : platform.readText(defaultGrants.path),
  );
}

/** Used only for deliveries of PAYLOAD_TYPE_JWT. */
function keysOf(issuer: Issuer, deps: Pick<Needs, 'platform' | 'clock' | 'log' | 'collapse'>) {
  const { clock, log, collapse } = deps;
  const provider = { fetch: deps.platform.fetch, clock, background: deps.platform.background, log, collapse };
  return createKeySource(createDiscovery(issuer.url, provider), provider);
}

const DELIVERIES: Readonly<Record<(typeof WEBHOOKS.paths)[number], Delivery>> = {
  '/webhooks/zitadel': 'event',
  '/webhooks/user-created': 'created',
  '/webhooks/user-updated': 'updated',
  '/webhooks/user-deleted': 'deleted',
};

const STATUS = { accepted: 202, set_aside: 202, duplicate: 200, ignored: 200 } as const;

/** Events of the identity provider: verify, record once, apply, acknowledge. */
function webhookRoutes(deps: ReceiveDeps): OwnRoute[] {
  return WEBHOOKS.paths.map((path) => ({
    path,
    methods: ['POST'],
    // All deliveries come from one address, and a refused one is not retried.
    quota: 'refusals',
    answer: ({ headers }, { body }) => answer({ headers, body }, DELIVERIES[path], deps),
  }));
}

async function answer(sent: Sent, delivery: Delivery, deps: ReceiveDeps): Promise<Response> {
  try {
    const received = await receive(sent, delivery, deps);
    deps.count(received.status);
    // Also after a duplicate: the sender may be waiting for an event that failed.
    if (received.status !== 'ignored') deps.nudge();
    const headers = { 'cache-control': 'no-store' };
    return Response.json(received, { status: STATUS[received.status], headers });
  } catch (error) {
    deps.count('refused');
    throw error;
  }
}
