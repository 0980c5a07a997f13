import { Refusal } from '../errors.ts';
import type { Answer, NodeExchange, Upstream } from '../upstream.ts';
import { Passage } from './undici-passage.ts';
import { UndiciTarget } from './undici-target.ts';

/** Failures of a connection that never opened: nothing was sent, so a second try repeats nothing. */
const NEVER_OPENED = new Set(['ECONNREFUSED', 'ENOTFOUND', 'EAI_AGAIN', 'ENETUNREACH', 'EHOSTUNREACH']);
const TIMEOUTS = new Set([
  'UND_ERR_HEADERS_TIMEOUT',
  'UND_ERR_BODY_TIMEOUT',
  'UND_ERR_CONNECT_TIMEOUT',
  'ETIMEDOUT',
]);

export interface NodeUpstream extends Upstream<NodeExchange, Answer> {
  close(): Promise<void>;
}

/** Upstream of the Node entry, by undici's dispatcher: no Request, Response or web stream is made on the way. */
export function undiciUpstream(): NodeUpstream {
  const targets = new Map<string, UndiciTarget>();
  const targetOf = (base: string): UndiciTarget => {
    let target = targets.get(base);
    if (target === undefined) targets.set(base, (target = new UndiciTarget(base)));
    return target;
  };
  return {
    forward(request, answer, exchange, events) {
      const attempt = (): Promise<Answer> =>
        new Passage(request, answer, exchange, events, targetOf(request.base)).through();
      return attempt().catch((error: unknown) => {
        if (neverOpened(error)) return attempt().catch(refuse);
        return refuse(error);
      });
    },
    async close() {
      await Promise.all([...targets.values()].map(({ pool }) => pool.close()));
    },
  };
}

function codeOf(error: unknown): string {
  return error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : '';
}

function neverOpened(error: unknown): boolean {
  if (error instanceof AggregateError) return error.errors.every(neverOpened);
  return NEVER_OPENED.has(codeOf(error));
}

function refuse(error: unknown): never {
  throw asRefusal(error);
}

function asRefusal(error: unknown): unknown {
  if (error instanceof Refusal) return error;
  if (error instanceof Error && error.cause instanceof Refusal) return error.cause;
  const code = codeOf(error);
  return TIMEOUTS.has(code)
    ? new Refusal('upstream_timeout', `no answer in time (${code})`, { cause: error })
    : new Refusal('upstream_unreachable', `connection failed (${code || 'unknown'})`, { cause: error });
}
