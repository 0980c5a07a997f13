import * as z from 'zod';
import type { ZitadelApi } from '../ports/zitadel-api.ts';

/** Zitadel's API, read as a service account: once, without another attempt. */
export interface ZitadelReads {
  /** Base of the API. */
  readonly url: string;
  readonly api: ZitadelApi;
}

/** Zitadel refused the call, or did not answer. The message names the address, never the token. */
export class ZitadelFault extends Error {
  override readonly name = 'ZitadelFault';
  /** Undefined without an answer of Zitadel itself. */
  readonly status: number | undefined;
  /** Of the refusal in Zitadel's source, such as AUTH-7fs1e; empty where there is none. */
  readonly id: string;
  readonly unknownRoute: boolean;

  constructor(
    message: string,
    refused?: { readonly status: number; readonly id: string; readonly unknownRoute: boolean },
  ) {
    super(message);
    this.status = refused?.status;
    this.id = refused?.id ?? '';
    this.unknownRoute = refused?.unknownRoute ?? false;
  }
}

const TIMEOUT_MS = 5_000;

async function ask<T>(
  { url, api }: ZitadelReads,
  method: 'GET' | 'POST',
  path: string,
  shape: z.ZodType<T>,
  body: object = {},
): Promise<T> {
  const answer = await api({ method, path, timeoutMs: TIMEOUT_MS, ...(method === 'POST' && { body }) });
  if (answer.outcome === 'refused') throw new ZitadelFault(`${url}${path}: ${answer.reason}`, answer);
  if (answer.outcome !== 'ok') throw new ZitadelFault(`${url}${path}: ${answer.reason}`);
  const read = shape.safeParse(answer.body);
  if (!read.success) throw new ZitadelFault(`${url}${path}: not the shape of Zitadel's API`);
  return read.data;
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

/** Of a service account; without the text of the token, which Zitadel shows once. */
export type PersonalAccessToken = z.output<typeof Token>;

const Tokens = z.object({ result: z.array(Token).default([]) });

export function readTokens(api: ZitadelReads): Promise<PersonalAccessToken[]> {
  return paged(
    async (pagination) => (await ask(api, 'POST', '/v2/users/pats/search', Tokens, { pagination })).result,
  );
}

/** Pages of a list of the v2 APIs. */
async function paged<T>(read: (pagination: object) => Promise<readonly T[]>): Promise<T[]> {
  const all: T[] = [];
  for (let page = 0; page < MOST_PAGES; page++) {
    const entries = await read({ offset: page * PAGE, limit: PAGE, asc: true });
    all.push(...entries);
    if (entries.length < PAGE) break;
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

/** Zitadel returns at most 1,000. */
const MOST_USERS = 500;

/** The first of them, where there are more. */
export async function readUsers(api: ZitadelReads, ids: readonly string[]): Promise<ZitadelUser[]> {
  if (ids.length === 0) return [];
  const queries = [{ inUserIdsQuery: { userIds: ids.slice(0, MOST_USERS) } }];
  return (await ask(api, 'POST', '/v2/users', Users, { query: { limit: MOST_USERS }, queries })).result;
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
    const administrators = await paged(
      async (pagination) => (await ask(api, 'POST', path, Administrators, { pagination })).administrators,
    );
    return administrators.map(({ user, roles }) => ({ userId: user.id, roles }));
  } catch (error) {
    if (!(error instanceof ZitadelFault) || !error.unknownRoute) throw error;
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
export function readTargets(api: ZitadelReads): Promise<Target[]> {
  const path = '/v2/actions/targets/search';
  return paged(async (pagination) => (await ask(api, 'POST', path, Targets, { pagination })).targets);
}

export function readExecutions(api: ZitadelReads): Promise<Execution[]> {
  const path = '/v2/actions/executions/search';
  return paged(async (pagination) => (await ask(api, 'POST', path, Executions, { pagination })).executions);
}
