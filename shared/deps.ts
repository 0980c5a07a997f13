/**
 * The composition root: opens ports on their adapters, by one function per slice of the configuration. Adapters are imported
 * only here.
 */
import { createPlatform } from '#platform';
import { MemoryCounters } from './adapters/counters/memory.ts';
import { openKanidmDirectory } from './adapters/kanidm/directory.ts';
import { openFgaModels } from './adapters/openfga/models.ts';
import { openFgaClient } from './adapters/openfga/client.ts';
import { openFgaRelations } from './adapters/openfga/relations.ts';
import { openSignIn } from './adapters/oauth4webapi/sign-in.ts';
import { openFgaTuples } from './adapters/openfga/tuples.ts';
import { fetchUpstream } from './adapters/workerd/upstream.ts';
import { openZitadelApi } from './adapters/zitadel/api.ts';
import { openZitadelDirectory } from './adapters/zitadel/directory.ts';
import type { AuthorizationModels } from './ports/authorization-models.ts';
import type { DirectoryConfig, MigrationConfig } from './configuration/providers.ts';
import type { ServerConfig } from './configuration/server.ts';
import type { OAuthClientsConfig } from './configuration/oauth-clients.ts';
import type { MaybeSessions } from './configuration/sessions.ts';
import type { CountersConfig, DatabaseConfig, OpenFgaConfig } from './configuration/stores.ts';
import type { Database } from './ports/database.ts';
import type { Directory } from './ports/directory.ts';
import { countingOver, type Counting, type LearnMark } from './counting/counting.ts';
import type { Platform } from './ports/platform.ts';
import type { Clock, Random } from './ports/runtime.ts';
import { systemClock, webRandom } from './runtime.ts';
import { eachAlone, shareInFlight, type Collapse } from './caches/in-flight.ts';
import { trustedProxies, type TrustedProxies } from './edge/trusted-proxies.ts';
import { openIssuers, type IssuerOf } from './keys/issuer.ts';
import { openKeyRing, type KeyRing } from './sessions/keys.ts';
import type { Relations } from './ports/relations.ts';
import type { SignIn } from './ports/sign-in.ts';
import type { Tuples } from './ports/tuples.ts';
import type { Upstream } from './ports/upstream.ts';
import type { ZitadelApi } from './ports/zitadel-api.ts';
import { smtpServer } from './adapters/smtp/server.ts';
import type { MailConfig } from './configuration/mail.ts';
import type { MailServer } from './ports/mail.ts';

// For use before there is a configuration.
export { createPlatform };

/** Parts of the runtime, independent of the configuration. */
export interface Ground {
  readonly platform: Platform;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: ReturnType<Platform['log']>;
  readonly collapse: Collapse;
}

export interface GroundOptions {
  readonly clock?: Clock;
  readonly platform?: Platform;
}

export interface DepsOptions extends GroundOptions {
  /** Called with each mark made here, where no store shares it with the other processes of this instance. */
  readonly onMark?: LearnMark | undefined;
}

export function openGround(
  { logLevel }: Pick<ServerConfig, 'logLevel'>,
  { clock = systemClock, platform = createPlatform() }: GroundOptions = {},
): Ground {
  return {
    platform,
    clock,
    random: webRandom(),
    log: platform.log(logLevel),
    collapse: platform.joinsRequests ? shareInFlight : eachAlone,
  };
}

/** Of slice OPENFGA. */
export interface Authorization {
  readonly relations: Relations;
  readonly tuples: Tuples;
  readonly models: AuthorizationModels;
}

export function openAuthorization(
  { openfga }: { readonly openfga: OpenFgaConfig },
  { platform }: Pick<Ground, 'platform'>,
): Authorization {
  const client = openFgaClient(openfga, platform.exchange);
  return {
    relations: openFgaRelations(client),
    tuples: openFgaTuples(client),
    models: openFgaModels(client),
  };
}

/** Of slice DATABASE: null without DATABASE_URL and, on Workers, HYPERDRIVE. Functions that need it answer 503. */
export function openDatabase(
  { database }: { readonly database: DatabaseConfig | null },
  { platform }: Pick<Ground, 'platform'>,
): Database | null {
  return database === null ? null : platform.database(database);
}

/** Of slice DIRECTORY; of slice MIGRATION where it has one. */
export function openDirectory(
  { directory }: { readonly directory: DirectoryConfig },
  { platform, clock, random }: Pick<Ground, 'platform' | 'clock' | 'random'>,
): Directory {
  const { exchange } = platform;
  return directory.provider === 'kanidm'
    ? openKanidmDirectory(directory, { exchange, clock, random })
    : openZitadelDirectory(directory, { exchange, clock });
}

/** Zitadel's own API, as a service account. */
export function openZitadel(
  account: { readonly url: string; readonly token: string },
  { platform }: Pick<Ground, 'platform'>,
): ZitadelApi {
  return openZitadelApi(account, platform.exchange);
}

function directoryOf({ migration: { directory } }: DepsConfig, ground: Ground): Directory | null {
  return directory === null ? null : openDirectory({ directory }, ground);
}

/** Of slice MAIL: null without MAIL_URL. */
export function openMailServer(
  { mail }: { readonly mail: MailConfig | null },
  { platform }: Pick<Ground, 'platform'>,
): MailServer | null {
  return mail === null
    ? null
    : smtpServer({ config: mail.smtp, readText: (path) => platform.readText(path) });
}

/** Of slice COUNTERS. */
export function openCounting(
  config: CountersConfig,
  { clock, random, log, platform }: Omit<Ground, 'collapse'>,
  onMark?: LearnMark,
): Counting {
  return countingOver({
    local: new MemoryCounters({ clock }),
    shared: platform.counters(config.counters, clock),
    mode: config.rateLimitFailure,
    background: platform.background,
    clock,
    random,
    log,
    onMark,
  });
}

/** The ports of the gateway and of own routes. */
export interface Deps extends Ground, Authorization, Counting {
  readonly database: Database | null;
  /** Where people move to; null without its token. */
  readonly directory: Directory | null;
  /** Null where there are no sessions of our own. */
  readonly keyRing: KeyRing | null;
  readonly issuerOf: IssuerOf;
  /** The providers that people sign in by. */
  readonly signIns: readonly SignIn[];
  readonly mailServer: MailServer | null;
  /** Counters of this process, whatever the shared store is. */
  readonly localCounters: MemoryCounters;
  readonly proxies: TrustedProxies;
  readonly fetchUpstream: Upstream<Request, Response>;
  close(): Promise<void>;
}

/** The slices that ports are opened from. */
export type DepsConfig = Pick<ServerConfig, 'logLevel' | 'trustedProxies'> &
  CountersConfig &
  MaybeSessions &
  OAuthClientsConfig & {
    readonly migration: MigrationConfig;
    readonly openfga: OpenFgaConfig;
    readonly database: DatabaseConfig | null;
    readonly mail: MailConfig | null;
  };

/** The ports of one running bundle; each function uses those that it names. */
export function createDeps<Config extends DepsConfig>(
  config: Config,
  options: DepsOptions = {},
): Deps & { readonly config: Config } {
  const ground = openGround(config, options);
  const { platform, clock } = ground;
  const counting = openCounting(config, ground, options.onMark);
  const database = openDatabase(config, ground);
  const issuerOf = openIssuers({ ...platform, ...ground });
  return {
    config,
    ...ground,
    issuerOf,
    signIns: config.clients.map((client) =>
      openSignIn(client, { fetch: platform.fetch, clock, issuer: issuerOf(client.issuer) }),
    ),
    ...counting,
    ...openAuthorization(config, ground),
    database,
    directory: directoryOf(config, ground),
    keyRing: config.sessions === null ? null : openKeyRing(config.sessions),
    mailServer: openMailServer(config, ground),
    localCounters: new MemoryCounters({ clock, capacity: 20_000 }),
    proxies: trustedProxies(config.trustedProxies),
    fetchUpstream: fetchUpstream({
      fetch: platform.fetch,
      conduit: platform.conduit,
      endsWithClient: platform.runtime === 'workers',
    }),
    async close() {
      counting.disconnect();
      await database?.close();
    },
  };
}
