import ipaddr from 'ipaddr.js';
import type { MigrationConfig } from '../../shared/configuration/providers.ts';
import type { SessionsConfig } from '../../shared/configuration/sessions.ts';
import type { Deps } from '../../shared/deps.ts';
import type { Database, Sql } from '../../shared/ports/database.ts';
import type { Origin, RefreshDeps } from '../../shared/sessions/refresh.ts';
import type { AuthConfig } from './slice.ts';

/** A mail that goes out with the transaction that it is part of, or not at all. */
export interface Outbox {
  /** An insert. */
  enqueue(mail: QueuedMail): Sql;
}

export interface QueuedMail {
  readonly kind: string;
  readonly to: string;
  /** Its slug. */
  readonly tenant: string | null;
  /** What the template of this kind names. */
  readonly values: Readonly<Record<string, string>>;
  /** Further values as JSON, sealed for SEALED_MAIL: no table holds a link that counts. */
  readonly sealed?: string;
}

/** What the bundle provides. */
export type AuthPorts = Pick<
  Deps,
  'platform' | 'clock' | 'random' | 'log' | 'counters' | 'revocations' | 'marksFrom' | 'database' | 'keyRing'
> & { readonly outbox?: Outbox | null };

/** What every route of sign-in works with. */
export interface AuthDeps
  extends
    Pick<AuthPorts, 'platform' | 'clock' | 'random' | 'log' | 'counters' | 'revocations'>,
    Pick<RefreshDeps, 'keyRing' | 'confirm'> {
  readonly database: Database;
  readonly sessions: SessionsConfig;
  readonly config: AuthConfig & {
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
