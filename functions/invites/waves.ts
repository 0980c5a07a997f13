import { dueInvites, dueReminders, isAnythingLeft, nextRange } from '../../shared/invitations/due.ts';
import { queueSteps, type MailingDeps, type StepDue } from '../../shared/invitations/mailing.ts';
import { roomFor } from '../../shared/invitations/pace.ts';
import { endInvitations, settleSteps } from '../../shared/invitations/settle.ts';
import { remindersOf } from '../../shared/invitations/steps.ts';
import { triggerMet } from '../../shared/invitations/triggers.ts';
import type { Wave } from '../../shared/invitations/wave.ts';
import { startWave } from '../../shared/invitations/start.ts';
import { dueWaves, endWave, keepSwept, listWaves, pauseWave } from '../../shared/invitations/waves.ts';
import type { Outbox } from '../../shared/mail/outbox.ts';
import { migrationPaused } from '../../shared/people/tenants.ts';
import type { Database } from '../../shared/ports/database.ts';
import type { Log } from '../../shared/ports/log.ts';

export interface WavesDeps extends MailingDeps {
  readonly database: Database;
  readonly outbox: Outbox;
  readonly log: Log;
  /** Ends early when the signal is aborted. */
  readonly pause: (ms: number, signal: AbortSignal) => Promise<void>;
}

/** What one run did. */
export interface Driven {
  started: number;
  invited: number;
  reminded: number;
  settled: number;
  ended: number;
  /** Names of waves that were paused by what they stop for. */
  paused: string[];
  done: number;
}

export const BY = { who: 'wave-reminders', from: 'cron' } as const;

const BATCH = 200;
/** Mails of one round for one wave, so that others have their turn. */
const MOST_AT_ONCE = 5_000;
/** Between two rounds: while a wave has room, and while its pace has none. */
const PAUSES_MS = { room: 250, none: 5_000 };
type Left = 'nothing' | 'room' | 'none';

/**
 * Starts what is due, mails what is due at each wave's pace, until nothing is left to do now or `signal` is aborted. Every step may be
 * repeated after an interruption anywhere, and by several instances. Throws as `Database`.
 */
export async function driveWaves(signal: AbortSignal, deps: WavesDeps): Promise<Driven | 'paused'> {
  const driven: Driven = { started: 0, invited: 0, reminded: 0, settled: 0, ended: 0, paused: [], done: 0 };
  for (let first = true; !signal.aborted; first = false) {
    driven.settled += await settleSteps(deps.database, () => !signal.aborted);
    if (await migrationPaused(deps.database)) return first ? 'paused' : driven;
    if (first) driven.started += await startDue(signal, deps);
    const left = await driveRunning(first, signal, driven, deps);
    if (left === 'nothing') break;
    await deps.pause(PAUSES_MS[left], signal);
  }
  return driven;
}

async function startDue(signal: AbortSignal, { database, log }: WavesDeps): Promise<number> {
  let started = 0;
  for (const wave of await dueWaves(database)) {
    const people = await startWave(database, wave, BY, { goesOn: () => !signal.aborted });
    if (people === undefined) continue;
    started += 1;
    log.info('wave started', { wave: wave.name, people });
  }
  return started;
}

/** Returns what is left to mail: `none` where the paces of all waves have no room for it. */
async function driveRunning(
  first: boolean,
  signal: AbortSignal,
  driven: Driven,
  deps: WavesDeps,
): Promise<Left> {
  let all: Left = 'nothing';
  for (const wave of await listWaves(deps.database, ['running'])) {
    if (signal.aborted) return 'nothing';
    const reason = await triggerMet(deps.database, wave);
    if (reason !== undefined) {
      if (await pauseWave(deps.database, wave, reason, BY)) driven.paused.push(wave.name);
      deps.log.error('wave paused by itself', { wave: wave.name, reason });
      continue;
    }
    const { left, whole } = await feed(wave, first, signal, driven, deps);
    if (left === 'nothing' && whole) await endIfOver(wave, driven, deps);
    all = all === 'room' || left === 'nothing' ? all : left;
  }
  return all;
}

async function endIfOver(wave: Wave, driven: Driven, { database, log }: WavesDeps): Promise<void> {
  if (await isAnythingLeft(database, wave, remindersOf(wave.remind))) return;
  if (!(await endWave(database, wave, BY))) return;
  driven.done += 1;
  log.info('wave done', { wave: wave.name });
}

interface Fed {
  readonly left: Left;
  /** All of its invitations were looked through. */
  readonly whole: boolean;
}

/** Reminders first: they are few, and some count to a deadline. */
async function feed(
  wave: Wave,
  first: boolean,
  signal: AbortSignal,
  driven: Driven,
  deps: WavesDeps,
): Promise<Fed> {
  const room = await roomFor(deps.database, wave);
  const swept = await sweep(wave, room, first ? RANGES.first : RANGES.further, signal, deps);
  const roomLeft = room - swept.queued;
  const then = await put((most) => dueInvites(deps.database, wave, most), wave, roomLeft, signal, deps);
  driven.ended += swept.ended;
  driven.reminded += swept.queued;
  driven.invited += then.queued;
  const queued = swept.queued + then.queued;
  if (queued > 0) deps.outbox.nudge();
  const { whole } = swept;
  if (!swept.more && !then.more) return { left: 'nothing', whole };
  return { left: queued < room ? 'room' : 'none', whole };
}

/** Ranges of a wave that one round looks through: all of most waves, and of larger ones the next, from where it was. */
const RANGES = { first: 50, further: 1 };

interface Swept extends Put {
  readonly ended: number;
  readonly whole: boolean;
}

/** Ends invitations of people who are across or gone, and makes the reminders that are due, range by range. */
async function sweep(
  wave: Wave,
  room: number,
  ranges: number,
  signal: AbortSignal,
  deps: WavesDeps,
): Promise<Swept> {
  const { database } = deps;
  const reminders = remindersOf(wave.remind);
  let [ended, queued, at] = [0, 0, wave.sweptTo];
  const found = (more: boolean, whole: boolean): Swept => ({ ended, queued, more, whole });
  for (let left = ranges; left > 0; left -= 1) {
    if (signal.aborted) return found(true, false);
    const range = await nextRange(database, wave, at);
    if (range !== undefined) {
      ended += await endInvitations(database, wave, range);
      if (reminders.length > 0) {
        const due = (most: number) => dueReminders(database, wave, reminders, most, range);
        const made = await put(due, wave, room - queued, signal, deps);
        queued += made.queued;
        // It goes on with the same range once there is room.
        if (made.more) return found(true, false);
      }
    }
    at = range?.more === true ? range.to : null;
    await keepSwept(database, wave, at);
    if (at === null) return found(false, wave.sweptTo === null);
  }
  return found(false, false);
}

interface Put {
  readonly queued: number;
  /** Some are left. */
  readonly more: boolean;
}

async function put(
  find: (most: number) => Promise<StepDue[]>,
  wave: Wave,
  room: number,
  signal: AbortSignal,
  deps: WavesDeps,
): Promise<Put> {
  const most = Math.min(room, MOST_AT_ONCE);
  // One more than there is room for: so it is known whether any is left.
  const due = await find(most + 1);
  const now = due.slice(0, most);
  let queued = 0;
  for (let at = 0; at < now.length && !signal.aborted; at += BATCH)
    queued += await queueSteps(wave, now.slice(at, at + BATCH), deps);
  return { queued, more: due.length > most || queued < now.length };
}
