/** The job cut off at each of its statements, and other instances beside it: nobody is lost, and nobody is mailed twice. */
import { describe, expect, it } from 'vitest';
import { findWave } from '../../shared/invitations/waves.ts';
import { DatabaseUnavailable, sql } from '../../shared/ports/database.ts';
import { DATABASE } from '../support/databases.ts';
import { Cut, cutAt } from '../support/cut-off.ts';
import { setWaves } from './stage.ts';

describe('the job of waves, cut off anywhere', () => {
  const w = setWaves(DATABASE);

  it.each(['before', 'after'] as const)(
    'mails everybody once when it is cut off %s each statement',
    async (when) => {
      await w.stage.tenant('acme');
      await w.stage.people('acme', 15);
      await w.stage.plan('one', { remind: '7d', rate: '4/60s' });
      let cuts = 0;
      for (let number = 1; number <= 16; number += 1) {
        await w.stage.drive({ database: cutAt(w.db.database, number, when) }).catch((error: unknown) => {
          if (!(error instanceof Cut || error instanceof DatabaseUnavailable)) throw error;
          cuts += 1;
        });
        if (number % 3 === 0) await w.stage.mailing.send();
        await w.stage.passed('61 seconds');
      }
      expect(cuts).toBeGreaterThan(8);
      for (let round = 0; round < 4; round += 1) {
        await w.stage.run();
        await w.stage.passed('61 seconds');
      }
      expect(w.mailed()).toHaveLength(15);
      expect(new Set(w.mailed()).size).toBe(15);
      w.cleared();
      await w.stage.passed('8 days');
      for (let round = 0; round < 5; round += 1) {
        await w.stage.run();
        await w.stage.passed('61 seconds');
      }
      expect(w.mailed()).toHaveLength(15);
      expect(new Set(w.mailed()).size).toBe(15);
      expect((await findWave(w.db.database, 'one'))?.state).toBe('running');
    },
  );

  it('has no mail without its link, and no link without its mail', async () => {
    await w.stage.tenant('acme');
    await w.stage.people('acme', 10);
    await w.stage.begin('one');
    for (let number = 1; number <= 10; number += 1)
      await w.stage.drive({ database: cutAt(w.db.database, number, 'after') }).catch(() => undefined);
    expect(
      await w.count(sql`select count(*)::int as count from sallyport_outbox o full join sallyport_invitation_steps s on s.message_id = o.message_id
        where o.id is null or s.step is null`),
    ).toBe(0);
    expect(await w.count(sql`select count(*)::int as count from sallyport_outbox`)).toBe(10);
  });
});
