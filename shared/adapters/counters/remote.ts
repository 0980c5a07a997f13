import * as z from 'zod';
import { CountersUnavailable, messageOf } from '../../errors.ts';
import { UNVERSIONED } from '../../identity/marks.ts';
import type { SharedCounters, SharedTaken } from '../../ports/platform.ts';
import type { Mark, MarkStore } from '../../ports/revocations.ts';
import type { TakeRequest } from '../../ports/counters.ts';
import { grainMs } from '../../counting/rate.ts';
import { namesOf, type Names } from './names.ts';
import { MARK, TAKE, type Script } from './script.ts';

/** Sends one command to a store that speaks Redis; rejects when it does not answer in time or answers with an error. */
export type Send = (command: [string, ...string[]]) => Promise<unknown>;

/** Calls `work` at the end of this turn of the event loop. */
export type AtTurnsEnd = (work: () => void) => void;

const MAX_REASON = 200;
/** Identifies the store: an emptied or replaced one has none or another. */
const STORE_KEY = 'sallyport:store';
/** Errors of a cluster or a restrictive ACL upon reading it. */
const NOT_TO_BE_HAD = /^(?:MOVED|CROSSSLOT|NOPERM)/;
/** Collides with no caller, as each has a `|`. */
const PROBE: TakeRequest = { caller: 'readiness', policy: { name: 'probe', limit: 1_000, windowMs: 1_000 } };
/** Most takes per call, which blocks the store for some 5 µs each. */
const MOST_TOGETHER = 128;
/** Callers whose keys are cached, so that none is hashed with every request. */
const MOST_NAMED = 10_000;
const TAKEN = /^([01]) (\d+) (\d+) (\d+)(?:\|([^|]*)\|([^|]*)\|([^|]*)\|([^|]*))?$/;

interface Waiting {
  readonly request: TakeRequest;
  readonly resolve: (taken: SharedTaken) => void;
  readonly reject: (error: unknown) => void;
}

/**
 * Counters and marks in a store that speaks Redis. Takes within one turn of the event loop are batched into one call, unless
 * `atTurnsEnd` is absent: on Workers a request must not await another's promise.
 */
export class RemoteCounters implements SharedCounters, MarkStore {
  readonly #send: Send;
  readonly #atTurnsEnd: AtTurnsEnd | undefined;
  readonly #names = new Map<string, Names>();
  #waiting: Waiting[] = [];
  /** Takes of this turn. */
  #came = 0;
  /** The last turn with takes had more than one: then the first of this one waits for the others. */
  #crowded = false;
  /** The store is a cluster: a script's keys must be on one node, as those of one caller are. */
  #parted = false;

  constructor(send: Send, atTurnsEnd?: AtTurnsEnd) {
    this.#send = send;
    this.#atTurnsEnd = atTurnsEnd;
  }

  take(request: TakeRequest): Promise<SharedTaken> {
    return new Promise((resolve, reject) => {
      const waiting = { request, resolve, reject };
      if (this.#atTurnsEnd === undefined) {
        void this.#call([waiting]);
        return;
      }
      this.#came += 1;
      if (this.#came === 1) this.#atTurnsEnd(this.#leave);
      if (this.#came === 1 && !this.#crowded) void this.#call([waiting]);
      else this.#waiting.push(waiting);
    });
  }

  readonly #leave = (): void => {
    const all = this.#waiting;
    this.#waiting = [];
    this.#crowded = this.#came > 1;
    this.#came = 0;
    for (const batch of this.#parted ? byCaller(all) : [all])
      for (let i = 0; i < batch.length; i += MOST_TOGETHER)
        void this.#call(batch.slice(i, i + MOST_TOGETHER));
  };

  /** Settles each take of the batch; a failed call rejects these only. */
  async #call(batch: readonly Waiting[]): Promise<void> {
    try {
      const taken = takenOf(await this.#run(TAKE, this.#parametersOf(batch)), batch);
      taken.forEach((each, at) => batch[at]?.resolve(each));
    } catch (error) {
      // Refused before execution, so that no take is counted twice.
      const parts = spansNodes(error) ? byCaller(batch) : [];
      // One caller's keys that span nodes cannot be split further: a repeat would have the same answer.
      if (parts.length > 1) {
        this.#parted = true;
        for (const part of parts) void this.#call(part);
      } else for (const { reject } of batch) reject(error);
    }
  }

  /** Number of keys, keys, arguments. */
  #parametersOf(batch: readonly Waiting[]): string[] {
    const parameters = [String(batch.length * 3)];
    for (const { request } of batch) {
      const { tag, withdrawn, restored } = this.#namesOf(request.caller);
      parameters.push(`${tag}:window:${request.policy.name}`, withdrawn, restored);
    }
    parameters.push(STORE_KEY);
    for (const { request } of batch) {
      const { policy } = request;
      parameters.push(`${policy.limit} ${policy.windowMs * 1_000} ${grainMs(policy) * 1_000}`);
      parameters.push(this.#othersOf(request));
    }
    return parameters;
  }

  /** The withdrawals besides the caller's own: `organisation`, or `organisation session` where there is one. */
  #othersOf({ organization, session }: TakeRequest): string {
    const first = organization === undefined ? '' : this.#namesOf(organization).withdrawn;
    return session === undefined ? first : `${first} ${this.#namesOf(session).withdrawn}`;
  }

  #namesOf(caller: string): Names {
    let names = this.#names.get(caller);
    if (names === undefined) {
      if (this.#names.size >= MOST_NAMED) this.#names.clear();
      this.#names.set(caller, (names = namesOf(caller)));
    }
    return names;
  }

  /** By a take: a read-only replica, a full memory and a missing permission would still answer PING. */
  async ping(): Promise<void> {
    await this.take(PROBE);
  }

  async mark(caller: string, { version, notBefore }: Mark, seconds: number): Promise<void> {
    const upTo = notBefore === Infinity ? '' : String(Math.floor(notBefore));
    const kept = String(Math.max(1, Math.ceil(seconds)));
    const number = Number.isFinite(version) ? version : Number.MIN_SAFE_INTEGER;
    const { withdrawn, restored } = this.#namesOf(caller);
    await this.#run(MARK, ['2', withdrawn, restored, String(number), upTo, kept]);
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

  async #run(script: Script, parameters: readonly string[]): Promise<unknown> {
    try {
      return await this.#send(['EVALSHA', script.sha, ...parameters]);
    } catch (error) {
      // A restarted or flushed store has lost the script; EVAL loads it again.
      if (!beginsWith(error, 'NOSCRIPT')) throw unavailable(error);
    }
    return this.#command(['EVAL', script.source, ...parameters]);
  }

  async #command(command: [string, ...string[]]): Promise<unknown> {
    try {
      return await this.#send(command);
    } catch (error) {
      throw unavailable(error);
    }
  }
}

function byCaller(batch: readonly Waiting[]): Waiting[][] {
  const parts = new Map<string, Waiting[]>();
  for (const each of batch) {
    const part = parts.get(each.request.caller);
    if (part === undefined) parts.set(each.request.caller, [each]);
    else part.push(each);
  }
  return [...parts.values()];
}

function takenOf(reply: unknown, batch: readonly Waiting[]): SharedTaken[] {
  const [store = '', ...lines] = typeof reply === 'string' ? reply.split('\n') : [];
  const taken = lines.flatMap((line): SharedTaken | [] => {
    const [, allowed, remaining, resetUs, retryUs, withdrawn = '', restored = '', gone = '', ended = ''] =
      TAKEN.exec(line) ?? [];
    if (allowed === undefined) return [];
    return {
      allowed: allowed === '1',
      remaining: Number(remaining),
      resetMs: Math.ceil(Number(resetUs) / 1_000),
      retryAfterMs: Math.ceil(Number(retryUs) / 1_000),
      mark: markOf(withdrawn, restored),
      organizationMark: markOf(gone, ''),
      sessionMark: markOf(ended, ''),
      store,
    };
  });
  if (taken.length === batch.length && lines.length === batch.length) return taken;
  throw new CountersUnavailable('the counter store gave an answer that is none of the script');
}

function markOf(withdrawn: string, restored: string): Mark | undefined {
  const [, back, upTo] = /^v(-?\d+) (\d+)$/.exec(restored) ?? [];
  const taken = withdrawn === '' ? undefined : /^v(-?\d+)$/.exec(withdrawn);
  // Any other value is a withdrawal too, by an older version of this gateway.
  if (taken === null) return { version: UNVERSIONED, notBefore: Infinity };
  if (taken !== undefined && !(Number(back) > Number(taken[1])))
    return { version: Number(taken[1]), notBefore: Infinity };
  return back === undefined ? undefined : { version: Number(back), notBefore: Number(upTo) };
}

/** Also by a proxy in front of a cluster. */
function spansNodes(error: unknown): boolean {
  return error instanceof CountersUnavailable && beginsWith(error.cause, 'CROSSSLOT');
}

function beginsWith(error: unknown, code: string): boolean {
  return error instanceof Error && error.message.startsWith(code);
}

function unavailable(error: unknown): CountersUnavailable {
  return new CountersUnavailable(`the counter store: ${messageOf(error).slice(0, MAX_REASON)}`, {
    cause: error,
  });
}
