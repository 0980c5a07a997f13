import ipaddr from 'ipaddr.js';
import type { OAuthClientsConfig } from '../../shared/configuration/oauth-clients.ts';
import type { SharedSubjects } from '../../shared/configuration/issuers.ts';
import type { MigrationConfig } from '../../shared/configuration/providers.ts';
import type { SessionsConfig } from '../../shared/configuration/sessions.ts';
import type { Deps } from '../../shared/deps.ts';
import type { Database, Sql } from '../../shared/ports/database.ts';
import type { Origin, RefreshDeps } from '../../shared/sessions/refresh.ts';
import type { AuthConfig } from './slice.ts';

/** Mails that go out with the transaction that they are part of, or not at all. */
export interface Outbox {
  /** An insertion; its row shows no value of the mail. */
  enqueue(mail: QueuedMail): Promise<Sql>;
  /** Sends what is due soon, beside the answer. */
  nudge(): void;
}

export interface QueuedMail {
  readonly kind: 'confirm-registration' | 'already-registered' | 'password-reset' | 'password-elsewhere';
  readonly to: string;
  /** Its slug. */
  readonly tenant: string | null;
  readonly userId?: string;
  /** What the template of this kind names. */
  readonly values: Readonly<Record<string, string>>;
  /** Seconds after which it is not sent any more. */
  readonly expiresIn?: number;
}

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
> & { readonly outbox?: Outbox | null };

/** What every route of sign-in works with. */
export interface AuthDeps
  extends
    Pick<
      AuthPorts,
      'platform' | 'clock' | 'random' | 'log' | 'counters' | 'revocations' | 'issuerOf' | 'signIns'
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
  /** Null where no mail is configured: then nothing is sent. */
  readonly outbox: Outbox | null;
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
