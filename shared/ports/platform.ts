import type { AuthorizationModel } from './authorization-models.ts';
import type { Config, Runtime } from '../configuration/config.ts';
import type { Database } from './database.ts';
import type { Background, Clock, Digest, Exchange, MaybePromise } from './runtime.ts';
import type { Counters, Taken, TakeRequest } from './counters.ts';
import type { Log } from './log.ts';
import type { Metrics } from './metrics.ts';
import type { Revocations } from './revocations.ts';
import type { Answer, NodeExchange, UpgradeExchange, Upstream } from './upstream.ts';

export interface SharedTaken extends Taken {
  /** The name of the store: '' for one that is empty or not filled yet, '-' where it cannot be read. */
  readonly store: string;
}

export interface SharedCounters extends Counters, Revocations {
  take(request: TakeRequest): MaybePromise<SharedTaken>;
  /** The name of the store, as of now. */
  look(): Promise<string>;
  /** Names the store, once it is filled. */
  name(store: string): Promise<void>;
  /** Resolves when the store is connected; rejects with CountersUnavailable when it is not to be had for now. */
  ready?(): Promise<void>;
  /** How many connections were opened so far; absent where there are none to be lost. */
  connections?(): number;
  close?(): void;
}

export interface SocketUpstreams {
  readonly requests: Upstream<NodeExchange, Answer>;
  readonly upgrades: Upstream<UpgradeExchange, Answer>;
  /** Says good-bye on open WebSockets (close code 1001), also on those still to open; resolves when all are closed. */
  leave(): Promise<void>;
  close(): Promise<void>;
}

/** What differs between Node and Workers; `#platform` in package.json chooses the file. */
export interface Platform {
  readonly runtime: Runtime;
  readonly background: Background;
  /** Workers send a caller's own request on with the body it holds. */
  readonly fetch: (to: string | Request, init?: RequestInit) => Promise<Response>;
  /** For clients of services that take their HTTP from outside. */
  readonly exchange: Exchange;
  readonly digest: Digest;
  /** What is written to it can be read from it, and goes out as a body of this length; -1: of any length. */
  readonly conduit: (length: number) => TransformStream<Uint8Array, Uint8Array>;
  readonly metrics: Metrics;
  /** Identical work under way may be joined by other requests: not on Workers. */
  readonly joinsRequests: boolean;
  log(level: Config['logLevel']): Log & { flush(): void };
  /** The shared store; null when the configuration names none. */
  counters(config: Config['counters'], clock: Clock): SharedCounters | null;
  /** Postgres: over TCP on Node; through Hyperdrive, or over HTTP at Neon, on Workers. */
  database(config: NonNullable<Config['database']>): Database;
  /** Streams between sockets without web streams; null where the runtime has none. */
  sockets(): SocketUpstreams | null;
  /** A configuration file as text. Throws when it cannot be read. */
  readText(path: string): string;
  /** A text in OpenFGA's language; null where the parser is too heavy. Throws UnusableModel. */
  readonly parseModel: ((text: string) => AuthorizationModel) | null;
  /** Calls back after the file's content may have changed; returns the way to stop. */
  watchText(path: string, changed: () => void): () => void;
  /** Calls back at each time of a cron pattern (five fields, UTC); returns the way to stop. Workers have triggers instead. */
  schedule(pattern: string, due: () => void): () => void;
}
