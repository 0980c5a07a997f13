import * as z from 'zod';
import type { ZitadelDirectoryConfig } from '../../configuration/providers.ts';
import type { Failure } from '../../ports/directory.ts';
import type { WrittenRoles } from './written-roles.ts';
import { reasonOf, type Caller, type ProviderAnswer } from '../provider-call.ts';

export interface ZitadelParts {
  readonly caller: Caller;
  readonly config: ZitadelDirectoryConfig;
  readonly written: WrittenRoles;
}

/** The organisation that people of a tenant are in; null: that of the token. */
export function organizationOf(
  { tenancy, organization }: ZitadelDirectoryConfig,
  tenantId: string | null,
): string | null {
  return tenancy === 'roles' ? organization : tenantId;
}

export const READ_MS = 10_000;
/** A plain password is hashed before the answer, which takes seconds. */
export const WRITE_MS = 15_000;

/** Zitadel refused the call. */
export interface ZitadelFault {
  readonly outcome: 'fault';
  readonly status: number;
  /** The refusal's id in Zitadel's source, such as COMMAND-7yiox1isql; empty where the form of the request is refused. */
  readonly id: string;
  readonly reason: string;
}

export type Asked = { readonly outcome: 'ok'; readonly body: unknown } | ZitadelFault | Failure;

/** google.rpc.Status of REST, and the error of Connect, which keeps the detail below `debug`. */
const Problem = z.object({
  message: z.string(),
  details: z
    .array(
      z.looseObject({
        id: z.string().optional(),
        debug: z.looseObject({ id: z.string().optional() }).optional(),
      }),
    )
    .optional(),
});

export async function ask(caller: Caller, call: Parameters<Caller>[0]): Promise<Asked> {
  const answer = await caller(call);
  if (answer.outcome !== 'answered') return answer;
  if (answer.status === 200 || answer.status === 201) return { outcome: 'ok', body: answer.body };
  return faultOf(answer);
}

export const RIGHTS_REMEDY =
  'the account of ZITADEL_PROVISIONING_TOKEN needs the rights that docs/provisioning.md lists; deactivating or locking it ends its tokens for good';

/** What a refusal says; undefined for a body that is not Zitadel's. */
export function problemIn(body: unknown): { readonly message: string; readonly id: string } | undefined {
  const problem = Problem.safeParse(body).data;
  const [detail] = problem?.details ?? [];
  return problem && { message: problem.message, id: detail?.id ?? detail?.debug?.id ?? '' };
}

function faultOf({ status, body }: ProviderAnswer): ZitadelFault | Failure {
  const problem = problemIn(body);
  const reason = reasonOf(status, problem?.message ?? body);
  if (status === 401 || status === 403) return { outcome: 'denied', reason, remedy: RIGHTS_REMEDY };
  if (problem === undefined)
    return { outcome: 'failed', reason: `${reason}: is ZITADEL_API_URL the address of Zitadel itself?` };
  return { outcome: 'fault', status, id: problem.id, reason };
}

export function asFailure(asked: ZitadelFault | Failure): Failure {
  return asked.outcome === 'fault' ? { outcome: 'failed', reason: asked.reason } : asked;
}

/** Unary call of Connect, for services that have no REST. */
export function connect(
  caller: Caller,
  method: `${'project' | 'authorization'}.v2.${string}`,
  body: unknown,
  timeoutMs: number,
): Promise<Asked> {
  return ask(caller, { method: 'POST', path: `/zitadel.${method}`, body, timeoutMs });
}
