import { COUNTERS, type CountersConfig } from '../../shared/configuration/stores.ts';
import { green, NotSetUp, red, yellow, type Finding } from '../../shared/checks/check.ts';
import { CountersUnavailable } from '../../shared/errors.ts';
import type { Clock } from '../../shared/ports/runtime.ts';
import { openStoreCommands } from '../deps.ts';
import { partOf, type DoctorGround } from './ground.ts';

/** What becomes of rate limits while the store cannot count. */
const MEANWHILE: Readonly<Record<CountersConfig['rateLimitFailure'], string>> = {
  local: 'each process limits by counters of its own',
  open: 'rate limiting is skipped (RATE_LIMIT_FAILURE=open)',
  closed: 'every request is refused (RATE_LIMIT_FAILURE=closed)',
};

/** Counts by the very script of the gateway, which writes; then reads what a full store would do. */
export async function redis({ platform, clock }: DoctorGround): Promise<Finding> {
  const config = partOf(COUNTERS);
  const { counters } = config;
  if (counters.kind === 'memory')
    throw new NotSetUp(
      'counters live in each process (REDIS_URL is not set)',
      'set REDIS_URL where several processes serve',
    );
  let store: ReturnType<typeof platform.counters> = null;
  try {
    if (counters.kind === 'redis') await reachable(counters.url, clock);
    store = platform.counters(counters, clock);
    await store?.ready?.();
    await store?.ping();
    return counters.kind === 'redis'
      ? await eviction(counters.url, clock)
      : green('Upstash counts by the script of the gateway');
  } catch (error) {
    if (!(error instanceof CountersUnavailable)) throw error;
    return red(`${error.message}; meanwhile ${MEANWHILE[config.rateLimitFailure]}`, nextFor(error.message));
  } finally {
    store?.close?.();
  }
}

/** Names why no connection comes about, which the store of the gateway does not. */
async function reachable(url: string, clock: Clock): Promise<void> {
  const commands = openStoreCommands(url, clock);
  try {
    await commands.send(['PING']);
  } finally {
    commands.close();
  }
}

function nextFor(reason: string): string {
  if (/NOAUTH|WRONGPASS|invalid username-password/i.test(reason))
    return 'write user and password into REDIS_URL';
  if (/READONLY/.test(reason)) return 'let REDIS_URL lead to the primary, not to a replica';
  if (/NOPERM|can't run/.test(reason))
    return 'give the user of REDIS_URL +eval +evalsha +set +get +expire on ~*';
  if (/OOM/.test(reason)) return 'raise maxmemory of Redis';
  return 'start Redis, or let REDIS_URL lead to it';
}

const NO_EVICTION = 'CONFIG SET maxmemory-policy noeviction';

async function eviction(url: string, clock: Clock): Promise<Finding> {
  const commands = openStoreCommands(url, clock);
  try {
    const info = await commands.send(['INFO', 'memory']).catch(() => '');
    const memory = fieldsOf(typeof info === 'string' ? info : '');
    const policy = memory.get('maxmemory_policy');
    if (policy === undefined)
      return yellow(
        'the store counts; its eviction policy cannot be read',
        `make sure of it: ${NO_EVICTION}`,
      );
    if (policy === 'noeviction')
      return green('the store counts by the script, and drops nothing when it is full');
    const limit = Number(memory.get('maxmemory') ?? '0');
    const cause = `maxmemory-policy ${policy} drops marks of withdrawn tokens`;
    return limit === 0
      ? yellow(`${cause} once maxmemory is set`, `redis-cli ${NO_EVICTION}`)
      : red(`${cause} when memory is full: they would let people in again`, `redis-cli ${NO_EVICTION}`);
  } finally {
    commands.close();
  }
}

/** `name:value` lines of INFO. */
export function fieldsOf(info: string): ReadonlyMap<string, string> {
  return new Map(
    info.split(/\r?\n/).flatMap((line): [string, string][] => {
      const at = line.indexOf(':');
      return at < 1 ? [] : [[line.slice(0, at), line.slice(at + 1).trim()]];
    }),
  );
}
