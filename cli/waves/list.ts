import { countUnreached } from '../../shared/invitations/codes.ts';
import {
  mailsOfWave,
  NOT_BEGUN,
  progressOfWaves,
  type WaveProgress,
} from '../../shared/invitations/progress.ts';
import { triggerText } from '../../shared/invitations/steps.ts';
import type { Wave } from '../../shared/invitations/wave.ts';
import { listWaves } from '../../shared/invitations/waves.ts';
import { countCohort } from '../../shared/invitations/cohort-counts.ts';
import { migrationPaused } from '../../shared/people/tenants.ts';
import { withDatabase } from '../people/ground.ts';
import { colors, note, print, printJson } from '../terminal.ts';
import { waveNamed, type Output } from './ground.ts';

/** Prints every wave with how far its people are. */
export async function runList({ json }: Output): Promise<void> {
  await withDatabase(async ({ database }) => {
    const [waves, progress] = await Promise.all([listWaves(database), progressOfWaves(database)]);
    const rows = waves.map((wave) => ({ wave, done: progress.get(wave.id) ?? NOT_BEGUN }));
    if (json === true) printJson(rows.map(({ wave, done }) => summary(wave, done)));
    else if (rows.length === 0) print('no waves');
    else for (const { wave, done } of rows) print(lineOf(wave, done));
    if (await migrationPaused(database)) warnPaused();
  });
}

function warnPaused(): void {
  note(
    `${colors.yellow('warning:')} the migration is paused, so no wave starts or mails: \`sallyport migration resume\``,
  );
}

function lineOf({ name, state, startAt, deadline }: Wave, done: WaveProgress): string {
  const until = deadline === null ? '' : `, deadline ${deadline.toISOString()}`;
  const funnel = `${done.people} people, ${done.mailed} mailed, ${done.accepted} accepted, ${done.completed} completed`;
  return `${name.padEnd(20)} ${state.padEnd(9)} ${startAt.toISOString()}  ${funnel}${colors.dim(until)}`;
}

function summary(wave: Wave, done: WaveProgress): object {
  return {
    wave: wave.name,
    state: wave.state,
    pause_reason: wave.pauseReason,
    start: wave.startAt,
    started_at: wave.startedAt,
    ended_at: wave.endedAt,
    deadline: wave.deadline,
    remind: wave.remind,
    rate: wave.rate,
    stop_when: wave.stopWhen.map(triggerText),
    invite_code: wave.inviteCode,
    people: done.people,
    queued: done.queued,
    mailed: done.mailed,
    delivered: done.delivered,
    seen: done.seen,
    accepted: done.accepted,
    completed: done.completed,
    left: done.left,
    unsubscribed: done.unsubscribed,
  };
}

/** Prints one wave: its plan, how far its people are, and its mails. */
export async function runShow(name: string, { json }: Output): Promise<void> {
  await withDatabase(async ({ database }) => {
    const wave = await waveNamed(database, name);
    const done = (await progressOfWaves(database)).get(wave.id) ?? NOT_BEGUN;
    const mails = await mailsOfWave(database, wave.id);
    const unreached = await countUnreached(database, wave);
    const planned =
      wave.state === 'planned' ? (await countCohort(database, wave.cohort, wave.inviteCode)).people : null;
    const { notSent, ...others } = mails;
    if (json === true) {
      const cohort = { cohort: wave.cohort, would_take: planned };
      printJson({ ...summary(wave, done), ...cohort, unreached, mails: { ...others, not_sent: notSent } });
      return;
    }
    print(lineOf(wave, done));
    if (wave.pauseReason !== null) print(`paused by itself: ${wave.pauseReason}`);
    if (planned !== null) print(`${planned} people, if it started now`);
    if (wave.state === 'starting')
      print(
        `${wave.taken} people taken so far; it goes on by itself, or by \`sallyport waves start ${name}\``,
      );
    for (const [label, value] of facts(wave)) print(`  ${label.padEnd(12)} ${value}`);
    print(
      `${done.people} people: ${done.mailed} mailed, ${done.delivered} delivered, ${done.seen} opened the page, ${done.accepted} accepted, ${done.completed} completed; ${done.left} left, ${done.unsubscribed} want no reminders`,
    );
    print(
      `${mails.sent} mails sent, ${mails.waiting} wait, ${notSent} not sent, ${mails.bounced} bounced, ${mails.complained} complained about`,
    );
    if (unreached > 0) print(`${unreached} get no mail: \`sallyport waves codes ${name} --out FILE\``);
    if (await migrationPaused(database)) warnPaused();
  });
}

function facts(wave: Wave): readonly (readonly [string, string])[] {
  const { tenants, percent, role, activeWithinMs, limit } = wave.cohort;
  const all: readonly (readonly [string, string | null])[] = [
    ['tenants', tenants === null ? 'all' : `${tenants.length}`],
    ['percent', percent === null ? null : `${percent}`],
    ['role', role],
    ['active', activeWithinMs === null ? null : `within ${activeWithinMs / 86_400_000} days`],
    ['limit', limit === null ? null : `${limit}`],
    ['remind', wave.remind.length === 0 ? 'never' : wave.remind.join(', ')],
    ['rate', wave.rate ?? 'MAIL_RATE'],
    ['stops when', wave.stopWhen.length === 0 ? 'never' : wave.stopWhen.map(triggerText).join(', ')],
  ];
  return all.flatMap(([label, value]) => (value === null ? [] : [[label, value] as const]));
}
