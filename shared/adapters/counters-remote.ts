import { createHash } from 'node:crypto';
import * as z from 'zod';
import { CountersUnavailable } from '../errors.ts';
import type { Counters, Revocations, Taken, TakeRequest } from '../ports.ts';
import { intervalUs } from '../rate.ts';
import { REVOKE, TAKE, type Script } from './counters-script.ts';

/** Sends one command to a store that speaks Redis; rejects when it does not answer in time or answers with an error. */
export type Send = (command: [string, ...string[]]) => Promise<unknown>;

const count = z.number().int().nonnegative();
const takeReply = z.tuple([count, count, count, count, count]);
const MAX_REASON = 200;
/** No caller's name is without a `|`. */
const PROBE: TakeRequest = { caller: 'readiness', policy: { name: 'probe', limit: 1_000, windowMs: 1_000 } };

/** Counters and marks in a store that speaks Redis: one command per take. */
export class RemoteCounters implements Counters, Revocations {
  readonly #send: Send;

  constructor(send: Send) {
    this.#send = send;
  }

  async take({ caller, policy }: TakeRequest): Promise<Taken> {
    const tag = tagOf(caller);
    const keys = [`${tag}:rate:${policy.name}`, revokedKey(tag)];
    const reply = await this.#run(TAKE, keys, [String(intervalUs(policy)), String(policy.limit)]);
    const parsed = takeReply.safeParse(reply);
    if (!parsed.success)
      throw new CountersUnavailable('the counter store gave an answer that is none of the script');
    const [allowed, remaining, resetUs, retryUs, revoked] = parsed.data;
    return {
      allowed: allowed === 1,
      remaining,
      resetMs: Math.ceil(resetUs / 1_000),
      retryAfterMs: Math.ceil(retryUs / 1_000),
      revoked: revoked === 1,
    };
  }

  /** A take like any other: a read-only replica, a full memory and a missing permission answer PING all the same. */
  async ping(): Promise<void> {
    await this.take(PROBE);
  }

  async revoke(caller: string, seconds: number): Promise<void> {
    await this.#run(REVOKE, [revokedKey(tagOf(caller))], [String(Math.max(1, Math.ceil(seconds)))]);
  }

  async restore(caller: string): Promise<void> {
    await this.#command(['DEL', revokedKey(tagOf(caller))]);
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

function revokedKey(tag: string): string {
  return `${tag}:revoked`;
}

function isNoScript(error: unknown): boolean {
  return error instanceof Error && error.message.startsWith('NOSCRIPT');
}

function unavailable(error: unknown): CountersUnavailable {
  const reason = error instanceof Error ? error.message : 'unknown fault';
  return new CountersUnavailable(`the counter store: ${reason.slice(0, MAX_REASON)}`, { cause: error });
}
