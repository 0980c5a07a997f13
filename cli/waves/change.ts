import { MAIL } from '../../shared/configuration/mail.ts';
import { countUnreached } from '../../shared/invitations/codes.ts';
import { countCohort, type CohortCounts } from '../../shared/invitations/cohort-counts.ts';
import { mailsOfWave, NOT_BEGUN, progressOfWaves } from '../../shared/invitations/progress.ts';
import type { Wave, WaveState } from '../../shared/invitations/wave.ts';
import { startWave } from '../../shared/invitations/start.ts';
import { cancelWave, pauseWave, resumeWave } from '../../shared/invitations/waves.ts';
import type { Database } from '../../shared/ports/database.ts';
import { Failure } from '../failure.ts';
import { withGround } from '../ground.ts';
import { withDatabase } from '../people/ground.ts';
import { colors, interruption, print, printJson, progressBar } from '../terminal.ts';
import {
  assertRunning,
  by,
  noteUnmailable,
  usableTemplates,
  waveNamed,
  withMail,
  type Output,
} from './ground.ts';

/** Starts a planned wave now. */
export async function runStart(name: string, { dryRun = false, json }: Output): Promise<void> {
  await withGround(MAIL, async ({ mail }, { database }) => {
    withMail(mail);
    usableTemplates();
    const wave = await inState(database, name, ['planned', 'starting'], 'start');
    await assertRunning(database);
    const { people, unmailable } = await whomItTakes(database, wave);
    const taken = dryRun ? people : await start(database, wave, people);
    if (json === true) {
      printJson({
        wave: name,
        state: dryRun ? 'planned' : 'running',
        dry_run: dryRun,
        people: taken,
        unmailable,
      });
      return;
    }
    print(
      `${name}: ${taken} people ${dryRun ? 'would be invited, nothing was changed' : `${colors.green('are invited')} from the next minute on`}`,
    );
    noteUnmailable(name, unmailable);
  });
}

type Taking = Pick<CohortCounts, 'people' | 'unmailable'>;

async function whomItTakes(database: Database, wave: Wave): Promise<Taking> {
  const looked = progressBar('looking at people', { long: true });
  try {
    const onProgress = (done: number): void => {
      looked.update(done);
    };
    const left = await countCohort(database, wave.cohort, wave.inviteCode, { onProgress });
    // Of a start that was cut off: who is taken already counts as in this wave.
    const unmailable = wave.taken === 0 ? 0 : await countUnreached(database, wave);
    return { people: wave.taken + left.people, unmailable: unmailable + left.unmailable };
  } finally {
    looked.end();
  }
}

/** Returns the number of its people. Throws Failure where it is interrupted or cancelled. */
async function start(database: Database, wave: Wave, people: number): Promise<number> {
  const signal = interruption();
  const bar = progressBar('taking people', { long: true });
  try {
    const taken = await startWave(database, wave, by(), {
      goesOn: () => !signal.aborted,
      onTaken: (done) => {
        bar.update(done, people);
      },
    });
    if (taken !== undefined) return taken;
  } finally {
    bar.end();
  }
  const now = await waveNamed(database, wave.name);
  // The job may have ended what was begun here.
  if (now.state === 'running') return now.taken;
  if (now.state === 'starting')
    throw new Failure(
      `interrupted after ${now.taken} people, and nothing is lost: \`sallyport waves start ${wave.name}\` goes on, and so does the job wave-reminders`,
    );
  throw new Failure(`${wave.name} is ${now.state} meanwhile`);
}

interface Change {
  readonly from: readonly WaveState[];
  readonly verb: string;
  readonly to: WaveState;
  readonly make: (database: Database, wave: Wave) => Promise<boolean>;
}

/** Stops its mails. */
export function runPause(name: string, options: Output): Promise<void> {
  return change(name, options, {
    from: ['running'],
    verb: 'pause',
    to: 'paused',
    make: (database, wave) => pauseWave(database, wave, null, by()),
  });
}

/** Goes on with its mails. */
export function runResume(name: string, options: Output): Promise<void> {
  return change(name, options, {
    from: ['paused'],
    verb: 'resume',
    to: 'running',
    make: (database, wave) => resumeWave(database, wave, by()),
  });
}

/** Ends it for good. */
export function runCancel(name: string, options: Output): Promise<void> {
  return change(name, options, {
    from: ['planned', 'starting', 'running', 'paused'],
    verb: 'cancel',
    to: 'cancelled',
    make: (database, wave) => cancelWave(database, wave, by()),
  });
}

async function change(name: string, { dryRun = false, json }: Output, asked: Change): Promise<void> {
  await withDatabase(async ({ database }) => {
    const wave = await inState(database, name, asked.from, asked.verb);
    const { waiting } = await mailsOfWave(database, wave.id);
    // First of all: what is to be stopped does not wait for a count.
    if (!dryRun && !(await asked.make(database, wave))) throw new Failure(`${name} has changed meanwhile`);
    const done = (await progressOfWaves(database)).get(wave.id) ?? NOT_BEGUN;
    const counts = { people: done.people, mailed: done.mailed, waiting };
    if (json === true)
      printJson({ wave: name, state: dryRun ? wave.state : asked.to, dry_run: dryRun, ...counts });
    else
      print(
        `${name} ${dryRun ? 'would be' : 'is'} ${asked.to}: ${counts.mailed} of ${counts.people} people were mailed, ${waiting} mails wait${dryRun ? '; nothing was changed' : ''}`,
      );
  });
}

/** Throws Failure for a wave in another state. */
async function inState(
  database: Database,
  name: string,
  states: readonly WaveState[],
  verb: string,
): Promise<Wave> {
  const wave = await waveNamed(database, name);
  if (states.includes(wave.state)) return wave;
  throw new Failure(`${name} is ${wave.state}: ${verb} takes a wave that is ${states.join(' or ')}`);
}
