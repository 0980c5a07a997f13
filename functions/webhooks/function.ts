import type { IssuerConfig } from '../../shared/configuration/config.ts';
import type { Database } from '../../shared/ports/database.ts';
import type { Deps } from '../../shared/deps.ts';
import type { OwnRoute } from '../../shared/edge/frame.ts';
import { createDiscovery } from '../../shared/keys/discovery.ts';
import { createKeySource } from '../../shared/keys/remote-keys.ts';
import type { Brought } from '../../shared/edge/function.ts';
import { callerOf, userOf } from '../../shared/identity/subjects.ts';
import { applyDue, type ApplyDeps } from './apply/apply.ts';
import { inboxCheck, measureDepth } from './inbox/depth.ts';
import { INBOX } from './inbox/queue.ts';
import { openQueue } from '../../shared/runs/queue.ts';
import { createEffects } from './apply/effects.ts';
import { parseGrants, type DefaultGrants } from './apply/grants.ts';
import { identitiesOf } from '../../shared/identity/identities.ts';
import { createMarks } from './apply/marks.ts';
import { webhookJobs, type Inbox } from './jobs.ts';
import { WEBHOOKS } from './slice.ts';
import { createOrganizations } from './apply/organizations.ts';
import { receive, type Delivery, type ReceiveDeps } from './receive/receive.ts';
import type { Sent } from './receive/verify.ts';

/** Drops what this instance remembers of a caller and of its OpenFGA user. */
export type Forget = (caller: string, user: string) => void;

export interface Webhooks extends Brought {
  readonly routes: readonly OwnRoute[];
  /** Null without a database or without Zitadel as an issuer. */
  readonly inbox: Inbox | null;
}

/** Events one request applies at most; the rest waits for the next request or the schedule. */
const APPLIED_PER_REQUEST = 32;

/** Wires the webhooks to the bundle's ports. Throws UnusableGrants. */
export function createWebhooks(deps: Deps, forget: Forget): Webhooks {
  const { config, database, clock, random, log } = deps;
  const { metrics, background } = deps.platform;
  const issuer = config.issuers.find(({ name }) => name === 'zitadel');
  const inbox =
    database === null || issuer === undefined ? null : createInbox(issuer, database, deps, forget);
  if (database !== null) measureDepth(metrics, database, clock);
  return {
    inbox,
    ...(database !== null && {
      checks: [inboxCheck(database, clock)],
      jobs: webhookJobs(deps, database, inbox),
    }),
    routes: webhookRoutes({
      webhooks: config.webhooks,
      database,
      clock,
      random,
      log,
      zitadel: issuer === undefined ? null : { config: issuer, keys: keysOf(issuer, deps) },
      count: metrics.counter('sallyport_webhooks_total', 'Webhooks by what became of them.', 'status'),
      nudge() {
        if (inbox === null) return;
        const applying = inbox.applyDue(APPLIED_PER_REQUEST).catch((error: unknown) => {
          log.error('webhook events not applied', {
            reason: error instanceof Error ? error.message : 'unknown',
          });
        });
        background(applying);
      },
    } satisfies ReceiveDeps),
  };
}

function createInbox(issuer: IssuerConfig, database: Database, deps: Deps, forget: Forget): Inbox {
  const forgetSubject = (subject: string): void => {
    forget(callerOf(issuer, subject), userOf(issuer, subject));
  };
  const identities = identitiesOf(issuer.name, database);
  const marks = createMarks({
    identities,
    revocations: deps.counters,
    clock: deps.clock,
    callerOf: (subject) => callerOf(issuer, subject),
    forget: forgetSubject,
  });
  deps.marksFrom(marks);
  const organizations = createOrganizations({
    database,
    identities,
    issuer,
    clock: deps.clock,
    random: deps.random,
    api: deps.config.zitadelApi === null ? null : { ...deps.config.zitadelApi, fetch: deps.platform.fetch },
  });
  const effects = createEffects({
    identities,
    marks,
    organizations,
    tuples: deps.tuples,
    grants: readGrants(deps),
    clock: deps.clock,
    userOf: (subject) => userOf(issuer, subject),
  });
  const apply: ApplyDeps = {
    queue: openQueue({ table: INBOX, database, random: deps.random }),
    async applyEvent(event) {
      await effects(event);
      // A decision remembered from before must not outlive the change, on this instance at least.
      forgetSubject(event.subject);
    },
    log: deps.log,
    count: deps.platform.metrics.counter(
      'sallyport_webhook_events_total',
      'Attempts to apply an event by their outcome.',
      'outcome',
    ),
  };
  return { applyDue: (limit) => applyDue(limit, apply), remark: () => marks.remark() };
}

function readGrants({ config, platform }: Deps): DefaultGrants {
  const { defaultGrants } = config.webhooks;
  return parseGrants(
    defaultGrants.kind === 'inline' ? defaultGrants.json : platform.readText(defaultGrants.path),
  );
}

/** Asked only where deliveries are of PAYLOAD_TYPE_JWT. */
function keysOf(issuer: IssuerConfig, deps: Deps) {
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
export function webhookRoutes(deps: ReceiveDeps): OwnRoute[] {
  return WEBHOOKS.paths.map((path) => ({
    path,
    methods: ['POST'],
    // All deliveries come from one address, and none that is refused comes again.
    quota: 'refusals',
    answer: ({ headers }, { body }) => answer({ headers, body }, DELIVERIES[path], deps),
  }));
}

async function answer(sent: Sent, delivery: Delivery, deps: ReceiveDeps): Promise<Response> {
  try {
    const received = await receive(sent, delivery, deps);
    deps.count(received.status);
    // Also after a duplicate: whoever sends again may be waiting for an event that failed.
    if (received.status !== 'ignored') deps.nudge();
    const headers = { 'cache-control': 'no-store' };
    return Response.json(received, { status: STATUS[received.status], headers });
  } catch (error) {
    deps.count('refused');
    throw error;
  }
}
