import cluster from 'node:cluster';
import { setTimeout as pause } from 'node:timers/promises';
import type { Config } from '../configuration.ts';
import { UnusableConfiguration, type RawEnvironment } from '../../shared/configuration/slice.ts';
import { makePrivateKeys } from '../../shared/keys/signing-keys.ts';
import { primaryDeps, type PrimaryDeps } from './deps.ts';
import { Member, type Generation } from './member.ts';
import { Relay } from './relay.ts';
import { messageOf } from '../../shared/errors.ts';

/** `lingerMs` of a replaced worker: see drain(). */
const LINGER_MS = 5_000;
/** Pause before the second replacement in a row, doubled before each further one. */
const BACK_OFF_MS = 100;
const MOST_BACK_OFF_MS = 10_000;
/** A worker that has served for this long did not fail at its start. */
const CALM_MS = 60_000;

export interface PrimaryOptions {
  /** Reads the variables again. Throws when they cannot be read. */
  readonly read: () => RawEnvironment;
  readonly logLevel: Config['logLevel'];
  /** Called when, after the start, no process serves and none can be started. */
  readonly giveUp: (error: unknown) => void;
}

/** Serves by WORKERS processes on one port; resolves when all of them serve. Rejects with UnusableConfiguration, or an Error when a process does not start. */
export async function startWorkers(options: PrimaryOptions): Promise<Primary> {
  // JSON has no Infinity, a possible `notBefore` of a mark.
  cluster.setupPrimary({ serialization: 'advanced' });
  const ephemeralKeys = { kind: 'keys', jwks: await makePrivateKeys() } as const;
  const primary = new Primary(options, primaryDeps(options.logLevel), ephemeralKeys);
  await primary.start();
  return primary;
}

/** Keeps the configured number of processes serving. node:cluster accepts here and hands out connections in turn; no request passes. */
export class Primary {
  readonly #options: PrimaryOptions;
  readonly #log: PrimaryDeps['log'];
  readonly #ephemeralKeys: Config['assertion'];
  readonly #members = new Set<Member>();
  readonly #relay: Relay;
  readonly #stopping = new AbortController();
  #wanted: Generation;
  /** Runs the work of one process for all. */
  #leader: Member | undefined;
  #settling: Promise<void> | undefined;
  #reloading = false;
  #reloadAgain = false;
  #up = false;
  /** Replacements in a row. */
  #replacements = 0;
  /** Since the last replacement. */
  #died = false;
  #emptied: () => void = () => undefined;

  constructor(options: PrimaryOptions, { log, metrics }: PrimaryDeps, ephemeralKeys: Config['assertion']) {
    this.#options = options;
    this.#log = log;
    this.#ephemeralKeys = ephemeralKeys;
    this.#wanted = { variables: options.read(), size: 1 };
    this.#relay = new Relay(this.#members, metrics);
  }

  /** One process first, so that its faults are reported once. */
  async start(): Promise<void> {
    try {
      const { url, generation } = await this.#add(this.#wanted, false);
      const others = Array.from({ length: generation.size - 1 }, () => this.#add(generation, true));
      await Promise.all(others);
      if (this.#serving().length < generation.size)
        throw new Error('a worker process ended as soon as it served');
      this.#up = true;
      this.#log.info('listening', { url, workers: generation.size, pid: process.pid });
    } catch (error) {
      await this.#end();
      throw error;
    }
  }

  /** Reads the configuration again and renews all processes with it, one by one; an unusable one changes nothing. */
  async reload(): Promise<void> {
    this.#reloadAgain = true;
    if (this.#reloading) return;
    this.#reloading = true;
    while (this.#reloadAgain && !this.#isStopping()) {
      this.#reloadAgain = false;
      await this.#renew();
    }
    this.#reloading = false;
  }

  /** Drains all processes; resolves when they have ended. */
  async stop(): Promise<void> {
    await this.#end();
    this.#log.info('stopped');
    this.#log.flush();
  }

  /** Ends all processes at once. */
  kill(): void {
    for (const member of this.#members) member.kill();
  }

  /** The first process of a new configuration proves it usable; nothing else changes before. */
  async #renew(): Promise<void> {
    try {
      const { url, generation } = await this.#add({ variables: this.#options.read(), size: 1 }, false);
      this.#wanted = generation;
      await this.#settle();
      this.#log.info('configuration reloaded', { url, workers: generation.size });
    } catch (error) {
      if (this.#isStopping()) return;
      for (const fault of faultsOf(error))
        this.#log.error('configuration refused, the old one stays', { fault });
    }
  }

  async #add(generation: Generation, quiet: boolean): Promise<Member> {
    const member = new Member(generation, {
      ephemeralKeys: this.#ephemeralKeys,
      relay: (message, from) => {
        this.#relay.take(message, from);
      },
      ended: (one, how) => {
        this.#remove(one, how);
      },
    });
    this.#members.add(member);
    await member.start(quiet);
    setTimeout(() => {
      if (member.state === 'serving') this.#replacements = 0;
    }, CALM_MS).unref();
    this.#elect();
    return member;
  }

  /** Elects a process of the newest configuration, or of the old one while there is no other. */
  #elect(): void {
    const fits = (member: Member): boolean => member.generation === this.#wanted;
    const serving = this.#serving();
    const leader = this.#leader;
    if (leader?.state === 'serving' && (fits(leader) || !serving.some(fits))) return;
    this.#leader = serving.find(fits) ?? serving[0];
    this.#leader?.post({ kind: 'lead' });
  }

  #serving(): Member[] {
    return [...this.#members].filter(({ state }) => state === 'serving');
  }

  #remove(member: Member, how: string): void {
    const died = member.state === 'serving';
    member.state = 'leaving';
    this.#members.delete(member);
    this.#relay.keep(member, died);
    if (this.#members.size === 0) this.#emptied();
    if (!died || this.#isStopping()) return;
    this.#log.error('worker process died', { pid: member.pid, how });
    this.#elect();
    this.#died = true;
    if (this.#up) void this.#settle();
  }

  /** Resolves when the wanted number of processes serve, all of the newest configuration. */
  #settle(): Promise<void> {
    this.#settling ??= Promise.resolve().then(() => this.#converge());
    return this.#settling;
  }

  /** Adds missing processes before it drains old ones, so that never fewer serve than are wanted. */
  async #converge(): Promise<void> {
    while (!this.#isStopping()) {
      this.#elect();
      const serving = this.#serving();
      const old = serving.filter(({ generation }) => generation !== this.#wanted);
      const lacking = this.#wanted.size - (serving.length - old.length);
      const surplus = Math.max(0, serving.length - this.#wanted.size);
      for (const member of old.slice(0, surplus)) member.leave(LINGER_MS, true);
      if (lacking <= 0) break;
      await this.#addSome(old.length > 0 ? 1 : lacking);
    }
    this.#settling = undefined;
  }

  async #addSome(count: number): Promise<void> {
    const replaces = this.#died;
    if (replaces) await this.#backOff();
    if (this.#isStopping()) return;
    const adding = Array.from({ length: count }, () => this.#add(this.#wanted, true));
    const failed = (await Promise.allSettled(adding)).flatMap((each) => {
      if (each.status === 'rejected') return [each.reason as unknown];
      if (replaces) this.#log.info('worker process replaced', { pid: each.value.pid });
      return [];
    });
    if (failed.length === 0 || this.#isStopping()) return;
    this.#died = true;
    for (const fault of faultsOf(failed[0])) this.#log.error('worker process does not start', { fault });
    if (this.#serving().length > 0) return;
    await this.#end();
    this.#options.giveUp(failed[0]);
  }

  async #backOff(): Promise<void> {
    this.#died = false;
    const ms = this.#replacements === 0 ? 0 : BACK_OFF_MS * 2 ** this.#replacements;
    this.#replacements += 1;
    await pause(Math.min(ms, MOST_BACK_OFF_MS), undefined, { signal: this.#stopping.signal }).catch(
      () => undefined,
    );
  }

  #isStopping(): boolean {
    return this.#stopping.signal.aborted;
  }

  async #end(): Promise<void> {
    this.#stopping.abort();
    const { size } = this.#members;
    const empty = new Promise<void>((resolve) => (this.#emptied = resolve));
    for (const member of this.#members) member.leave(0, false);
    if (size > 0) await empty;
  }
}

function faultsOf(error: unknown): readonly string[] {
  if (error instanceof UnusableConfiguration) return error.faults;
  return [messageOf(error)];
}
