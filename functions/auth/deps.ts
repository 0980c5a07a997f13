import ipaddr from 'ipaddr.js';
import type { OAuthClientsConfig } from '../../shared/configuration/oauth-clients.ts';
import type { SharedSubjects } from '../../shared/configuration/issuers.ts';
import type { MigrationConfig } from '../../shared/configuration/providers.ts';
import type { SessionsConfig } from '../../shared/configuration/sessions.ts';
import type { Deps } from '../../shared/deps.ts';
import type { Outbox } from '../../shared/mail/outbox.ts';
import type { Database } from '../../shared/ports/database.ts';
import type { Origin, RefreshDeps } from '../../shared/sessions/refresh.ts';
import type { CarryOver } from './password/carry-over.ts';
import type { Hashing } from './password/hashes.ts';
import type { AuthConfig } from './slice.ts';

/** What the bundle provides. */
export type AuthPorts = Pick<
  Deps,
  | 'platform'
  | 'clock'
  | 'random'
  | 'log'
  | 'counters'
  | 'revocations'
  | 'marksFrom'
  | 'database'
  | 'keyRing'
  | 'issuerOf'
  | 'signIns'
  | 'directory'
> & {
  /** Null where no mail is configured: then nothing is sent. */
  readonly outbox: Outbox | null;
  /** To be called after an account was linked. */
  readonly linked: () => void;
};

/** What every route of sign-in works with. */
export interface AuthDeps
  extends
    Pick<
      AuthPorts,
      | 'platform'
      | 'clock'
      | 'random'
      | 'log'
      | 'counters'
      | 'revocations'
      | 'issuerOf'
      | 'signIns'
      | 'outbox'
      | 'linked'
    >,
    Pick<RefreshDeps, 'keyRing' | 'confirm'> {
  readonly database: Database;
  readonly sessions: SessionsConfig;
  readonly config: AuthConfig &
    OAuthClientsConfig &
    SharedSubjects & {
      readonly migration: MigrationConfig;
      readonly allowedOrigins: readonly string[];
    };
}

/** What password routes work with. */
export interface PasswordDeps extends AuthDeps {
  readonly hashing: Hashing;
  /** Runs beside the answer. Absent without a directory. */
  readonly carryOver?: CarryOver | undefined;
}

/** The dependencies of shared/sessions/refresh.ts. */
export function refreshDeps({ sessions, ...deps }: AuthDeps): RefreshDeps {
  return { ...deps, config: sessions };
}

const MOST_USER_AGENT = 512;

/** Where a request came from, as the tables keep it. */
export function originOf(
  request: Pick<Request, 'headers'>,
  { address, id }: { readonly address: string; readonly id: string },
): Origin {
  return {
    address: ipaddr.isValid(address) && !address.includes('%') ? address : null,
    userAgent: request.headers.get('user-agent')?.slice(0, MOST_USER_AGENT) ?? null,
    requestId: id,
  };
}
