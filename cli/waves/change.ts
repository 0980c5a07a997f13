import { MAIL } from '../../shared/configuration/mail.ts';
import { countCohort } from '../../shared/invitations/cohort.ts';
import { mailsOfWave, NOT_BEGUN, progressOfWaves } from '../../shared/invitations/progress.ts';
import type { Wave, WaveState } from '../../shared/invitations/wave.ts';
import { cancelWave, pauseWave, resumeWave, startWave } from '../../shared/invitations/waves.ts';
import type { Database } from '../../shared/ports/database.ts';
import { Failure } from '../failure.ts';
import { withGround } from '../ground.ts';
import { withDatabase } from '../people/ground.ts';
import { colors, print, printJson } from '../terminal.ts';
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
    const wave = await inState(database, name, ['planned'], 'start');
    await assertRunning(database);
    const { people, unmailable } = await countCohort(database, wave.cohort, wave.inviteCode);
    const taken = dryRun ? people : await startWave(database, wave, by());
    if (taken === undefined) throw new Failure(`${name} has started meanwhile`);
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
    from: ['planned', 'running', 'paused'],
    verb: 'cancel',
    to: 'cancelled',
    make: (database, wave) => cancelWave(database, wave, by()),
  });
}

async function change(name: string, { dryRun = false, json }: Output, asked: Change): Promise<void> {
  await withDatabase(async ({ database }) => {
    const wave = await inState(database, name, asked.from, asked.verb);
    const done = (await progressOfWaves(database)).get(wave.id) ?? NOT_BEGUN;
    const { waiting } = await mailsOfWave(database, wave.id);
    if (!dryRun && !(await asked.make(database, wave))) throw new Failure(`${name} has changed meanwhile`);
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
