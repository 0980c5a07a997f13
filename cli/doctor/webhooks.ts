import { signatureOf } from '../../functions/alarms/events.ts';
import { readDepth } from '../../functions/webhooks/inbox/depth.ts';
import { reconcileDeps } from '../../functions/webhooks/jobs.ts';
import { HANDLED_EVENT_TYPES } from '../../functions/webhooks/event.ts';
import { reconcile } from '../../functions/webhooks/reconcile/reconcile.ts';
import { WEBHOOKS } from '../../functions/webhooks/slice.ts';
import { ZITADEL } from '../../shared/configuration/issuers.ts';
import { publicUrl } from '../../shared/configuration/sessions.ts';
import { green, NotSetUp, red, worst, yellow, type Finding } from '../../shared/checks/check.ts';
import { reconcileLag as lagOf } from '../../shared/checks/reconcile.ts';
import { messageOf } from '../../shared/errors.ts';
import { executionsOf, targetsOf, type Execution, type Target } from '../../shared/zitadel/actions.ts';
import { readsOnce } from '../../shared/zitadel/once.ts';
import type { ZitadelReader } from '../../shared/zitadel/reader.ts';
import { openZitadel } from '../deps.ts';
import { environment } from '../terminal.ts';
import { EXCHANGE_MS, partOf, withDatabase, type DoctorGround } from './ground.ts';
import { unlessUnread } from './zitadel.ts';

const PATH = '/webhooks/zitadel';

/** What Zitadel would call, and whether what answers there takes it. */
export async function webhooks(ground: DoctorGround): Promise<Finding> {
  const { zitadel } = partOf(ZITADEL);
  if (zitadel === null)
    throw new NotSetUp('events come from Zitadel alone, and ZITADEL_ISSUER_URL is not set');
  const { signingKeys } = partOf(WEBHOOKS.slice).webhooks;
  const [key] = signingKeys;
  if (key === undefined)
    throw new NotSetUp('no event is taken (WEBHOOK_SIGNING_KEYS is not set)', 'docs/zitadel-setup.md');
  const own = publicUrl.safeParse(environment['PUBLIC_URL']?.trim() ?? '').data;
  const { api } = zitadel;
  if (api === null) {
    if (own === undefined)
      throw new NotSetUp(
        'where Zitadel sends its events is not known',
        'set ZITADEL_SERVICE_TOKEN, or PUBLIC_URL',
      );
    return probe(own + PATH, key, ground);
  }
  return unlessUnread(
    byTargets(readsOnce({ url: api.url, api: openZitadel(api) }), signingKeys, (endpoint) =>
      probe(endpoint, key, ground),
    ),
    'the right action.target.read, as IAM_OWNER has it',
  );
}

async function byTargets(
  reads: ZitadelReader,
  signingKeys: readonly string[],
  probed: (endpoint: string) => Promise<Finding>,
): Promise<Finding> {
  const [targets, executions] = await Promise.all([targetsOf(reads), executionsOf(reads)]);
  const ours = targets.filter(({ endpoint }) => leadsHere(endpoint));
  if (ours.length === 0) return red(`Zitadel has no target that ends in ${PATH}`, 'sallyport zitadel setup');
  const probes = await Promise.all(ours.map(({ endpoint }) => probed(endpoint)));
  return worst([called(executions, ours), signed(ours, signingKeys), ...probes], '');
}

function leadsHere(endpoint: string): boolean {
  return URL.canParse(endpoint) && new URL(endpoint).pathname.endsWith(PATH);
}

/** One best match fires for an event: its own, the longest group, all. */
function called(executions: readonly Execution[], ours: readonly Target[]): Finding {
  const ids = new Set(ours.map(({ id }) => id));
  const missing = HANDLED_EVENT_TYPES.filter((type) => {
    const [best] = executions
      .flatMap(({ condition: { event: on }, targets }) => {
        const rank = on === undefined ? -1 : rankOf(on, type);
        return rank < 0 ? [] : [{ rank, targets }];
      })
      .toSorted((a, b) => b.rank - a.rank);
    return best?.targets.some((id) => ids.has(id)) !== true;
  });
  if (missing.length === 0) return green('Zitadel calls the gateway for every event that is handled');
  return red(`no execution leads ${missing.join(', ')} to the gateway`, 'sallyport zitadel setup --check');
}

function rankOf(on: NonNullable<Execution['condition']['event']>, type: string): number {
  if (on.event !== undefined && on.event !== '') return on.event === type ? Infinity : -1;
  if (on.group !== undefined && on.group !== '')
    return type.startsWith(`${on.group}.`) ? on.group.length : -1;
  return on.all === true ? 0 : -1;
}

function signed(ours: readonly Target[], keys: readonly string[]): Finding {
  const foreign = ours.filter(({ signingKey }) => signingKey !== '' && !keys.includes(signingKey));
  return foreign.length === 0
    ? green('Zitadel calls the gateway for every event that is handled')
    : red(
        `target ${foreign.map(({ id }) => id).join(', ')} signs by a key that is not among WEBHOOK_SIGNING_KEYS`,
        "put the target's signing key first in WEBHOOK_SIGNING_KEYS: docs/zitadel-setup.md#rotating-the-signing-key",
      );
}

/** Of a type that nothing handles: it is verified, read, and not stored. */
const PROBE = JSON.stringify({
  aggregateID: 'sallyport-doctor',
  aggregateType: 'doctor',
  instanceID: 'sallyport-doctor',
  sequence: 1,
  event_type: 'sallyport.doctor.probe',
  event_payload: {},
});

async function probe(url: string, key: string, { platform, clock }: DoctorGround): Promise<Finding> {
  const headers = {
    'content-type': 'application/json',
    'zitadel-signature': signatureOf(PROBE, key, Math.floor(clock.now() / 1_000)),
  };
  try {
    const { status } = await platform.exchange({
      method: 'POST',
      url,
      headers,
      body: PROBE,
      timeoutMs: EXCHANGE_MS,
    });
    if (status === 200) return green(`${url} takes a signed probe`);
    if (status === 401)
      return red(
        `${url} refuses the signature of a probe`,
        'the gateway that serves there has other WEBHOOK_SIGNING_KEYS: deploy these',
      );
    return red(`${url} answers a probe with ${status}`, 'let the target lead to the gateway itself');
  } catch (error) {
    return yellow(
      `${url} cannot be reached from here: ${messageOf(error)}`,
      'run the doctor in the network of Zitadel',
    );
  }
}

/** Milliseconds after which an event that waits is late. */
const LATE_S = 600;

export async function webhookInbox({ clock }: DoctorGround): Promise<Finding> {
  if (partOf(ZITADEL).zitadel === null)
    throw new NotSetUp('events come from Zitadel alone, and ZITADEL_ISSUER_URL is not set');
  return withDatabase(async (database) => {
    const { pending, dead, oldestSeconds } = await readDepth(database, clock);
    if (oldestSeconds > LATE_S)
      return red(
        `the oldest of ${pending} events has waited for ${Math.floor(oldestSeconds / 60)} minutes`,
        'sallyport cron run webhooks-apply',
      );
    if (dead > 0) return red(`${dead} events are set aside: their users are not up to date`);
    return green(pending === 0 ? 'every event is applied' : `${pending} events are on their way`);
  });
}

const LOOK_MS = 8_000;

export async function reconcileLag(ground: DoctorGround): Promise<Finding> {
  const config = partOf(ZITADEL);
  if (config.zitadel?.api == null)
    throw new NotSetUp(
      'missed events are not fetched (ZITADEL_SERVICE_TOKEN is not set)',
      'set ZITADEL_SERVICE_TOKEN',
    );
  return withDatabase(async (database) => {
    const found = await lagOf(database);
    const needs = reconcileDeps({ ...ground, database, config });
    if (found.status !== 'red' || needs === null) return found;
    try {
      const { missed } = await reconcile(needs, { dryRun: true, signal: AbortSignal.timeout(LOOK_MS) });
      return { ...found, cause: `${found.cause}; ${missed.length} events are not in the inbox` };
    } catch (error) {
      return { ...found, cause: `${found.cause}; ${messageOf(error)}` };
    }
  });
}
