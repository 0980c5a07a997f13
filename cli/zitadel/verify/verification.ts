import { masterkey } from '../../operations.ts';
import type { Instance } from '../database/instances.ts';
import type { ZitadelDatabase } from '../database/open.ts';
import { changedByHand } from './by-hand.ts';
import { countsOf, patsOf, type Counts, type Pat } from './counts.ts';
import type { Finding } from './findings.ts';
import { foldedAway, KINDS } from './folding.ts';
import { proveFor } from './masterkey.ts';
import { eventTypes, projectionsBehind } from './projections.ts';
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
  onStep('events');
  const types = await eventTypes(zitadel, ids);
  onStep('projections');
  const findings: Finding[] = [...(await projectionsBehind(zitadel, ids, types))];
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
  const proof = await provedMasterkey(zitadel);
  const all = [...findings, ...ofSettings, ...proof.findings];
  onStep('counts');
  const counts = {
    ...(await countsOf(zitadel, ids)),
    events: types.reduce((sum, each) => sum + each.events, 0),
  };
  return {
    ok: !all.some((each) => each.fault),
    database: zitadel.shown,
    instances: settings,
    counts,
    projections: projectionsOf(zitadel),
    pats: await patsOf(zitadel, ids),
    masterkey: proof.masterkey,
    differs: all.filter((each) => each.fault),
    notes: all.filter((each) => !each.fault),
  };
}

function projectionsOf({ catalogue }: ZitadelDatabase): Record<string, string> {
  const named = Object.keys(REDUCES).map(
    (projection) => [projection, catalogue.versionOf(projection)] as const,
  );
  return Object.fromEntries(
    named.flatMap(([projection, name]) => (name === null ? [] : [[projection, name]])),
  );
}

/** The same with more findings. */
export function withFindings(verification: Verification, findings: readonly Finding[]): Verification {
  const faults = findings.filter(({ fault }) => fault);
  return {
    ...verification,
    ok: verification.ok && faults.length === 0,
    differs: [...verification.differs, ...faults],
    notes: [...verification.notes, ...findings.filter(({ fault }) => !fault)],
  };
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
