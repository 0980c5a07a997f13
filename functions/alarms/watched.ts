import { judgeBackups, judgeProof } from '../../shared/checks/backups.ts';
import { NotSetUp, red, worst, type Finding } from '../../shared/checks/check.ts';
import { judgeCertificate, judgeTokens } from '../../shared/checks/expiry.ts';
import { reconcileLag } from '../../shared/checks/reconcile.ts';
import { openZitadel, type Deps } from '../../shared/deps.ts';
import type { AlarmName } from '../../shared/figures/alarms.ts';
import type { Database } from '../../shared/ports/database.ts';
import { allPats } from '../../shared/zitadel/credentials.ts';
import { readsOnce, ZitadelFault } from '../../shared/zitadel/once.ts';
import { systemFault } from '../../shared/system-errors.ts';
import type { Found } from './conditions.ts';
import type { AlarmsConfig, WatchedConfig } from './slice.ts';

type WatchDeps = Pick<Deps, 'platform' | 'clock'> & {
  readonly database: Pick<Database, 'query'>;
  readonly config: { readonly alarms: Pick<AlarmsConfig, 'watched'> };
};

export interface Watched {
  readonly found: readonly Found[];
  /** What this runtime cannot look at. */
  readonly leftOut: readonly string[];
}

const HANDSHAKE_MS = 5_000;

/** What runs out, or stands still unseen. What cannot be judged now stays as it is. Throws as `Database`. */
export async function findWatched(deps: WatchDeps): Promise<Watched> {
  const { watched } = deps.config.alarms;
  const found = [
    ...(await Promise.all([tokens(watched, deps), certificates(watched, deps), reconcile(deps)])),
    backups(watched, deps),
  ];
  const { certificate, backups: files } = deps.platform;
  return {
    found: found.filter((each) => each !== undefined),
    leftOut: [
      ...(certificate === null && watched.addresses.length > 0 ? ['certificates'] : []),
      ...(files === null && watched.backupDir !== null ? ['backups'] : []),
    ],
  };
}

/** What is not set up any more is no alarm. */
const NONE: Finding = { status: 'skipped', cause: 'is not set up', next: '' };

/** Yellow alarms where it tells of a day ahead, red alone where it only means not yet. */
function asAlarm(name: AlarmName, { status, cause, next }: Finding, from: 'yellow' | 'red'): Found {
  const raised = status === 'red' || (status === 'yellow' && from === 'yellow');
  const step = raised && next !== '' ? ` (${next})` : '';
  return { name, raised, value: null, detail: `${cause}${step}`.slice(0, 500) };
}

async function tokens(
  { zitadel }: WatchedConfig,
  { platform, clock }: WatchDeps,
): Promise<Found | undefined> {
  if (zitadel === null) return asAlarm('pat-expiry', NONE, 'yellow');
  try {
    const all = await allPats(readsOnce({ url: zitadel.url, api: openZitadel(zitadel, { platform }) }));
    return asAlarm('pat-expiry', judgeTokens(all, clock.now()), 'yellow');
  } catch (error) {
    if (!(error instanceof ZitadelFault)) throw error;
    // Away is another alarm, and a right that is lacking no expiry.
    if (error.status !== 401) return undefined;
    const dead = {
      status: 'red',
      cause: `ZITADEL_SERVICE_TOKEN is refused: ${error.message}`,
      next: 'sallyport zitadel tokens rotate',
    } as const;
    return asAlarm('pat-expiry', dead, 'yellow');
  }
}

async function certificates(
  { addresses }: WatchedConfig,
  { platform, clock }: WatchDeps,
): Promise<Found | undefined> {
  const { certificate } = platform;
  if (certificate === null) return undefined;
  const judged = await Promise.all(
    addresses.map(async ({ address }) => {
      try {
        const shown = `${address.host}:${address.port}`;
        return [judgeCertificate(shown, await certificate(address, HANDSHAKE_MS), clock.now())];
      } catch {
        // One that cannot be reached from here may not be meant to.
        return [];
      }
    }),
  );
  const read = judged.flat();
  if (read.length === 0 && addresses.length > 0) return undefined;
  return asAlarm('certificate-expiry', worst(read, NONE.cause), 'yellow');
}

async function reconcile({ database, config }: WatchDeps): Promise<Found> {
  if (config.alarms.watched.zitadel === null) return asAlarm('reconcile-lag', NONE, 'red');
  try {
    return asAlarm('reconcile-lag', await reconcileLag(database), 'red');
  } catch (error) {
    if (error instanceof NotSetUp) return asAlarm('reconcile-lag', NONE, 'red');
    throw error;
  }
}

/** Of BACKUP_DIR alone: a folder that nobody has named may not be meant. */
function backups({ backupDir }: WatchedConfig, { platform, clock }: WatchDeps): Found | undefined {
  if (backupDir === null) return asAlarm('backup-age', NONE, 'red');
  if (platform.backups === null) return undefined;
  try {
    const records = platform.backups(backupDir);
    const now = clock.now();
    const found =
      records === null
        ? red('there is no folder BACKUP_DIR')
        : worst([judgeBackups(records, 'BACKUP_DIR', now), judgeProof(records, now)], '');
    return asAlarm('backup-age', found, 'red');
  } catch (error) {
    return asAlarm(
      'backup-age',
      red(`BACKUP_DIR cannot be read: ${systemFault(error) ?? 'unknown error'}`),
      'red',
    );
  }
}
