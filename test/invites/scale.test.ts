/** A wave of many people: in full 100,000, else a small form of the same. */
import { describe, expect, it } from 'vitest';
import { findWave, startWave } from '../../shared/invitations/waves.ts';
import { sql } from '../../shared/ports/database.ts';
import { DATABASE } from '../support/databases.ts';
import { times } from '../support/scale.ts';
import { BY, setWaves } from './stage.ts';

const PEOPLE = times(100_000, 2_000);

describe('a wave of many people', () => {
  const w = setWaves(DATABASE);

  it(`mails each of ${PEOPLE} once, in batches`, async () => {
    await w.stage.tenant('acme');
    await w.stage.people('acme', PEOPLE);
    const wave = await w.stage.plan('all', { remind: '7d,-3d' });
    expect(await startWave(w.db.database, wave, BY)).toBe(PEOPLE);
    let invited = 0;
    for (let round = 0; invited < PEOPLE; round += 1) {
      const driven = await w.stage.drive();
      if (driven === 'paused' || driven.invited === 0) break;
      invited += driven.invited;
      // As if it had been sent.
      await w.db.database.execute(
        sql`update sallyport_outbox set status = 'sent', finished_at = now(), content = null where status = 'pending'`,
      );
    }
    await w.stage.drive();
    expect(invited).toBe(PEOPLE);
    expect(await w.count(sql`select count(*)::int as count from sallyport_outbox`)).toBe(PEOPLE);
    expect(await w.count(sql`select count(distinct recipient)::int as count from sallyport_outbox`)).toBe(
      PEOPLE,
    );
    expect(
      await w.count(
        sql`select count(*)::int as count from sallyport_invitations where mailed_at is not null`,
      ),
    ).toBe(PEOPLE);
    expect((await findWave(w.db.database, 'all'))?.state).toBe('running');
  });
});
