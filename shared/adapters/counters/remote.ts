import { createHash } from 'node:crypto';
import * as z from 'zod';
import { CountersUnavailable } from '../../errors.ts';
import { UNVERSIONED } from '../../identity/marks.ts';
import type { SharedCounters, SharedTaken } from '../../ports/platform.ts';
import type { Mark, MarkStore } from '../../ports/revocations.ts';
import type { TakeRequest } from '../../ports/counters.ts';
import { grainMs } from '../../counting/rate.ts';
import { MARK, TAKE, type Script } from './script.ts';

/** Sends one command to a store that speaks Redis; rejects when it does not answer in time or answers with an error. */
export type Send = (command: [string, ...string[]]) => Promise<unknown>;

const count = z.number().int().nonnegative();
const takeReply = z.tuple([count, count, count, count, z.string(), z.string(), z.string(), z.string()]);
const MAX_REASON = 200;
/** Says which store this is: one that was emptied, or took the place of another, has none or another. */
const STORE_KEY = 'sallyport:store';
/** What a cluster or a narrow access list answers about it. */
const NOT_TO_BE_HAD = /^(?:MOVED|CROSSSLOT|NOPERM)/;
/** No caller's name is without a `|`. */
const PROBE: TakeRequest = { caller: 'readiness', policy: { name: 'probe', limit: 1_000, windowMs: 1_000 } };

/** Counters and marks in a store that speaks Redis: one command per take. */
export class RemoteCounters implements SharedCounters, MarkStore {
  readonly #send: Send;

  constructor(send: Send) {
    this.#send = send;
  }

  async take({ caller, policy, organization }: TakeRequest): Promise<SharedTaken> {
    const tag = tagOf(caller);
    const keys = [`${tag}:window:${policy.name}`, ...markKeys(tag)];
    const { limit, windowMs } = policy;
    const numbers = [limit, windowMs * 1_000, grainMs(policy) * 1_000].map(String);
    const withdrawn = organization === undefined ? '' : markKeys(tagOf(organization))[0];
    const reply = await this.#run(TAKE, keys, [...numbers, STORE_KEY, withdrawn]);
    const parsed = takeReply.safeParse(reply);
    if (!parsed.success)
      throw new CountersUnavailable('the counter store gave an answer that is none of the script');
    const [allowed, remaining, resetUs, retryUs, revoked, restored, store, gone] = parsed.data;
    return {
      allowed: allowed === 1,
      remaining,
      resetMs: Math.ceil(resetUs / 1_000),
      retryAfterMs: Math.ceil(retryUs / 1_000),
      mark: markOf(revoked, restored),
      organizationMark: markOf(gone, ''),
      store,
    };
  }

  /** A take like any other: a read-only replica, a full memory and a missing permission answer PING all the same. */
  async ping(): Promise<void> {
    await this.take(PROBE);
  }

  async mark(caller: string, { version, notBefore }: Mark, seconds: number): Promise<void> {
    const upTo = notBefore === Infinity ? '' : String(Math.floor(notBefore));
    const kept = String(Math.max(1, Math.ceil(seconds)));
    const number = Number.isFinite(version) ? version : Number.MIN_SAFE_INTEGER;
    await this.#run(MARK, markKeys(tagOf(caller)), [String(number), upTo, kept]);
  }

  async look(): Promise<string> {
    try {
      return (
        z
          .string()
          .nullable()
          .parse(await this.#send(['GET', STORE_KEY])) ?? ''
      );
    } catch (error) {
      if (error instanceof Error && NOT_TO_BE_HAD.test(error.message)) return '-';
      throw unavailable(error);
    }
  }

  async name(store: string): Promise<void> {
    await this.#command(['SET', STORE_KEY, store]);
  }

  async #run(script: Script, keys: readonly string[], args: readonly string[]): Promise<unknown> {
    const rest = [String(keys.length), ...keys, ...args];
    try {
      return await this.#send(['EVALSHA', script.sha, ...rest]);
    } catch (error) {
      // A store that restarted or was flushed has forgotten the script; EVAL teaches it again.
      if (!isNoScript(error)) throw unavailable(error);
    }
    return this.#command(['EVAL', script.source, ...rest]);
  }

  async #command(command: [string, ...string[]]): Promise<unknown> {
    try {
      return await this.#send(command);
    } catch (error) {
      throw unavailable(error);
    }
  }
}

/**
 * Callers are text of any length from outside, so keys carry a digest. The braces are Redis Cluster's hash tag: all keys
 * of one caller live on one node, as a script that reads two of them needs.
 */
function tagOf(caller: string): string {
  return `sallyport:{${createHash('sha256').update(caller).digest('base64url')}}`;
}

function markKeys(tag: string): [string, string] {
  return [`${tag}:revoked`, `${tag}:restored`];
}

function markOf(withdrawn: string, restored: string): Mark | undefined {
  const [, back, upTo] = /^v(-?\d+) (\d+)$/.exec(restored) ?? [];
  const taken = withdrawn === '' ? undefined : /^v(-?\d+)$/.exec(withdrawn);
  // Whatever else stands there is a withdrawal too, of an older version of this gateway.
  if (taken === null) return { version: UNVERSIONED, notBefore: Infinity };
  if (taken !== undefined && !(Number(back) > Number(taken[1])))
    return { version: Number(taken[1]), notBefore: Infinity };
  return back === undefined ? undefined : { version: Number(back), notBefore: Number(upTo) };
}

function isNoScript(error: unknown): boolean {
  return error instanceof Error && error.message.startsWith('NOSCRIPT');
}

function unavailable(error: unknown): CountersUnavailable {
  const reason = error instanceof Error ? error.message : 'unknown fault';
  return new CountersUnavailable(`the counter store: ${reason.slice(0, MAX_REASON)}`, { cause: error });
}
