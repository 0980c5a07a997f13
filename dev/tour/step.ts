import type { DoorProvider } from '../doors.ts';

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
export type Place = 'gateway' | 'zitadel' | 'kanidm' | 'openfga' | 'inbox';

/** Base URLs. */
export type Places = Readonly<Record<Place, string>>;

/**
 * Whose token goes along: a person's of the OpenID provider, that of the identity provider's service account, or that of a session
 * which began by password.
 */
export type Bearer = 'alice' | 'bob' | 'carol' | 'dana' | 'erin' | 'service' | 'grace';

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
  /** True: with a token made for this step, whatever the bearer had before. */
  readonly newToken?: true;
  /** It holds this long after the step before: the printed lines sleep, the self-check asks until it does. */
  readonly afterSeconds?: number;
  readonly expect: Expectation;
}

/** A command of `sallyport`, over the variables of the demo. */
export interface CommandStep {
  readonly title: string;
  readonly command: readonly string[];
  /** A part of what it prints. */
  readonly says?: string;
  /** Its exit code; default 0. */
  readonly exit?: number;
}

/** A sign-in through the pages of a provider, and what the page that it leads to answers. */
export interface SignInStep {
  readonly title: string;
  readonly signIn: {
    readonly provider: DoorProvider;
    readonly name: string;
    readonly password: string;
    /** A path at the gateway. */
    readonly returnTo: string;
  };
  /** It leads to a page, of which the printed lines show the heading. */
  readonly page?: true;
  readonly afterSeconds?: number;
  readonly expect: Expectation;
}

/**
 * The newest invitation in the inbox. `opened`: what the page of its link answers. `taken`: the way on, through its button, a credential
 * at the provider where one is set, and sign-in; and what the page that it leads to answers.
 */
export interface InvitationStep {
  readonly title: string;
  readonly invitation: 'opened' | 'taken';
  readonly provider: DoorProvider;
  /** What is typed at the provider. */
  readonly password: string;
  readonly afterSeconds?: number;
  readonly expect: Expectation;
}

export type Step = RequestStep | CommandStep | SignInStep | InvitationStep;

/**
 * Stands in texts for what makes the names of one run its own, so that the lines can be pasted again. The printed lines
 * have it as a variable of the shell.
 */
export const RUN = '$RUN';

/** Who the token of a bearer is for. */
export function userOf(bearer: Bearer): string {
  return bearer === 'dana' || bearer === 'erin' ? `${bearer}-${RUN}` : bearer;
}

/** The step with the names of one run. `run`: letters and digits. */
export function inRun<T extends Step>(step: T, run: string): T {
  return JSON.parse(JSON.stringify(step).replaceAll(RUN, run)) as T;
}

export function isRequest(step: Step): step is RequestStep {
  return 'path' in step;
}

export function isSignIn(step: Step): step is SignInStep {
  return 'signIn' in step;
}

export function isInvitation(step: Step): step is InvitationStep {
  return 'invitation' in step;
}

export function isCommand(step: Step): step is CommandStep {
  return 'command' in step;
}
