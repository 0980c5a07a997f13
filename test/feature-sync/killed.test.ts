/**
 * 200 processes of `sallyport rules sync`, and 20 of `rules restore`, die by SIGKILL at a random call to OpenFGA or
 * Postgres. All their calls go through this process, which counts them and kills at the chosen one: before it is passed
 * on, when it was carried out but not answered, or with its answer. Nothing waits for a time, so a seed kills at the same
 * calls each time. It goes on until processes have died in every state of a run.
 *
 * One change of rules takes more calls than a process here lives to make: so each change is killed and gone on with
 * some seven times before it is done, instead of 200 changes that are killed once each. The command is bundled, and
 * compiled once, so that a process costs about 0.15 s of computing; what is left is Node's own start. The next one takes
 * the lease over at once, as it sees that its holder is dead; on a system that does not tell it is ended by hand.
 */
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { linuxProcesses } from '../../shared/adapters/node/processes.ts';
import { Border, type Fate } from '../support/border.ts';
import { bundled, type Bundled } from '../support/bundled.ts';
import { crossToPostgres } from '../support/crossing-postgres.ts';
import { crossToHttp, type Crossing } from '../support/crossing.ts';
import { FULL } from '../support/scale.ts';
import { seeded } from '../support/seeded.ts';
import { booksOf, emptyBooks } from './books.ts';
import { AFTER, BEFORE, formerTuples, latterTuples, MEANWHILE, shown, withMeanwhile } from './change.ts';
import { openGround, type Ground } from './ground.ts';
import { rulesFile } from './rules.ts';
import { setStage } from './stage.ts';
import { PAIR } from './stores.ts';

const KILLS = 200;
/** Calls that a process lives for, at most: the plan and its snapshot take some 20 and are begun anew each time. */
const WITHIN = 28;
const RESTORE_KILLS = 20;
/** A restore takes some 50, and brings all tuples back again as long as it has not brought back the last. */
const RESTORE_WITHIN = 52;
const FATES: readonly Fate[] = ['lost', 'unanswered', 'answered'];
/** Enough for more than one step of progress in each phase. */
const TIMES = 2;
/** Of the run when its process died. */
const STATES = ['contracting', 'done', 'expanded', 'expanding', 'no run', 'snapshot'];
const RESTORE_STATES = ['done', 'removing', 'restored', 'restoring'];
const PHASES = [['both'], ['expand', 'contract']] as const;

// lease.test.ts and away.test.ts beside it have it at calls, in one process, each time.
describe.skipIf(!FULL)(`feature sync under SIGKILL (in the full form alone), on ${PAIR.name}`, () => {
  const border = new Border();
  const random = seeded(20260102);
  const stage = setStage(PAIR);
  let crossings: Crossing[];
  let command: Bundled;
  beforeAll(async () => {
    crossings = [
      await crossToHttp(stage.server.url, border),
      await crossToPostgres(stage.tables.url, border),
    ];
    command = await bundled(fileURLToPath(new URL('killed.child.ts', import.meta.url)));
  });
  afterAll(async () => {
    await command.close();
    await Promise.all(crossings.map((crossing) => crossing.close()));
  });

  /** One process, killed at its `at`th call unless it ends before that. */
  async function run(ground: Ground, args: readonly string[], at: number, fate: Fate): Promise<boolean> {
    const [fga, postgres] = crossings.map(({ url }) => url);
    const variables = {
      OPENFGA_URL: fga!,
      OPENFGA_STORE_ID: ground.storeId,
      DATABASE_URL: postgres!,
      ACCESS_RULES_PREV: rulesFile(BEFORE),
      ACCESS_RULES: rulesFile(AFTER),
    };
    const child = command.spawn(variables, ...args);
    border.arm(at, fate, () => child.kill('SIGKILL'));
    const [code, signal] = (await once(child, 'exit')) as [number | null, string | null];
    expect([0, 'SIGKILL']).toContain(code ?? signal);
    await Promise.all(crossings.map((crossing) => crossing.settled()));
    return signal === 'SIGKILL';
  }

  /** The same command until it ends by itself; `killed` hears of each dead process. */
  async function toItsEnd(
    ground: Ground,
    args: readonly string[],
    killed?: () => Promise<void>,
  ): Promise<void> {
    const within = args[0] === 'restore' ? RESTORE_WITHIN : WITHIN;
    const at = () => (killed === undefined ? Infinity : 1 + random(within));
    while (await run(ground, args, at(), FATES[random(FATES.length)]!)) await killed?.();
  }

  const endOf = async (ground: Ground) => ({
    tuples: await ground.shown(),
    ...(await booksOf(stage.tables)),
  });

  /** A change of rules from its first process to its last. */
  async function carryOver(phases: readonly string[], killed?: () => Promise<void>) {
    await emptyBooks(stage.tables);
    const ground = await openGround(stage.server.url, stage.database);
    await ground.fill(formerTuples(TIMES));
    for (const phase of phases) {
      if (phase === 'contract') await ground.tuples.write(MEANWHILE);
      await toItsEnd(ground, [phase], killed);
    }
    return { ground, end: await endOf(ground) };
  }

  async function undo(ground: Ground, killed?: () => Promise<void>) {
    const { rows } = await stage.tables.query('select run_id from sallyport_runs');
    await toItsEnd(ground, ['restore', (rows[0] as { run_id: string }).run_id], killed);
    return endOf(ground);
  }

  /** Counts the dead, and notes in which state of the run they died. */
  function deaths() {
    const where = new Set<string>();
    let count = 0;
    const killed = async (): Promise<void> => {
      count += 1;
      const { rows } = await stage.tables.query('select state from sallyport_runs');
      where.add(rows.map((row) => (row as { state: string }).state).join() || 'no run');
      if (linuxProcesses().own === null) await stage.tables.query('delete from sallyport_leases');
    };
    return { killed, count: () => count, states: () => [...where].sort() };
  }

  it(`killed at ${KILLS} random points, and ${RESTORE_KILLS} more of restore, nothing is lost and nothing doubled`, async () => {
    const split = await carryOver(PHASES[1]);
    const whole = await carryOver(PHASES[0]);
    const undisturbed = [whole.end, split.end];
    const undone = await undo(whole.ground);
    const latter = latterTuples(TIMES);
    expect(undisturbed.map(({ tuples }) => tuples)).toEqual([shown(latter), shown(withMeanwhile(latter))]);
    expect(undone.tuples).toEqual(shown(formerTuples(TIMES)));
    const [syncs, restores] = [deaths(), deaths()];
    const lacking = {
      syncs: () => syncs.count() < KILLS || syncs.states().length < STATES.length,
      restores: () => restores.count() < RESTORE_KILLS || restores.states().length < RESTORE_STATES.length,
    };
    for (let change = 0; lacking.syncs() || lacking.restores(); change += 1) {
      const kind = change % PHASES.length;
      const { ground, end } = await carryOver(PHASES[kind]!, lacking.syncs() ? syncs.killed : undefined);
      expect(end, `change ${change}`).toEqual(undisturbed[kind]);
      if (kind === 0 && lacking.restores())
        expect(await undo(ground, restores.killed), `restore of change ${change}`).toEqual(undone);
    }
    expect(STATES).toEqual(expect.arrayContaining(syncs.states()));
    expect(RESTORE_STATES).toEqual(expect.arrayContaining(restores.states()));
  });
});
