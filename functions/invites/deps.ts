import type { BrandConfig, MailConfig } from '../../shared/configuration/mail.ts';
import type { MailEventsConfig } from '../../shared/configuration/mail-events.ts';
import type { OAuthClientsConfig } from '../../shared/configuration/oauth-clients.ts';
import type { MigrationConfig } from '../../shared/configuration/providers.ts';
import type { SessionsConfig } from '../../shared/configuration/sessions.ts';
import type { Deps } from '../../shared/deps.ts';
import type { Outbox } from '../../shared/mail/outbox.ts';
import type { Database } from '../../shared/ports/database.ts';
import type { KeyRing } from '../../shared/sessions/keys.ts';

/** What the bundle provides. */
export type InvitesPorts = Pick<
  Deps,
  'platform' | 'log' | 'clock' | 'random' | 'counters' | 'database' | 'keyRing' | 'directory'
> & {
  /** Null where no mail is configured: then no wave starts. */
  readonly outbox: Outbox | null;
};

export type InvitesConfig = MailEventsConfig &
  OAuthClientsConfig & {
    readonly mail: MailConfig | null;
    readonly brand: BrandConfig;
    readonly migration: MigrationConfig;
  };

/** What every route of invitations works with. */
export interface InvitesDeps extends Omit<InvitesPorts, 'database' | 'keyRing'> {
  readonly database: Database;
  readonly keyRing: KeyRing;
  readonly sessions: SessionsConfig;
  readonly config: InvitesConfig;
}
