import { rowsOf } from '../../dump/inspect.ts';
import { proveMasterkey } from '../../dump/masterkey.ts';
import { sizeOf } from '../size.ts';
import { stepsAgainst, stepsAgainstVersion, type StepsVerdict } from '../versions.ts';
import { numbered, some, type Check, type Preflight } from './check.ts';

export function product({ dump }: Preflight): Check {
  const domains = some(dump.domains.map(({ domain: each }) => each));
  const says = [
    `${numbered(dump.instances.length, 'instance')} (${domains})`,
    numbered(rowsOf(dump, 'orgs'), 'organisation'),
    numbered(rowsOf(dump, 'users'), 'user'),
    numbered(dump.tables.get('eventstore.events2') ?? 0, 'event'),
  ].join(', ');
  if (dump.instances.length === 0)
    return {
      name: 'dump',
      verdict: 'no',
      says: `it holds no instance of Zitadel (${says}): was it made with --schema-only?`,
    };
  return { name: 'dump', verdict: 'ok', says };
}

export function owner({ dump, state, owner: own }: Preflight): Check {
  const name = 'owner';
  const now = state?.zitadel?.owner;
  if (dump.owners.length === 0)
    return {
      name,
      verdict: 'ok',
      says: `the dump was made with --no-owner: all will belong to ${own || 'nobody'}`,
    };
  if (now === undefined || dump.owners.includes(now)) return { name, verdict: 'ok', says: some(dump.owners) };
  return {
    name,
    verdict: 'warning',
    says: `what the dump makes will belong to ${some(dump.owners)}, the tables here belong to ${now}: Zitadel has to connect as the former then. Of a dump made with --no-owner all would belong to ${now}`,
  };
}

export function target({ server, former, state }: Preflight): Check {
  const name = 'target';
  if (former === undefined)
    return { name, verdict: 'warning', says: `there is no database ${server.target} yet: it will be made` };
  if (state?.isReadable === false)
    return { name, verdict: 'warning', says: `${server.shown} is not readable for this role` };
  if (state !== undefined && state.zitadel === null && state.tables > 0)
    return {
      name,
      verdict: 'no',
      says: `${server.target} holds ${numbered(state.tables, 'table')} that are not Zitadel's: is ZITADEL_DATABASE_URL right?`,
    };
  const empty = state?.zitadel == null ? ', empty' : '';
  return { name, verdict: 'ok', says: `${server.shown}, ${sizeOf(former.bytes)}${empty}` };
}

export function setupSteps({ dump, state, targetVersion }: Preflight): Check {
  const target = state?.zitadel?.steps ?? [];
  const verdicts: readonly (readonly [string, StepsVerdict])[] = [
    ...(target.length === 0 ? [] : [['the target', stepsAgainst(dump.steps, target)] as const]),
    ...(targetVersion === undefined
      ? []
      : [[`Zitadel ${targetVersion}`, stepsAgainstVersion(dump.steps, targetVersion)] as const]),
  ];
  const name = 'setup steps';
  // A release that is named is the one that will run, whatever ran here before.
  const decisive = verdicts.findLast(([, { outcome }]) => outcome !== 'unknown') ?? verdicts.at(-1);
  if (decisive === undefined)
    return {
      name,
      verdict: 'warning',
      says: 'the target has none to compare with: --target-version names the release that will run',
    };
  const [where, verdict] = decisive;
  if (verdict.outcome === 'newer')
    return {
      name,
      verdict: 'no',
      says: `the dump is of a newer Zitadel than ${where}: ${some(verdict.steps)}. Upgrade Zitadel here first`,
    };
  if (verdict.outcome === 'unknown') return { name, verdict: 'warning', says: verdict.why };
  if (verdict.outcome === 'unlike')
    return {
      name,
      verdict: 'warning',
      says: `${where} has not done ${some(verdict.steps)}, which the dump has`,
    };
  return { name, verdict: 'ok', says: `all ${dump.steps.length} are known to ${where}` };
}

export function masterkey({ dump, masterkey: key }: Preflight): Check {
  const name = 'masterkey';
  if (key === null)
    return {
      name,
      verdict: 'skipped',
      says: 'ZITADEL_MASTERKEY is not set: whether it fits the dump is not proven. Another one is silent until sign-ins fail',
    };
  const proof = proveMasterkey(key, dump);
  if (proof.outcome === 'fits') return { name, verdict: 'ok', says: `it opens ${proof.by} of the dump` };
  const says =
    proof.outcome === 'foreign'
      ? `ZITADEL_MASTERKEY is not the one of the dump: none of ${proof.tried} keys opens with it. Zitadel would start, and refuse every token`
      : 'the dump holds no key to prove it by: leave ZITADEL_MASTERKEY unset to go on without the proof';
  return { name, verdict: 'no', says };
}

export function domain({ dump, externalDomain }: Preflight): Check {
  const name = 'domain';
  const found = dump.domains.map((each) => each.domain);
  if (externalDomain === null)
    return {
      name,
      verdict: 'skipped',
      says: `ZITADEL_EXTERNALDOMAIN is not set; the dump's instances have ${some(found)}`,
    };
  if (found.some((each) => each.toLowerCase() === externalDomain.toLowerCase()))
    return { name, verdict: 'ok', says: `${externalDomain} is a domain of the dump's instances` };
  return {
    name,
    verdict: 'no',
    says: `${externalDomain} (ZITADEL_EXTERNALDOMAIN) is no domain of the dump's instances, which have ${some(found)}`,
  };
}

export function release({ dump, server }: Preflight): Check {
  const major = Number(/^\d+/.exec(dump.server ?? '')?.[0] ?? 0);
  const name = 'postgres';
  const says = `dumped from PostgreSQL ${dump.server ?? '(unknown)'}, restored into ${server.major}`;
  return { name, verdict: major > server.major ? 'warning' : 'ok', says };
}
