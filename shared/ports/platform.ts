import type { AuthorizationModel } from './authorization-models.ts';
import type { ServerConfig } from '../configuration/server.ts';
import type { Runtime } from '../configuration/slice.ts';
import type { DatabaseConfig, StoreOfCounters } from '../configuration/stores.ts';
import type { ReadBackups } from './backups.ts';
import type { ReadCertificate } from './certificates.ts';
import type { Database } from './database.ts';
import type { Background, Clock, Exchange, MaybePromise, Processes } from './runtime.ts';
import type { Counters, Taken, TakeRequest } from './counters.ts';
import type { RequestLines } from './log.ts';
import type { Metrics } from './metrics.ts';
import type { Passwords } from './passwords.ts';
import type { MarkStore } from './revocations.ts';
import type { Answer, NodeExchange, UpgradeExchange, Upstream } from './upstream.ts';

/** A take, with the name of the store of marks, which is read in the same round trip. */
export interface SharedTaken extends Taken {
  /** As `MarkStore.look` returns it. */
  readonly store: string;
}

export interface SharedCounters extends Counters {
  take(request: TakeRequest): MaybePromise<SharedTaken>;
  /** Resolves when the store is connected; rejects with CountersUnavailable when it is away. */
  ready?(): Promise<void>;
  /** Connections opened so far; absent where the store is connectionless. */
  connections?(): number;
  close?(): void;
}

export interface SocketUpstreams {
  readonly requests: Upstream<NodeExchange, Answer>;
  readonly upgrades: Upstream<UpgradeExchange, Answer>;
  /** Closes open WebSockets with 1001 (RFC 6455 §7.4.1), also those still to open; resolves when all are closed. */
  leave(): Promise<void>;
  close(): Promise<void>;
}

/** What differs between Node and Workers; `#platform` in package.json chooses the file. */
export interface Platform {
  readonly runtime: Runtime;
  readonly background: Background;
  readonly processes: Processes;
  /** Workers forward the caller's own `Request` with its body. */
  readonly fetch: (to: string | Request, init?: RequestInit) => Promise<Response>;
  /** For clients of services that take their HTTP from outside. */
  readonly exchange: Exchange;
  /** An identity stream, sent as a body of this length; -1: of any length. */
  readonly conduit: (length: number) => TransformStream<Uint8Array, Uint8Array>;
  readonly metrics: Metrics;
  readonly passwords: Passwords;
  /** Whether requests may join identical work under way: not on Workers. */
  readonly joinsRequests: boolean;
  log(level: ServerConfig['logLevel']): RequestLines & { flush(): void };
  /** The shared store, of counters and of marks; null when the configuration names none. */
  counters(config: StoreOfCounters, clock: Clock): (SharedCounters & MarkStore) | null;
  /** Postgres: over TCP on Node; through Hyperdrive, or over HTTP at Neon, on Workers. */
  database(config: DatabaseConfig): Database;
  /** Streams between sockets without web streams; null where the runtime has none. */
  sockets(): SocketUpstreams | null;
  /** A configuration file as text. Throws when it cannot be read. */
  readText(path: string): string;
  /** The texts of a configuration folder, by their paths below it with `/`; none where there is no such folder. */
  readFolder(path: string): ReadonlyMap<string, string>;
  /** A static file of a page, by its name. Rejects where it is not deployed. */
  asset(name: string): Promise<Uint8Array>;
  /** Null where the runtime shows no certificates. */
  readonly certificate: ReadCertificate | null;
  /** Null where the runtime has no files. */
  readonly backups: ReadBackups | null;
  /** Parses OpenFGA's language; null where the parser is too heavy. Throws UnusableModel. */
  readonly parseModel: ((text: string) => AuthorizationModel) | null;
  /** Calls `changed` after the file's content may have changed; returns the stop function. */
  watchText(path: string, changed: () => void): () => void;
  /** Calls `due` at each time of a cron pattern (five fields, UTC); returns the stop function. Workers have triggers instead. */
  schedule(pattern: string, due: () => void): () => void;
}
