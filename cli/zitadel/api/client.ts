import * as z from 'zod';
import { pause } from '../../../shared/ports/runtime.ts';
import type {
  ZitadelAnswer,
  ZitadelApi,
  ZitadelCall,
  ZitadelRefusal,
} from '../../../shared/ports/zitadel-api.ts';
import type { ZitadelReader } from '../../../shared/zitadel/reader.ts';
import { Failure } from '../../failure.ts';

/** Zitadel took the token and refused the call. */
export class Refused extends Failure {
  readonly status: number;
  /** In Zitadel's source, such as V3-DKcYh; may be empty. */
  readonly id: string;
  readonly unknownRoute: boolean;

  constructor(message: string, { status, id, unknownRoute }: ZitadelRefusal) {
    super(message);
    this.status = status;
    this.id = id;
    this.unknownRoute = unknownRoute;
  }
}

/** Whether a command was carried out is unknown: its answer did not come. */
export class Unanswered extends Failure {}

export interface ApiCall extends Omit<ZitadelCall, 'timeoutMs'> {
  /** The permission it needs, as Zitadel names it: `iam.policy.write`. */
  readonly right: string;
}

export interface ZitadelClient extends ZitadelReader {
  /** Whether a token is the one that is used here. */
  isOwnToken(token: string): boolean;
  /** Returns the answer's body as `shape` reads it. Throws Refused, Unanswered, Failure; no message has a secret. */
  call<T>(shape: z.ZodType<T>, call: ApiCall): Promise<T>;
}

export interface ClientOptions {
  /** Milliseconds. */
  readonly wait?: (ms: number) => Promise<void>;
}

const TIMEOUT_MS = 20_000;
/** For what was not carried out: doubled from the first to the longest. */
const FIRST_PAUSE_MS = 200;
const LONGEST_PAUSE_MS = 2_000;
/** A server that has just started answers 503 up to a second after it reports ready. */
const ATTEMPTS = 8;

/** POSTs that only read, and may be sent again. */
const SEARCH = /\/_?search$|\/List\w+$|^\/v2\/users$/;

export function zitadelClient(
  { url, token, api }: { readonly url: string; readonly token: string; readonly api: ZitadelApi },
  { wait = (ms) => pause(ms) }: ClientOptions = {},
): ZitadelClient {
  const answered = async (call: ApiCall): Promise<unknown> => {
    const { method, path, body, organization, secrets = [] } = call;
    const reads = method === 'GET' || SEARCH.test(path);
    let pauseMs = FIRST_PAUSE_MS;
    for (let attempt = 1; ; attempt++) {
      const answer = await api({ method, path, body, organization, secrets, timeoutMs: TIMEOUT_MS });
      if (answer.outcome === 'ok') return answer.body;
      const again =
        answer.outcome === 'away' || answer.outcome === 'busy' || (answer.outcome === 'slow' && reads);
      if (!again || attempt === ATTEMPTS) throw failureOf(url, call, answer, reads);
      const asked = answer.outcome === 'busy' ? (answer.retryAfterSeconds ?? 0) * 1_000 : 0;
      await wait(Math.min(Math.max(pauseMs, asked), 30_000));
      pauseMs = Math.min(pauseMs * 2, LONGEST_PAUSE_MS);
    }
  };
  return {
    url,
    isOwnToken: (other) => other === token,
    fault: (message) => new Failure(message),
    async call(shape, call) {
      const parsed = shape.safeParse(await answered(call));
      if (parsed.success) return parsed.data;
      const [issue] = parsed.error.issues;
      throw new Failure(
        `${nameOf(call)}: not the answer of a Zitadel that is known here (${issue?.path.join('.') ?? ''}: ${issue?.message ?? ''})`,
      );
    },
  };
}

function failureOf(
  url: string,
  call: ApiCall,
  answer: Exclude<ZitadelAnswer, { readonly outcome: 'ok' }>,
  reads: boolean,
): Failure {
  const name = nameOf(call);
  if (answer.outcome === 'refused') return new Refused(`${name}: ${causeOf(call, answer)}`, answer);
  const what = `${name}: ${answer.reason}`;
  if (answer.outcome === 'slow' && !reads)
    return new Unanswered(
      `${what}; it may have been carried out all the same. Run the command again: it looks before it writes`,
    );
  if (answer.outcome === 'failed' || answer.outcome === 'denied') return new Failure(what);
  return new Failure(
    `${what}. ${new URL(url).host} (ZITADEL_API_URL, else ZITADEL_ISSUER_URL) is away or not ready yet`,
  );
}

function causeOf({ right }: ApiCall, { status, reason, unknownRoute }: ZitadelRefusal): string {
  if (status === 401)
    return `${reason}. ZITADEL_SERVICE_TOKEN is not accepted: it has expired or was removed, is of another instance, or its account was deactivated or locked, which ends its tokens for good; every token is refused where Zitadel runs with another masterkey`;
  if (status === 403)
    return `${reason}. The account of ZITADEL_SERVICE_TOKEN lacks the right ${right}${roleFor(right)}`;
  if (unknownRoute) return `${reason}. This release of Zitadel has no such call`;
  return reason;
}

/** The least role of the instance that brings a permission along. */
function roleFor(right: string): string {
  return /\.read$/.test(right)
    ? ', which the role IAM_OWNER_VIEWER has'
    : ', which the role IAM_OWNER has: Zitadel, Default settings, Administrators';
}

/** Without queries, and without ids, which say nothing to a reader. */
function nameOf({ method, path }: ApiCall): string {
  return `${method} ${path.split('?')[0] ?? ''}`;
}

/** Answers of commands, of which nothing is read. */
export const Nothing = z.unknown();

/** gRPC's FAILED_PRECONDITION: what is written is there already. */
export async function unlessUnchanged(work: Promise<unknown>): Promise<void> {
  try {
    await work;
  } catch (error) {
    const unchanged = /not(?: been)? changed|NotChanged|no ?changes|AlreadyActive/i;
    if (!(error instanceof Refused && error.status === 400 && unchanged.test(error.message))) throw error;
  }
}

/** gRPC's ALREADY_EXISTS. */
export async function unlessThere(work: Promise<unknown>): Promise<void> {
  try {
    await work;
  } catch (error) {
    if (!(error instanceof Refused) || error.status !== 409) throw error;
  }
}
