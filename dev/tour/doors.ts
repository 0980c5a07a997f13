import type { DoorProvider } from '../doors.ts';
import { GRACE, LEGACY_PASSWORD, newAccounts } from '../legacy/people.ts';
import type { RequestStep, Step } from './step.ts';

const { id, email } = GRACE;

function signIn(password: string) {
  return { path: '/api/v1/auth/login', body: { tenant: 'acme', email, password } } as const;
}

/** What a session of Grace is had by. */
export const GRACE_SIGNS_IN = signIn(LEGACY_PASSWORD);

const OWN_TENANT: RequestStep = {
  title: 'Her token opens her own tenant; the upstream learns user, tenant and role',
  path: '/tenants/acme/plan',
  as: 'grace',
  expect: {
    status: 200,
    echo: { user: id, assertion: 'verified' },
    contains: '"x-user-tenant-slug": "acme"',
  },
};

/** In by the password that the legacy application has. */
const BY_PASSWORD: readonly Step[] = [
  {
    title: 'Grace signs in by the password that the legacy application knows',
    ...GRACE_SIGNS_IN,
    expect: { status: 200, contains: `"id":"${id}"` },
  },
  OWN_TENANT,
  {
    title: 'but no other',
    path: '/tenants/birch/plan',
    as: 'grace',
    expect: { status: 403, code: 'wrong_tenant' },
  },
  {
    title: 'A wrong password is refused in the words for an unknown address',
    ...signIn('wrong'),
    expect: { status: 401, code: 'invalid_credentials' },
  },
];

/** A mail is written with what it belongs to, and sent beside the answer. */
const FORGOTTEN: readonly Step[] = [
  {
    title: 'Who forgot the password gets a mail; the answer is the same for any address',
    path: '/api/v1/auth/reset-password',
    body: { tenant: 'acme', email },
    expect: { status: 202 },
  },
  {
    title: 'It is in the inbox, which is a page as well',
    at: 'inbox',
    path: `/mails.json?to=${email}`,
    afterSeconds: 2,
    expect: { status: 200, contains: '/api/v1/auth/reset-password?token=' },
  },
];

/** All people to the provider, by the commands of docs/provisioning.md. */
function carrying(provider: DoorProvider, name: string): readonly Step[] {
  return [
    { title: `Each tenant gets its groups at ${name}`, command: ['tenants', 'sync'] },
    {
      title: 'The plan: who would get an account there, and who is left out',
      command: ['users', 'provision', '--dry-run'],
      says: `would be created ${newAccounts(provider)}, `,
    },
    {
      title: 'The run does exactly that: accounts under the same ids',
      command: ['users', 'provision'],
      says: `created ${newAccounts(provider)}, `,
    },
  ];
}

/** Kanidm takes no bcrypt, so the password goes along where it is in hand: at a sign-in. */
const CARRIED: Step = {
  title: 'Grace signs in by password once more, which goes along to Kanidm',
  ...GRACE_SIGNS_IN,
  expect: { status: 200, contains: '"auth_method":"dual"' },
};

/** What Grace types at the provider. */
export function signInName(provider: DoorProvider) {
  const name = provider === 'kanidm' ? email.replace('@', '_') : email;
  return { provider, name, password: LEGACY_PASSWORD };
}

/** In by the provider, and what that changes. */
function byProvider(provider: DoorProvider, name: string): readonly Step[] {
  return [
    {
      title: `She comes in by ${name} too, as the same user (here curl sends the form of the sign-in page)`,
      signIn: { ...signInName(provider), returnTo: OWN_TENANT.path },
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
}

/** People of a legacy application: in by password, carried to a provider, in by it. */
export function doors(provider: DoorProvider): readonly Step[] {
  const name = provider === 'kanidm' ? 'Kanidm' : 'Zitadel';
  return [
    ...BY_PASSWORD,
    ...FORGOTTEN,
    ...carrying(provider, name),
    ...(provider === 'kanidm' ? [CARRIED] : []),
    ...byProvider(provider, name),
  ];
}
