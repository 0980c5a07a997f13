import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { times } from '../support/scale.ts';
import { syncFeatures, type Phase } from '../../functions/feature-sync/sync.ts';
import { openPgDatabase } from '../../shared/adapters/postgres/pg.ts';
import { DatabaseUnavailable, type Database } from '../../shared/ports/database.ts';
import { RelationsUnavailable } from '../../shared/errors.ts';
import { Border, type Fate } from '../support/border.ts';
import { crossToPostgres } from '../support/crossing-postgres.ts';
import { crossToHttp, type Crossing } from '../support/crossing.ts';
import { booksOf, emptyBooks } from './books.ts';
import { AFTER, BEFORE, formerTuples, latterTuples, MEANWHILE, shown, withMeanwhile } from './change.ts';
import { openGround } from './ground.ts';
import { rules } from './rules.ts';
import { setStage } from './stage.ts';
import { PAIR } from './stores.ts';

const FORMER = formerTuples();
const END = shown(withMeanwhile(latterTuples()));
/** Far fewer would mean that calls do not cross the border. */
const LEAST_CALLS = { Postgres: 15, OpenFGA: 25 } as const;

describe(`feature sync when a service goes away, on ${PAIR.name}`, () => {
  const stage = setStage(PAIR);
  let crossed: Database;
  let crossings: Record<keyof typeof LEAST_CALLS, Crossing>;
  const borders = { Postgres: new Border(), OpenFGA: new Border() };
  beforeAll(async () => {
    crossings = {
      Postgres: await crossToPostgres(stage.tables.url, borders.Postgres),
      OpenFGA: await crossToHttp(stage.server.url, borders.OpenFGA),
    };
    crossed = openPgDatabase({ url: crossings.Postgres.url, max: 2 });
  });
  afterAll(async () => {
    await crossed.close();
    await Promise.all(Object.values(crossings).map((crossing) => crossing.close()));
  });

  /** Both phases with a change in between; what `away` says happens once. Tells what the run that met it threw. */
  async function carryOver(service: keyof typeof borders, at: number, fate: Fate) {
    await emptyBooks(stage.tables);
    const ground = await openGround(stage.server.url, stage.database);
    await ground.fill(FORMER);
    const [border, crossing] = [borders[service], crossings[service]];
    border.arm(at, fate, () => {
      crossing.cut();
    });
    const sync = (phase: Phase) =>
      syncFeatures(
        { previous: rules(BEFORE), current: rules(AFTER), phase, allowWidening: false },
        ground.process(undefined, { fgaUrl: crossings.OpenFGA.url, database: crossed }),
      );
    let thrown: unknown;
    const again = async (phase: Phase) => {
      const outcome = await sync(phase).catch((error: unknown) => void (thrown = error));
      if (!border.struck) return outcome;
      await crossing.settled();
      border.disarm();
      await crossing.mend();
      return outcome ?? (await sync(phase));
    };
    await again('expand');
    await ground.tuples.write(MEANWHILE);
    const outcome = await again('contract');
    const calls = border.calls;
    border.disarm();
    return {
      calls,
      thrown,
      outcome,
      end: { tuples: await ground.shown(), ...(await booksOf(stage.tables)) },
    };
  }

  describe.each(['Postgres', 'OpenFGA'] as const)('%s', (service) => {
    it.each([
      ['refusing', 'lost'],
      ['carrying out, but resetting instead of answering', 'unanswered'],
    ] as const)('%s any one call: the run fails and says so, the next one ends as ever', async (_, fate) => {
      const undisturbed = await carryOver(service, Infinity, fate);
      expect(undisturbed.calls).toBeGreaterThan(LEAST_CALLS[service]);
      expect(undisturbed.end).toMatchObject({ tuples: END, runs: [{ state: 'done' }] });
      const unavailable = service === 'Postgres' ? DatabaseUnavailable : RelationsUnavailable;
      for (let at = 1; at <= undisturbed.calls; at += times(1, 15)) {
        const { thrown, outcome, end } = await carryOver(service, at, fate);
        // Giving the lease back may fail: it runs out by itself.
        if (thrown !== undefined) expect(thrown, `call ${at}`).toBeInstanceOf(unavailable);
        expect(end, `call ${at}`).toEqual(undisturbed.end);
        if (outcome?.kind === 'done')
          expect(outcome.verification, `call ${at}`).toMatchObject({ missing: 0, left: 0 });
      }
    });
  });
});
