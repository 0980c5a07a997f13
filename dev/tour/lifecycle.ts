import { userOf, type Bearer, type Step } from './step.ts';

function create(bearer: Bearer, headers: Readonly<Record<string, string>> = {}) {
  const userId = userOf(bearer);
  return {
    at: 'zitadel',
    path: '/v2/users/new',
    as: 'service',
    headers,
    body: { userId, human: { email: { email: `${userId}@example.org` } } },
    expect: { status: 200 },
  } as const;
}

const DANA = { at: 'zitadel', as: 'service', expect: { status: 200 } } as const;
const WELCOME = { path: '/welcome' } as const;
const dana = userOf('dana');

/** A user's life at the identity provider, and what the gateway makes of it. `storeId`: of OpenFGA. */
export function lifecycle(storeId: string): readonly Step[] {
  const tuplesOfDana = {
    at: 'openfga',
    path: `/stores/${storeId}/read`,
    body: { tuple_key: { user: `user:${dana}`, object: 'feature:' } },
  } as const;
  return [
    { title: 'Dana is made at the identity provider, whose event reaches the webhook', ...create('dana') },
    {
      title: 'so she has what new users get (config/default_grants.json)',
      ...tuplesOfDana,
      expect: { status: 200, contains: '"feature:welcome"' },
    },
    {
      title: 'and is let in',
      ...WELCOME,
      as: 'dana',
      expect: { status: 200, echo: { user: dana } },
    },
    { title: 'She is deactivated', ...DANA, method: 'POST', path: `/v2/users/${dana}/deactivate` },
    {
      title: 'and her token is refused, an hour before it expires',
      ...WELCOME,
      as: 'dana',
      expect: { status: 401, code: 'invalid_token' },
    },
    { title: 'She is reactivated', ...DANA, method: 'POST', path: `/v2/users/${dana}/reactivate` },
    {
      title: 'and let in again, with a token issued since (tokens count their age in whole seconds)',
      ...WELCOME,
      as: 'dana',
      newToken: true,
      afterSeconds: 1,
      expect: { status: 200, echo: { user: dana } },
    },
    { title: 'She is removed', ...DANA, method: 'DELETE', path: `/v2/users/${dana}` },
    {
      title: 'and refused',
      ...WELCOME,
      as: 'dana',
      expect: { status: 401, code: 'invalid_token' },
    },
    {
      title: 'and no tuple of hers is left',
      ...tuplesOfDana,
      expect: { status: 200, echo: { tuples: [] } },
    },
    {
      title: 'A forged event is refused: it is not signed',
      method: 'POST',
      path: '/webhooks/zitadel',
      body: { event_type: 'user.removed', aggregateID: 'alice' },
      expect: { status: 401, code: 'invalid_signature' },
    },
    {
      title: 'Erin is made, but the delivery is lost on its way',
      ...create('erin', { 'X-Demo-Delivery': 'lost' }),
    },
    {
      title: 'so nobody here knows her',
      ...WELCOME,
      as: 'erin',
      expect: { status: 403, code: 'forbidden' },
    },
    {
      title: 'The missed event is found, as every five minutes by itself',
      command: ['webhooks', 'reconcile', '--since', '10m'],
    },
    { title: 'and applied, as every minute by itself', command: ['cron', 'run', 'webhooks-apply'] },
    {
      title: 'so she is let in, as soon as the refusal is forgotten (5 s)',
      ...WELCOME,
      as: 'erin',
      afterSeconds: 5,
      expect: { status: 200, echo: { user: userOf('erin') } },
    },
  ];
}
