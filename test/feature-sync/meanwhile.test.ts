import { expect, describe, it } from 'vitest';
import { syncFeatures, type Phase, type SyncDeps } from '../../functions/feature-sync/sync.ts';
import { sallyport } from '../support/sallyport.ts';
import { many } from './change.ts';
import { countCalls, Killed, killAt, type Ground } from './ground.ts';
import { tuple } from './memory.ts';
import { rules, rulesFile } from './rules.ts';
import { setStage, type Stage } from './stage.ts';
import { PAIR } from './stores.ts';

const [BEFORE, AFTER] = [{ x: 'a', z: 'gone' }, { x: 'b' }];
const FORMER = [...many('a', 0, 20), ...many('gone', 0, 5)];
const LOST = tuple('user:3 viewer feature:b');
const BACK = tuple('user:4 viewer feature:gone');
const WRONG = { kind: 'done', verification: { expected: 20, missing: 1, left: 1 } };

describe(`what others write while a feature sync runs, on ${PAIR.name}`, () => {
  let stage: Readonly<Stage>;
  let ground: Ground;
  setStage(PAIR, (each) => {
    stage = each;
    ({ ground } = each);
  });

  const sync = (phase: Phase, deps: SyncDeps = ground.process()) =>
    syncFeatures({ previous: rules(BEFORE), current: rules(AFTER), phase, allowWidening: false }, deps);

  /** Between the last delete and the count, somebody takes a copy away and brings back what was deleted. */
  const meddled = (deps: SyncDeps): SyncDeps => ({
    ...deps,
    tuples: {
      read: deps.tuples.read,
      async write(changes) {
        await deps.tuples.write(changes);
        if (changes.deletes !== undefined) await ground.tuples.write({ writes: [BACK], deletes: [LOST] });
      },
    },
  });

  it('exits 1 each time until the tuples are where they belong, and names them', async () => {
    await ground.fill(FORMER);
    expect(await sync('both', meddled(ground.process()))).toMatchObject(WRONG);
    const again = () =>
      sallyport(
        {
          OPENFGA_URL: stage.server.url,
          OPENFGA_STORE_ID: ground.storeId,
          DATABASE_URL: stage.tables.url,
          ACCESS_RULES_PREV: rulesFile(BEFORE),
          ACCESS_RULES: rulesFile(AFTER),
        },
        ...['rules', 'sync'],
      );
    const { code, stderr } = await again();
    expect(code).toBe(1);
    expect(stderr).toContain('missing: user:3 viewer feature:b\nleft: user:4 viewer feature:gone\n');
    expect(stderr).toContain('then give the same command again');
    await ground.tuples.write({ writes: [LOST] });
    expect(await again()).toMatchObject({
      code: 1,
      stderr: expect.stringContaining('0 tuples are missing and 1 are left') as unknown,
    });
    await ground.tuples.write({ deletes: [BACK] });
    expect(await again()).toMatchObject({
      code: 0,
      stdout: expect.stringContaining('20 of 20 tuples') as unknown,
    });
    // From here on it is no matter of the run what becomes of its tuples.
    await ground.tuples.write({ deletes: [LOST] });
    expect(await again()).toMatchObject({
      code: 0,
      stdout: expect.stringContaining('has done this already') as unknown,
    });
  });

  it('forgets nothing of it, wherever the run or the one after it is killed', async () => {
    await ground.fill(FORMER);
    await sync('expand');
    const calls = countCalls();
    await sync('contract', meddled(ground.process(calls.crash)));
    const dies = (error: unknown) => {
      expect(error).toBeInstanceOf(Killed);
    };
    for (let at = 1; at <= calls.count(); at += 1) {
      await stage.tables.query(`update sallyport_runs set state = 'expanded', progress = 0`);
      await ground.fill([...FORMER, LOST]);
      await sync('contract', meddled(ground.process(killAt(at)))).catch(dies);
      await sync('contract', meddled(ground.process()));
      await sync('contract', ground.process(killAt(at))).catch(dies);
      expect(await sync('contract'), `call ${at}`).toMatchObject(WRONG);
    }
  });
});
