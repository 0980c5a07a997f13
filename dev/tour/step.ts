/** What a step's answer must show; everything given must hold. */
export interface Expectation {
  readonly status: number;
  /** `code` of the problem document. */
  readonly code?: string;
  /** Header names (lower case) and what their values contain. */
  readonly headers?: Readonly<Record<string, string>>;
  /** Members of the JSON that came back; of the upstream, its echo. */
  readonly echo?: Readonly<Record<string, unknown>>;
  /** A part of the body. */
  readonly contains?: string;
}

/** Who receives a request. */
export type Place = 'gateway' | 'zitadel' | 'openfga';

/** Base URLs. */
export type Places = Readonly<Record<Place, string>>;

/** Whose token goes along: a person's, or that of the identity provider's service account. */
export type Bearer = 'alice' | 'bob' | 'carol' | 'dana' | 'erin' | 'service';

/** One request of the tour: printed as a curl line, sent by the self-check. */
export interface RequestStep {
  readonly title: string;
  /** Default: the gateway. */
  readonly at?: Place;
  readonly path: string;
  readonly method?: string;
  /** The curl line names the shell variable of the bearer. */
  readonly as?: Bearer;
  readonly headers?: Readonly<Record<string, string>>;
  /** Sent as JSON. */
  readonly body?: unknown;
  /** True: an event has to arrive and be applied first, so the self-check asks until it holds. */
  readonly soon?: true;
  readonly expect: Expectation;
}

/** A command of `sallyport`, over the variables of the demo. */
export interface CommandStep {
  readonly title: string;
  readonly command: readonly string[];
}

export type Step = RequestStep | CommandStep;

export function isRequest(step: Step): step is RequestStep {
  return 'path' in step;
}
