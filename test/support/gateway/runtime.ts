/** Variables of the gateway, by the names of docs/architecture.md. */
export type GatewayVariables = Readonly<Record<string, string>>;

export interface Sent {
  readonly method?: string;
  readonly headers?: Readonly<Record<string, string | string[]>>;
  readonly body?: string | Uint8Array;
}

/** A running gateway, seen from outside. */
export interface RunningGateway {
  /** Where it listens; in process, a name that only `fetch` knows. */
  readonly url: string;
  /** `target` goes out as it is written; in process it passes the URL parser first, as on Workers. */
  readonly fetch: (target: string, sent?: Sent) => Promise<Response>;
  /** Everything it printed or logged so far. */
  readonly output: () => string;
  close(): Promise<void>;
}

/** A place that runs the gateway. The same suite passes in all of them. */
export interface Runtime {
  readonly name: 'in process' | 'node' | 'workerd';
  /** `variables` are all it gets. */
  start(variables: GatewayVariables): Promise<RunningGateway>;
}
