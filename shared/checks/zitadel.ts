import * as z from 'zod';
import { messageOf } from '../errors.ts';
import type { Exchange } from '../ports/runtime.ts';
import { isTlsStatus, tlsFaultOf } from '../system-errors.ts';

/** Zitadel's API, read as a service account. */
export interface ZitadelReads {
  readonly url: string;
  readonly token: string;
  readonly exchange: Exchange;
}

/** Zitadel refused the call, or did not answer. The message names the path, never the token. */
export class ZitadelFault extends Error {
  override readonly name = 'ZitadelFault';
  /** Undefined without an answer. */
  readonly status: number | undefined;
  /** Of the refusal in Zitadel's source, such as AUTH-7fs1e; empty where there is none. */
  readonly id: string;

  constructor(message: string, status?: number, id = '') {
    super(message);
    this.status = status;
    this.id = id;
  }
}

const TIMEOUT_MS = 5_000;

const Problem = z.object({
  message: z.string().catch(''),
  details: z.array(z.looseObject({ id: z.string().optional() })).optional(),
});

async function ask<T>(
  { url, token, exchange }: ZitadelReads,
  method: 'GET' | 'POST',
  path: string,
  shape: z.ZodType<T>,
  body: object = {},
): Promise<T> {
  const headers = {
    authorization: `Bearer ${token}`,
    accept: 'application/json',
    ...(method === 'POST' && { 'content-type': 'application/json' }),
  };
  const call = { method, url: url + path, headers, timeoutMs: TIMEOUT_MS };
  const reply = await exchange(method === 'POST' ? { ...call, body: JSON.stringify(body) } : call).catch(
    (error: unknown) => {
      throw new ZitadelFault(`${url}${path}: ${reasonOf(error)}`);
    },
  );
  const json = parsed(reply.text);
  if (reply.status !== 200) throw refusal(`${url}${path}`, reply.status, json);
  const read = shape.safeParse(json);
  if (!read.success) throw new ZitadelFault(`${url}${path}: not the shape of Zitadel's API`, reply.status);
  return read.data;
}

function reasonOf(error: unknown): string {
  if (error instanceof Error && error.name === 'TimeoutError') return 'no answer in time';
  const code = error instanceof Error && 'code' in error ? String(error.code) : undefined;
  return tlsFaultOf(error) ?? code ?? messageOf(error);
}

function refusal(where: string, status: number, json: unknown): ZitadelFault {
  const problem = Problem.safeParse(json).data;
  const [detail] = problem?.details ?? [];
  const said = problem?.message.slice(0, 200) ?? '';
  const tls = isTlsStatus(status) ? ', its certificate is not trusted' : '';
  return new ZitadelFault(
    `${where}: status ${status}${tls}${said && `: ${said}`}`,
    status,
    detail?.id ?? idIn(said),
  );
}

/** `Errors.Token.Invalid (AUTH-7fs1e)` */
function idIn(message: string): string {
  return /\(([A-Z]+-\w+)\)/.exec(message)?.[1] ?? '';
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

const Instance = z.object({
  instance: z.object({
    id: z.string(),
    version: z.string().default(''),
    domains: z.array(z.object({ domain: z.string() })).default([]),
  }),
});

export type ZitadelInstance = z.output<typeof Instance>['instance'];

/** Throws ZitadelFault, as all here. Needs IAM_OWNER_VIEWER. */
export async function readInstance(api: ZitadelReads): Promise<ZitadelInstance> {
  return (await ask(api, 'GET', '/admin/v1/instances/me', Instance)).instance;
}

const Anything = z.looseObject({});

/** Resolves for any valid token of any account. */
export async function readOwnUser(api: ZitadelReads): Promise<void> {
  await ask(api, 'GET', '/auth/v1/users/me', Anything);
}

const PAGE = 100;
/** More tokens than any instance has use for. */
const MOST_PAGES = 50;

const Token = z.object({
  id: z.string(),
  userId: z.string(),
  creationDate: z.coerce.date(),
  expirationDate: z.coerce.date().optional(),
});

/** Of a service account; the text of the token is told to nobody. */
export type PersonalAccessToken = z.output<typeof Token>;

const Tokens = z.object({ result: z.array(Token).default([]) });

export async function readTokens(api: ZitadelReads): Promise<PersonalAccessToken[]> {
  const all: PersonalAccessToken[] = [];
  for (let page = 0; page < MOST_PAGES; page++) {
    const pagination = { offset: page * PAGE, limit: PAGE, asc: true };
    const { result } = await ask(api, 'POST', '/v2/users/pats/search', Tokens, { pagination });
    all.push(...result);
    if (result.length < PAGE) break;
  }
  return all;
}

const Users = z.object({
  result: z
    .array(
      z.object({
        userId: z.string(),
        username: z.string().default(''),
        preferredLoginName: z.string().optional(),
        state: z.string().default(''),
        human: z.unknown().optional(),
      }),
    )
    .default([]),
});

export type ZitadelUser = z.output<typeof Users>['result'][number];

export async function readUsers(api: ZitadelReads, ids: readonly string[]): Promise<ZitadelUser[]> {
  if (ids.length === 0) return [];
  const queries = [{ inUserIdsQuery: { userIds: ids } }];
  return (await ask(api, 'POST', '/v2/users', Users, { query: { limit: 1_000 }, queries })).result;
}

const Administrators = z.object({
  administrators: z
    .array(z.object({ user: z.object({ id: z.string() }), roles: z.array(z.string()).default([]) }))
    .default([]),
});
const Members = z.object({
  result: z.array(z.object({ userId: z.string(), roles: z.array(z.string()).default([]) })).default([]),
});

export interface Administrator {
  readonly userId: string;
  readonly roles: readonly string[];
}

/** Of the instance, its organisations and projects; where the release has no such list, of the instance alone. */
export async function readAdministrators(api: ZitadelReads): Promise<Administrator[]> {
  const path = '/zitadel.internal_permission.v2.InternalPermissionService/ListAdministrators';
  try {
    const { administrators } = await ask(api, 'POST', path, Administrators, {});
    return administrators.map(({ user, roles }) => ({ userId: user.id, roles }));
  } catch (error) {
    if (!(error instanceof ZitadelFault) || (error.status !== 404 && error.status !== 501)) throw error;
    return (await ask(api, 'POST', '/admin/v1/members/_search', Members, {})).result;
  }
}

const Methods = z.object({ authMethodTypes: z.array(z.string()).default([]) });

export async function readMethods(api: ZitadelReads, userId: string): Promise<readonly string[]> {
  const path = `/v2/users/${encodeURIComponent(userId)}/authentication_methods`;
  return (await ask(api, 'GET', path, Methods)).authMethodTypes;
}

const Policy = z.object({
  policy: z.object({ forceMfa: z.boolean().default(false), forceMfaLocalOnly: z.boolean().default(false) }),
});

/** Whether every sign-in, or every one by password, has to have a second factor. */
export async function forcesMfa(api: ZitadelReads): Promise<boolean> {
  const { policy } = await ask(api, 'GET', '/admin/v1/policies/login', Policy);
  return policy.forceMfa || policy.forceMfaLocalOnly;
}

const Features = z.object({
  loginV2: z
    .object({ required: z.boolean().default(false), baseUri: z.string().optional() })
    .default({ required: false }),
});

export async function readLoginV2(api: ZitadelReads) {
  return (await ask(api, 'GET', '/v2/features/instance', Features)).loginV2;
}

const Targets = z.object({
  targets: z
    .array(z.object({ id: z.string(), endpoint: z.string().default(''), signingKey: z.string().optional() }))
    .default([]),
});
const Executions = z.object({
  executions: z
    .array(
      z.object({
        condition: z
          .looseObject({
            event: z
              .object({
                event: z.string().optional(),
                group: z.string().optional(),
                all: z.boolean().optional(),
              })
              .optional(),
          })
          .default({}),
        targets: z.array(z.string()).default([]),
      }),
    )
    .default([]),
});

export type Target = z.output<typeof Targets>['targets'][number];
export type Execution = z.output<typeof Executions>['executions'][number];

/** `signingKey` is a secret. */
export async function readTargets(api: ZitadelReads): Promise<Target[]> {
  return (await ask(api, 'POST', '/v2/actions/targets/search', Targets, { pagination: { limit: 1_000 } }))
    .targets;
}

export async function readExecutions(api: ZitadelReads): Promise<Execution[]> {
  const path = '/v2/actions/executions/search';
  return (await ask(api, 'POST', path, Executions, { pagination: { limit: 1_000 } })).executions;
}
