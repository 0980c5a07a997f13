import { GRACE, LEGACY_PASSWORD, NEW_ACCOUNTS } from '../legacy/people.ts';
import type { RequestStep, Step } from './step.ts';

const LOGIN = '/api/v1/auth/login';
const { email } = GRACE;

function signIn(password: string) {
  return { path: LOGIN, body: { tenant: 'acme', email, password } } as const;
}

/** What a person's session at the gateway is had by. */
export const GRACE_SIGNS_IN = signIn(LEGACY_PASSWORD);
/** Her name at Kanidm, of her address. */
const NAME = email.replace('@', '_');

const OWN_TENANT: RequestStep = {
  title: 'Her token opens her own tenant; the upstream learns user, tenant and role',
  path: '/tenants/acme/plan',
  as: 'grace',
  expect: {
    status: 200,
    echo: { user: GRACE.id, assertion: 'verified' },
    contains: '"x-user-tenant-slug": "acme"',
  },
};

/** People of a legacy application: in by password, carried to Kanidm, in by Kanidm. */
export const DOORS: readonly Step[] = [
  {
    title: 'Grace signs in by the password that the legacy application knows',
    ...GRACE_SIGNS_IN,
    expect: { status: 200, contains: `"id":"${GRACE.id}"` },
  },
  OWN_TENANT,
  {
    ...OWN_TENANT,
    title: 'but no other',
    path: '/tenants/birch/plan',
    expect: { status: 403, code: 'wrong_tenant' },
  },
  {
    title: 'A wrong password is refused in the words for an unknown address',
    ...signIn('wrong'),
    expect: { status: 401, code: 'invalid_credentials' },
  },
  { title: 'Each tenant gets its groups at Kanidm', command: ['tenants', 'sync'] },
  {
    title: 'The plan: who would get an account there, and who is left out',
    command: ['users', 'provision', '--dry-run'],
    says: `would be created ${NEW_ACCOUNTS}, `,
  },
  {
    title: 'The run does exactly that: accounts under the same ids',
    command: ['users', 'provision'],
    says: `created ${NEW_ACCOUNTS}, `,
  },
  {
    title: 'Grace signs in by password once more, which goes along to Kanidm',
    ...GRACE_SIGNS_IN,
    expect: { status: 200, contains: '"auth_method":"dual"' },
  },
  {
    title: 'so she comes in by Kanidm too, as the same user (a form of its sign-in page, sent by curl)',
    signIn: { provider: 'kanidm', name: NAME, password: LEGACY_PASSWORD, returnTo: '/tenants/acme/plan' },
    afterSeconds: 1,
    expect: OWN_TENANT.expect,
  },
  {
    title: 'That was her move: sessions begun by password end with it',
    path: '/me',
    as: 'grace',
    expect: { status: 401, code: 'invalid_token' },
  },
  {
    title: 'One person, through both doors',
    command: ['users', 'show', email],
    says: 'sign-in by OAuth2: works',
  },
  {
    title: 'What taking a tenant back to its passwords would change',
    command: ['migration', 'rollback', '--tenant', 'acme', '--dry-run'],
    says: 'people would go back to their passwords',
  },
];
