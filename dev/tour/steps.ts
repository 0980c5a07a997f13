import { METRICS_TOKEN } from '../metrics-token.ts';

/** What a step's answer must show; everything given must hold. */
export interface Expectation {
  readonly status: number;
  /** `code` of the problem document. */
  readonly code?: string;
  /** Header names (lower case) and what their values contain. */
  readonly headers?: Readonly<Record<string, string>>;
  /** Members of the upstream's echo. */
  readonly echo?: Readonly<Record<string, unknown>>;
}

/** One request of the tour: printed as a curl line, sent by the self-check. */
export interface Step {
  readonly title: string;
  readonly path: string;
  readonly method?: string;
  /** Whose token goes along; the curl line names the shell variable of that person. */
  readonly as?: 'alice' | 'bob' | 'carol';
  readonly headers?: Readonly<Record<string, string>>;
  readonly expect: Expectation;
}

export const STEPS: readonly Step[] = [
  { title: 'A public route needs no token', path: '/public/hello', expect: { status: 200 } },
  {
    title: 'A forged identity does not reach the upstream',
    path: '/public/hello',
    headers: { 'X-User-ID': 'admin' },
    expect: { status: 200, echo: { user: null } },
  },
  {
    title: 'A protected route asks for a token',
    path: '/api/reports',
    expect: { status: 401, code: 'missing_token', headers: { 'www-authenticate': 'Bearer' } },
  },
  {
    title: 'Alice may view the reports; the upstream learns who she is',
    path: '/api/reports',
    as: 'alice',
    expect: { status: 200, echo: { user: 'alice', assertion: 'verified' } },
  },
  {
    title: 'Carol is known but not allowed',
    path: '/api/reports',
    as: 'carol',
    expect: { status: 403, code: 'forbidden' },
  },
  {
    title: 'Bob may read document 1, which Alice shared with him',
    path: '/documents/1',
    as: 'bob',
    expect: { status: 200, echo: { user: 'bob' } },
  },
  {
    title: 'but not delete it',
    method: 'DELETE',
    path: '/documents/1',
    as: 'bob',
    expect: { status: 403, code: 'forbidden' },
  },
  {
    title: 'Bob administers the panel: a manager route admits an admin',
    path: '/admin/settings',
    as: 'bob',
    expect: { status: 200, echo: { user: 'bob' } },
  },
  { title: 'What no rule names is refused', path: '/nowhere', expect: { status: 403, code: 'no_rule' } },
  {
    title: 'A path with a hidden slash is refused',
    path: '/public/..%2fadmin',
    expect: { status: 400, code: 'invalid_path' },
  },
  {
    title: 'Callers see their limit',
    path: '/me',
    as: 'alice',
    expect: { status: 200, headers: { 'ratelimit-policy': 'q=', ratelimit: 'r=' } },
  },
  {
    title: 'Another proxy can ask for the decision alone',
    path: '/forward-auth',
    as: 'alice',
    headers: { 'X-Forwarded-Method': 'GET', 'X-Forwarded-Uri': '/api/reports' },
    expect: { status: 200, headers: { 'x-user-id': 'alice' } },
  },
  {
    title: 'Metrics, for who has their token',
    path: '/metrics',
    headers: { Authorization: `Bearer ${METRICS_TOKEN}` },
    expect: { status: 200, headers: { 'content-type': 'text/plain' } },
  },
  { title: 'Readiness, dependency by dependency', path: '/ready', expect: { status: 200 } },
];
