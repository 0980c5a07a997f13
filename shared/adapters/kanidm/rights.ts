import * as z from 'zod';
import type { Failure, RightsReport } from '../../ports/directory.ts';
import type { Caller } from '../provider-call.ts';
import { ask, asFailure, READ_MS, RIGHTS_REMEDY } from './client.ts';
import type { Sync } from './sync.ts';

const Self = z.object({
  youare: z.object({
    attrs: z.looseObject({
      name: z.tuple([z.string()]).rest(z.string()),
      memberof: z.array(z.string()).default([]),
    }),
  }),
});

type Report = { -readonly [Key in 'missing' | 'warnings']: RightsReport[Key][number][] };

/** Kanidm shows what a token may not see as absent, so its groups are read before anything else. */
export async function kanidmRights(
  caller: Caller,
  token: string,
  sync: Sync | null,
): Promise<RightsReport | Failure> {
  const answer = await ask(caller, { method: 'GET', path: '/v1/self', timeoutMs: READ_MS });
  if (answer.outcome !== 'ok') return asFailure(answer);
  const self = Self.safeParse(answer.body).data?.youare.attrs;
  if (self === undefined)
    return { outcome: 'denied', reason: 'the token belongs to no account', remedy: RIGHTS_REMEDY };
  const report: Report = { missing: [], warnings: [] };
  const groups = new Set(self.memberof.map((spn) => spn.split('@')[0]));
  judgeGroups(report, self.name[0], groups);
  if (isReadOnly(token))
    report.missing.push({
      right: 'a token that may write',
      remedy: `kanidm service-account api-token generate --readwrite ${self.name[0]} sallyport`,
    });
  if (sync !== null) {
    const checked = await sync.check();
    if (checked.outcome !== 'ok') return checked;
  }
  await judgeIndex(report, caller);
  return { outcome: 'rights', revives: groups.has('idm_recycle_bin_admins'), ...report };
}

function judgeGroups(
  { missing, warnings }: Report,
  name: string,
  groups: ReadonlySet<string | undefined>,
): void {
  const join = (group: string): string => `kanidm group add-members ${group} ${name}`;
  if (groups.has('idm_people_on_boarding') && !groups.has('idm_people_admins'))
    warnings.push({
      problem:
        'addresses and names cannot be read back or changed, and nobody removed: reconcile and rollback will fail',
      remedy: join('idm_people_admins'),
    });
  else if (!groups.has('idm_people_admins'))
    missing.push({ right: 'idm_people_admins', remedy: join('idm_people_admins') });
  if (!groups.has('idm_group_admins'))
    missing.push({ right: 'idm_group_admins', remedy: join('idm_group_admins') });
  if (!groups.has('idm_recycle_bin_admins'))
    warnings.push({
      problem: 'who was removed cannot be brought back, and keeps their id for 7 days',
      remedy: `${join('idm_recycle_bin_admins')} (as admin: idm_admin may not)`,
    });
}

const Claims = z.looseObject({ purpose: z.string() });

/** The claims of an API token name its purpose; a compact one has none. */
function isReadOnly(token: string): boolean {
  try {
    const claims: unknown = JSON.parse(Buffer.from(token.split('.')[1] ?? '', 'base64url').toString());
    return Claims.safeParse(claims).data?.purpose === 'readonly';
  } catch {
    return false;
  }
}

/** A search that only an index allows. */
async function judgeIndex({ warnings }: Report, caller: Caller): Promise<void> {
  const body = { filter: { eq: ['mail', 'nobody@sallyport.invalid'] } };
  const answer = await caller({ method: 'POST', path: '/v1/raw/search', body, timeoutMs: READ_MS });
  if (answer.outcome !== 'answered' || answer.status !== 500 || answer.body !== 'backend') return;
  warnings.push({
    problem: 'the database has no index of addresses: each person that is made costs a search through all',
    remedy: 'stop Kanidm, run `kanidmd database reindex`, start it',
  });
}
