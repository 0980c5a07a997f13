import { serve, type Served } from '../support/serve.ts';

/** Answers of Zitadel's API by `METHOD /path`, in the form of those that were recorded. */
export interface ZitadelAnswers extends Served {
  readonly token: string;
  /** Replaces an answer; undefined: this release has no such route. */
  set(route: string, answer: Answer | undefined): void;
}

/** As it is, or as it comes from the body of the call. */
type Answer = object | ((body: unknown) => object);

export const DAY_MS = 86_400_000;
const agoDays = (days: number): string => new Date(Date.now() - days * DAY_MS).toISOString();

/** A token as `pats/search` lists it. */
export const pat = (id: string, ageDays: number, leftDays: number): object => ({
  id,
  userId: '401534526716644390',
  organizationId: '401533973655784486',
  creationDate: agoDays(ageDays),
  changeDate: agoDays(ageDays),
  expirationDate: agoDays(-leftDays),
});

const TOKEN = 'eyJ-the-token-of-a-service-account';

/** `Errors.Token.Invalid (AUTH-7fs1e)` and its like. */
export const refusal = (status: number, code: number, message: string, id: string): object => ({
  refusal: status,
  code,
  message: `${message} (${id})`,
  details: [{ '@type': 'type.googleapis.com/zitadel.v1.ErrorDetail', id, message }],
});

export async function startZitadelAnswers(): Promise<ZitadelAnswers> {
  const answers = new Map<string, Answer>();
  const served = await serve(0, async (request) => {
    const { pathname } = new URL(request.url);
    const found = answers.get(`${request.method} ${pathname}`);
    const answer =
      typeof found === 'function' ? (found as (body: unknown) => object)(await request.json()) : found;
    // The pages of people ask for no token.
    const page = pathname.startsWith('/ui/');
    if (!page && request.headers.get('authorization') !== `Bearer ${TOKEN}`)
      return Response.json(refusal(401, 16, 'Errors.Token.Invalid', 'AUTH-7fs1e'), { status: 401 });
    if (answer === undefined) return Response.json({ code: 5, message: 'Not Found' }, { status: 404 });
    const headers = 'location' in answer ? { location: String(answer.location) } : {};
    return Response.json(answer, { status: 'refusal' in answer ? Number(answer.refusal) : 200, headers });
  });
  const healthy: Readonly<Record<string, object>> = {
    'GET /admin/v1/instances/me': {
      instance: {
        id: '401533973655718950',
        state: 'STATE_RUNNING',
        version: 'v4.20.3',
        domains: [{ domain: 'localhost', primary: true }, { domain: '127.0.0.1' }],
      },
    },
    'GET /auth/v1/users/me': { user: { id: '1' } },
    'GET /v2/features/instance': { loginV2: { source: 'SOURCE_INSTANCE' } },
    'POST /v2/users/pats/search': { pagination: { totalResult: '1' }, result: [pat('1', 3, 60)] },
    'POST /admin/v1/members/_search': {
      details: { totalResult: '2' },
      result: [
        { userId: '7', roles: ['IAM_OWNER'] },
        { userId: '8', roles: ['IAM_OWNER_VIEWER'] },
      ],
    },
    'POST /zitadel.internal_permission.v2.InternalPermissionService/ListAdministrators': {
      administrators: [
        { user: { id: '7', preferredLoginName: 'alice' }, instance: true, roles: ['IAM_OWNER'] },
        { user: { id: '8', preferredLoginName: 'gateway' }, instance: true, roles: ['IAM_OWNER_VIEWER'] },
      ],
    },
    'POST /v2/users': {
      result: [
        {
          userId: '7',
          username: 'alice',
          preferredLoginName: 'alice@example.org',
          state: 'USER_STATE_ACTIVE',
          human: {},
        },
        { userId: '8', username: 'gateway', state: 'USER_STATE_ACTIVE', machine: {} },
      ],
    },
    'GET /v2/users/7/authentication_methods': {
      authMethodTypes: ['AUTHENTICATION_METHOD_TYPE_PASSWORD', 'AUTHENTICATION_METHOD_TYPE_TOTP'],
    },
    'POST /admin/v1/events/_search': {},
    'GET /admin/v1/policies/login': { policy: { allowUsernamePassword: true } },
  };
  for (const [route, answer] of Object.entries(healthy)) answers.set(route, answer);
  return {
    ...served,
    token: TOKEN,
    set(route, answer) {
      if (answer === undefined) answers.delete(route);
      else answers.set(route, answer);
    },
  };
}
