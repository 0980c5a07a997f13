import { masterkey } from '../../operations.ts';
import type { Instance } from '../database/instances.ts';
import type { ZitadelDatabase } from '../database/open.ts';
import { changedByHand } from './by-hand.ts';
import { countsOf, patsOf, type Counts, type Pat } from './counts.ts';
import type { Finding } from './findings.ts';
import { foldedAway, KINDS } from './folding.ts';
import { proveFor } from './masterkey.ts';
import { eventsFailed, eventTypes, projectionsBehind } from './projections.ts';
import { REDUCES } from './reducers.ts';
import { settingsOf, type InstanceSettings } from './settings.ts';

export interface Verification {
  /** Whether nothing differs. */
  readonly ok: boolean;
  readonly database: string;
  readonly instances: readonly InstanceSettings[];
  readonly counts: Counts;
  /** Names of the projections that were read, by their names without numbers. */
  readonly projections: Readonly<Record<string, string>>;
  readonly pats: readonly Pat[];
  readonly masterkey: 'fits' | 'foreign' | 'not proven' | 'not checked';
  readonly differs: readonly Finding[];
  readonly notes: readonly Finding[];
  /** What to do. */
  readonly next: string;
}

const HEALTHY = '`sallyport zitadel login-names list` prints who may sign in';

const REBUILD =
  'rows and names come back when a projection is built anew: `zitadel setup --init-projections`, or a restore';

/** What no projection that is built anew mends. */
const MENDED: Partial<Record<Finding['check'], string>> = {
  masterkey: 'set ZITADEL_MASTERKEY (or _FILE) to the one that this database was made with',
  domains: 'set ZITADEL_EXTERNALDOMAIN to a domain of the instance',
};

function nextAfter(differs: readonly Finding[]): string {
  if (differs.length === 0) return HEALTHY;
  const ways = new Set(differs.map(({ check }) => MENDED[check] ?? REBUILD));
  return `${[...ways].join('; ')}; then run this again`;
}

export interface VerifyOptions {
  /** Absent: all. */
  readonly instances?: readonly Instance[];
  /** Null: not compared. */
  readonly externalDomain?: string | null;
  /** Whether it was named as such; one that is only the issuer's host gives a note. */
  readonly stated?: boolean;
  /** Called before each step, with its name. */
  readonly onStep?: (step: string) => void;
}

/** Checks one database by itself: what is there, and whether its projections are what the events say. */
export async function verifyDatabase(
  zitadel: ZitadelDatabase,
  options: VerifyOptions = {},
): Promise<Verification> {
  const { instances = zitadel.instances, externalDomain = null, stated = true } = options;
  const { onStep = () => undefined } = options;
  const ids = instances.map(({ id }) => id);
  // One that cannot be read is refused now, not after minutes.
  const proof = await provedMasterkey(zitadel);
  onStep('events');
  const types = await eventTypes(zitadel, ids);
  onStep('projections');
  const findings: Finding[] = [
    ...(await projectionsBehind(zitadel, ids, types)),
    ...(await eventsFailed(zitadel, ids)),
  ];
  for (const kind of KINDS) {
    onStep(`life of ${kind.tables[0]?.projection ?? kind.aggregate}`);
    findings.push(...(await foldedAway(zitadel, ids, kind)));
  }
  onStep('names and addresses');
  findings.push(...(await changedByHand(zitadel, ids)));
  onStep('settings');
  const { settings, findings: ofSettings } = await settingsOf(zitadel, instances, {
    domain: externalDomain,
    stated,
  });
  const all = [...findings, ...ofSettings, ...proof.findings];
  onStep('counts');
  const counts = {
    ...(await countsOf(zitadel, ids)),
    events: types.reduce((sum, each) => sum + each.events, 0),
  };
  const report = {
    database: zitadel.shown,
    instances: settings,
    counts,
    projections: projectionsOf(zitadel),
    pats: await patsOf(zitadel, ids),
    masterkey: proof.masterkey,
  };
  return judged(report, all);
}

function projectionsOf({ catalogue }: ZitadelDatabase): Record<string, string> {
  const named = Object.keys(REDUCES).map(
    (projection) => [projection, catalogue.versionOf(projection)] as const,
  );
  return Object.fromEntries(
    named.flatMap(([projection, name]) => (name === null ? [] : [[projection, name]])),
  );
}

type Report = Omit<Verification, 'ok' | 'differs' | 'notes' | 'next'>;

function judged(report: Report, findings: readonly Finding[]): Verification {
  const differs = findings.filter(({ fault }) => fault);
  const notes = findings.filter(({ fault }) => !fault);
  return { ...report, ok: differs.length === 0, differs, notes, next: nextAfter(differs) };
}

/** The same with more findings. */
export function withFindings(verification: Verification, findings: readonly Finding[]): Verification {
  return judged(verification, [...verification.differs, ...verification.notes, ...findings]);
}

async function provedMasterkey(
  zitadel: ZitadelDatabase,
): Promise<{ readonly masterkey: Verification['masterkey']; readonly findings: readonly Finding[] }> {
  const key = masterkey();
  const base = { check: 'masterkey', what: 'system.encryption_keys', samples: [] } as const;
  if (key === null) {
    const found = 'not checked: neither ZITADEL_MASTERKEY nor ZITADEL_MASTERKEY_FILE is set';
    return {
      masterkey: 'not checked',
      findings: [{ ...base, expected: 'a masterkey that fits', found, fault: false }],
    };
  }
  const proof = await proveFor(zitadel, key);
  if (proof.outcome === 'fits') return { masterkey: 'fits', findings: [] };
  const foreign = proof.outcome === 'foreign';
  return {
    masterkey: foreign ? 'foreign' : 'not proven',
    findings: [
      {
        ...base,
        expected: 'the masterkey of this database',
        found: foreign ? `another one: it opens none of ${proof.tried} keys` : 'nothing to prove it by',
        fault: foreign,
      },
    ],
  };
}
