import * as z from 'zod';
import type { Absent, Clash, Failure, Field, RefusedValue } from '../../ports/directory.ts';
import { reasonOf, type Caller, type ProviderAnswer } from '../provider-call.ts';

/** Kanidm waits 5 s for its one writer before it gives up. */
export const WRITE_MS = 15_000;
export const READ_MS = 10_000;
/** Without its index of mails each person in a batch costs as much as a search through all. */
export const batchMs = (size: number): number => WRITE_MS + size * 1_500;

/** The uuid exists already, perhaps in the recycle bin. */
export interface UuidTaken {
  readonly outcome: 'uuid-taken';
}

/** One of the members of a group is no account. */
export interface MemberUnknown {
  readonly outcome: 'member-unknown';
}

export type KanidmFault =
  Clash | RefusedValue | Absent | UuidTaken | MemberUnknown | { readonly outcome: 'stale-state' } | Failure;

/** A success with its body, or what the answer means. */
export async function ask(
  caller: Caller,
  call: Parameters<Caller>[0],
): Promise<{ readonly outcome: 'ok'; readonly body: unknown } | KanidmFault> {
  const answer = await caller(call);
  if (answer.outcome !== 'answered') return answer;
  return answer.status === 200 ? { outcome: 'ok', body: answer.body } : faultOf(answer);
}

/** What follows when the token is not accepted, or lacks a right. */
export const RIGHTS_REMEDY =
  'the service account of KANIDM_TOKEN needs idm_people_admins and idm_group_admins, and its token read-write: `kanidm group add-members idm_people_admins NAME`, `kanidm service-account api-token generate --readwrite NAME sallyport`';

function faultOf({ status, body }: ProviderAnswer): KanidmFault {
  const reason = reasonOf(status, body);
  if (status === 409) return clashOf(body, reason);
  if (status === 404) return body === 'nomatchingentries' ? { outcome: 'absent' } : notKanidm(reason);
  if (status === 401 || status === 403) return { outcome: 'denied', reason, remedy: RIGHTS_REMEDY };
  if (status === 400) return refusalOf(body, reason);
  if (status === 500) return ofOperation(body, reason);
  return { outcome: 'failed', reason };
}

function notKanidm(reason: string): Failure {
  return { outcome: 'failed', reason: `${reason}: is KANIDM_URL the address of Kanidm itself?` };
}

const Conflict = z.object({ conflicting_attributes: z.array(z.string()) });

const FIELDS: Readonly<Record<string, Field>> = {
  name: 'name',
  spn: 'name',
  mail: 'mail',
  uuid: 'id',
  displayname: 'displayName',
  password_import: 'password',
};

function clashOf(body: unknown, reason: string): KanidmFault {
  const named = Conflict.safeParse(body).data?.conflicting_attributes ?? [];
  const fields = [...new Set(named.flatMap((name) => FIELDS[name] ?? []))];
  return fields.length === 0 ? { outcome: 'failed', reason } : { outcome: 'clash', fields };
}

const Syntax = z.object({ schemaviolation: z.object({ invalidattributesyntax: z.string() }) });
const Attribute = z.object({ invalidattribute: z.string() });

function refusalOf(body: unknown, reason: string): RefusedValue {
  const attribute = Syntax.safeParse(body).data?.schemaviolation.invalidattributesyntax;
  const text = Attribute.safeParse(body).data?.invalidattribute ?? '';
  const field = FIELDS[attribute ?? ''] ?? (text.includes('Email') ? 'mail' : null);
  return { outcome: 'refused', field, reason };
}

const Plugin = z.object({ plugin: z.record(z.string(), z.string()) });

/** OperationError; units are plain words. */
function ofOperation(body: unknown, reason: string): KanidmFault {
  if (body === 'databaselockacquisitiontimeout') return { outcome: 'busy', reason, retryAfterSeconds: null };
  if (body === 'notauthorised') return { outcome: 'denied', reason, remedy: RIGHTS_REMEDY };
  // A sync account does not take over who exists as a local person.
  if (body === 'modifyassertionfailed') return { outcome: 'uuid-taken' };
  if (body === 'invalidsyncstate') return { outcome: 'stale-state' };
  const plugin = Plugin.safeParse(body).data?.plugin ?? {};
  if (plugin['base']?.includes('Uuid duplicate') === true) return { outcome: 'uuid-taken' };
  if (plugin['referentialintegrity'] !== undefined) return { outcome: 'member-unknown' };
  if (plugin['credimport'] !== undefined) return { outcome: 'refused', field: 'password', reason };
  return { outcome: 'failed', reason: body === 'invalidentrystate' ? `${reason}${YIELDS}` : reason };
}

/** So it refuses every new entry of a sync account that gave these away. */
const YIELDS =
  ': does the sync account yield displayname or mail? Its sync_yield_authority may name primary_credential and passkeys alone';

/** The failure that stands for a fault where a method has no outcome of its own for it. */
export function asFailure(fault: KanidmFault): Failure {
  switch (fault.outcome) {
    case 'away':
    case 'slow':
    case 'failed':
    case 'busy':
    case 'denied':
      return fault;
    case 'refused':
      return { outcome: 'failed', reason: fault.reason };
    case 'stale-state':
      return {
        outcome: 'busy',
        reason: 'another process synchronises at the same time',
        retryAfterSeconds: null,
      };
    default:
      return { outcome: 'failed', reason: `Kanidm answered ${fault.outcome}` };
  }
}
