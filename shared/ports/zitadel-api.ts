import type { Failure } from './directory.ts';

/** One call of Zitadel's own API, as a service account. */
export interface ZitadelCall {
  readonly method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';
  /** With the leading slash; `/zitadel.<service>/<Method>` for a unary call of Connect. */
  readonly path: string;
  readonly body?: unknown;
  /** Id of the organisation that the call is about; absent: that of the service account. */
  readonly organization?: string | undefined;
  /** Values in the body that no message may quote. */
  readonly secrets?: readonly string[];
  /** For the whole exchange. */
  readonly timeoutMs: number;
}

/** Zitadel answered, and did nothing. */
export interface ZitadelRefusal {
  readonly outcome: 'refused';
  /** Of HTTP. */
  readonly status: number;
  /** The refusal's id in Zitadel's source, such as V3-DKcYh; empty where the form of the request is refused, or its route unknown. */
  readonly id: string;
  /** Zitadel's text, without secrets. */
  readonly reason: string;
  /** This release has no such route, or does not carry it out. */
  readonly unknownRoute: boolean;
}

export type ZitadelAnswer = { readonly outcome: 'ok'; readonly body: unknown } | ZitadelRefusal | Failure;

export type ZitadelApi = (call: ZitadelCall) => Promise<ZitadelAnswer>;
