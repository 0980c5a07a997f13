import { dueInvites, dueReminders, isAnythingLeft } from '../../shared/invitations/due.ts';
import { queueSteps, type MailingDeps, type StepDue } from '../../shared/invitations/mailing.ts';
import { roomFor } from '../../shared/invitations/pace.ts';
import { endInvitations, settleSteps } from '../../shared/invitations/settle.ts';
import { remindersOf } from '../../shared/invitations/steps.ts';
import { triggerMet } from '../../shared/invitations/triggers.ts';
import type { Wave } from '../../shared/invitations/wave.ts';
import { startWave } from '../../shared/invitations/start.ts';
import { dueWaves, endWave, listWaves, pauseWave } from '../../shared/invitations/waves.ts';
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
/** Batches of one round for one wave, so that others have their turn. */
const MOST_BATCHES = 25;
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
    const left = await driveRunning(signal, driven, deps);
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
async function driveRunning(signal: AbortSignal, driven: Driven, deps: WavesDeps): Promise<Left> {
  let all: Left = 'nothing';
  for (const wave of await listWaves(deps.database, ['running'])) {
    if (signal.aborted) return 'nothing';
    const reason = await triggerMet(deps.database, wave);
    if (reason !== undefined) {
      if (await pauseWave(deps.database, wave, reason, BY)) driven.paused.push(wave.name);
      deps.log.error('wave paused by itself', { wave: wave.name, reason });
      continue;
    }
    driven.ended += await endInvitations(deps.database, wave);
    const left = await feed(wave, signal, driven, deps);
    if (left === 'nothing') await endIfOver(wave, driven, deps);
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

/** Reminders first: they are few, and some count to a deadline. */
async function feed(wave: Wave, signal: AbortSignal, driven: Driven, deps: WavesDeps): Promise<Left> {
  const reminders = remindersOf(wave.remind);
  const room = await roomFor(deps.database, wave);
  const first =
    reminders.length === 0
      ? NOTHING
      : await put((most) => dueReminders(deps.database, wave, reminders, most), wave, room, signal, deps);
  const roomLeft = room - first.queued;
  const then = await put((most) => dueInvites(deps.database, wave, most), wave, roomLeft, signal, deps);
  driven.reminded += first.queued;
  driven.invited += then.queued;
  const queued = first.queued + then.queued;
  if (queued > 0) deps.outbox.nudge();
  if (!first.more && !then.more) return 'nothing';
  return queued < room ? 'room' : 'none';
}

interface Put {
  readonly queued: number;
  /** Some are left. */
  readonly more: boolean;
}

const NOTHING: Put = { queued: 0, more: false };

async function put(
  find: (most: number) => Promise<StepDue[]>,
  wave: Wave,
  room: number,
  signal: AbortSignal,
  deps: WavesDeps,
): Promise<Put> {
  let queued = 0;
  for (let batch = 0; batch < MOST_BATCHES && !signal.aborted; batch += 1) {
    const size = Math.min(room - queued, BATCH);
    // One more than there is room for: so it is known whether any is left.
    const due = await find(size + 1);
    const made = await queueSteps(wave, due.slice(0, size), deps);
    queued += made;
    if (due.length <= size) return { queued, more: false };
    if (made === 0) break;
  }
  return { queued, more: true };
}
