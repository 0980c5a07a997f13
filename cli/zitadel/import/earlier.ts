import { Failure } from '../../failure.ts';
import { listRuns, readRun, type Entry } from '../../journal.ts';
import { note } from '../../terminal.ts';
import { IMPORT, isSameDatabase, RUN, RunFacts } from './run.ts';
import { dropDatabase, findDatabase, type Server } from './server.ts';
import { RECOVER, STEPS, SWAP, type Step } from './steps.ts';

/** A former import into the same database, by its journal. */
export interface Earlier {
  readonly run: string;
  readonly facts: RunFacts;
  /** `open`: cut off before its swap, as far as it is recorded. */
  readonly state: 'open' | 'swapped' | 'recovered';
  /** It has scaled Zitadel to 0, and not up again. */
  readonly isStopped: boolean;
  readonly remaining: readonly Pick<Step, 'name' | 'does'>[];
}

/** The newest first. One that was cut off before anything was done is none. */
export function earlierRuns(backupDir: string, { shown }: Pick<Server, 'shown'>): readonly Earlier[] {
  const place = { folder: backupDir, kind: IMPORT };
  return listRuns(place)
    .toReversed()
    .flatMap((run) => {
      const entries = readRun(place, run);
      const facts = RunFacts.safeParse(entries.find(({ step }) => step === RUN)?.facts);
      return facts.success && isSameDatabase(facts.data.server, shown)
        ? [describe(run, facts.data, entries)]
        : [];
    });
}

function describe(run: string, facts: RunFacts, entries: readonly Entry[]): Earlier {
  const has = (step: string, state: Entry['state']): boolean =>
    entries.some((each) => each.step === step && each.state === state);
  const isBack = has(RECOVER, 'done');
  return {
    ...{ run, facts },
    state: isBack ? 'recovered' : has(SWAP, 'done') ? 'swapped' : 'open',
    isStopped: !isBack && has('stop', 'begun') && !has('start', 'done'),
    remaining: STEPS.filter((step) => step.isMeant(facts.to) && !has(step.name, 'done')).map(
      ({ name, does }) => ({ name, does }),
    ),
  };
}

/** Returns `wanted`, else the newest run into this database. Throws Failure when there is none. */
export function chosenRun(
  backupDir: string,
  server: Pick<Server, 'shown'>,
  wanted: string | undefined,
): string {
  const runs = listRuns({ folder: backupDir, kind: IMPORT });
  const run = wanted ?? earlierRuns(backupDir, server)[0]?.run;
  if (run !== undefined && runs.includes(run)) return run;
  const what = wanted === undefined ? `import into ${server.shown}` : `import ${wanted}`;
  const known = runs.length === 0 ? 'there is none' : `there are ${runs.join(', ')}`;
  throw new Failure(`no ${what} in ${backupDir} (BACKUP_DIR): ${known}`);
}

/** Throws Failure while one of them has Zitadel scaled to 0: only its journal has the replicas that there were. */
export function refuseWhileStopped(earlier: readonly Earlier[]): void {
  const stopped = earlier.find(({ isStopped }) => isStopped);
  if (stopped !== undefined)
    throw new Failure(
      `import ${stopped.run} was cut off, and Zitadel may be scaled to 0: \`sallyport zitadel import --resume\` goes on, \`import recover ${stopped.run}\` goes back`,
    );
}

/** Removes the parts that imports have left which nobody has gone on with. */
export async function removeParts(server: Server, earlier: readonly Earlier[]): Promise<void> {
  for (const { run, facts, state } of earlier) {
    if (state !== 'open' || (await findDatabase(server, facts.copy)) === undefined) continue;
    await dropDatabase(server, facts.copy);
    note(`import ${run} was cut off before its swap: its part ${facts.copy} is removed`);
  }
}
