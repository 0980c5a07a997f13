import { METRICS_TOKEN } from '../metrics-token.ts';
import type { DoorProvider } from '../doors.ts';
import { crossing } from './crossing.ts';
import { doors } from './doors.ts';
import { lifecycle } from './lifecycle.ts';
import { OPERATIONS } from './operations.ts';
import type { RequestStep, Step } from './step.ts';

/** How the gateway judges requests. */
export const REQUESTS: readonly RequestStep[] = [
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

/** The whole tour, in order: later steps build on earlier ones. `storeId`: of OpenFGA. */
export function stepsOf({ storeId, provider }: { storeId: string; provider: DoorProvider }): readonly Step[] {
  return [...REQUESTS, ...doors(provider), ...crossing(provider), ...lifecycle(storeId), ...OPERATIONS];
}
