import * as z from 'zod';
import { OAUTH_CLIENTS } from '../../shared/configuration/oauth-clients.ts';
import { migrationProviderIn, SUBJECTS } from '../../shared/configuration/issuers.ts';
import { MIGRATION } from '../../shared/configuration/providers.ts';
import { SERVER } from '../../shared/configuration/server.ts';
import { SESSIONS } from '../../shared/configuration/sessions.ts';
import { broken, slice } from '../../shared/configuration/slice.ts';
import { needsDatabase } from '../../shared/configuration/stores.ts';
import { issuerUrl, list, readAs, whole } from '../../shared/configuration/values.ts';
import { parseRate } from '../../shared/counting/rate.ts';
import type { EdgeFunction } from '../../shared/edge/function.ts';
import type { RatePolicy } from '../../shared/ports/counters.ts';

export interface AuthConfig {
  /** Who may register. */
  readonly newUsers: 'oauth' | 'password' | 'both' | 'closed';
  /** False: every password route answers 410. */
  readonly passwordSignIn: boolean;
  /** The bcrypt cost of new and renewed hashes. */
  readonly passwordCost: number;
  /** Whether new passwords are looked up at Have I Been Pwned. */
  readonly breachCheck: boolean;
  readonly loginRate: LoginRate;
  readonly kanidmIssuer: string | null;
  /** Of targets of Zitadel. */
  readonly signingKeys: readonly string[];
}

export interface LoginRate {
  readonly address: RatePolicy;
  readonly account: RatePolicy;
}

const LOW_COST = 10;
const RATES = 'write two rates, per address and per account, as in 30/60s,10/60s';

/** One rate counts for both. */
function loginRate(text: string): LoginRate | undefined {
  const [first = '', second = first, ...more] = text.split(',').map((part) => part.trim());
  const [address, account] = [parseRate(first, 'sign-in'), parseRate(second, 'sign-in-account')];
  if (address === undefined || account === undefined || more.length > 0) return undefined;
  return { address, account };
}

const OWN = slice({
  variables: {
    NEW_USERS: z
      .enum(['oauth', 'password', 'both', 'closed'], 'write oauth, password, both or closed')
      .default('oauth'),
    PASSWORD_SIGN_IN: z.enum(['on', 'off'], 'write on or off').default('on'),
    // Above 16 Zitadel takes none, and a sign-in costs seconds.
    PASSWORD_COST: whole(4, 16, 'rounds (a power of two)').default(12),
    PASSWORD_BREACH_CHECK: z.enum(['on', 'off'], 'write on or off').default('off'),
    LOGIN_RATE: readAs(loginRate, RATES).prefault('30/60s,10/60s'),
    KANIDM_ISSUER_URL: issuerUrl.optional(),
    WEBHOOK_SIGNING_KEYS: list.default([]),
  },
  faults: needsDatabase('auth keeps people and sessions'),
  read: (v): AuthConfig => ({
    newUsers: v.NEW_USERS,
    passwordSignIn: v.PASSWORD_SIGN_IN === 'on',
    passwordCost: v.PASSWORD_COST,
    breachCheck: v.PASSWORD_BREACH_CHECK === 'on',
    loginRate: v.LOGIN_RATE,
    kanidmIssuer: v.KANIDM_ISSUER_URL ?? null,
    signingKeys: v.WEBHOOK_SIGNING_KEYS,
  }),
  warnings: ({ passwordCost }, { written }) =>
    broken(
      [
        passwordCost < LOW_COST,
        'PASSWORD_COST',
        `is below ${LOW_COST}: who has the hashes guesses them fast`,
      ],
      [
        written['KANIDM_ISSUER_URL'] !== undefined && migrationProviderIn(written) === null,
        'MIGRATION_PROVIDER',
        'is absent, and both Kanidm and Zitadel are configured: nobody is carried to either',
      ],
    ),
});

export const AUTH = {
  name: 'auth',
  paths: ['/api/v1/auth/'],
  schedule: { 'sessions-prune': '30 3 * * *', 'audit-prune': '30 3 * * *', 'records-prune': '30 3 * * *' },
  slice: OWN.and(SESSIONS).and(OAUTH_CLIENTS).and(MIGRATION).and(SUBJECTS).and(SERVER),
} as const satisfies EdgeFunction;
