import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { insertEvent, type InboxDeps } from '../../functions/webhooks/inbox/table.ts';
import { parseScript } from '../../functions/webhooks/receive/parse.ts';
import { sql } from '../../shared/ports/database.ts';
import { webRandom } from '../../shared/runtime.ts';
import { manualClock } from '../support/clock.ts';
import { DATABASES, type MigratedDatabase } from '../support/databases.ts';
import { eventOf, ISSUER } from './events.ts';
import { kindsOf } from '../support/scale.ts';

const Row = z.object({ id: z.string(), position: z.number(), payload: z.unknown() });

describe.each(kindsOf(DATABASES))('the inbox on $name', ({ missing, start }) => {
  describe.skipIf(missing)('keeps', () => {
    let db: MigratedDatabase;
    let deps: InboxDeps;
    const rows = () =>
      db.database.query(
        sql`select id, position, payload from sallyport_webhook_events order by position`,
        Row,
      );
    beforeAll(async () => {
      db = await start();
    });
    afterAll(() => db.close());
    beforeEach(async () => {
      deps = { database: db.database, clock: manualClock(), random: webRandom() };
      await db.database.execute(sql`delete from sallyport_webhook_events`);
    });

    it('an event once, and answers a duplicate with the id of the first', async () => {
      const first = await insertEvent(eventOf(), deps);
      expect(first).toMatchObject({ fresh: true, status: 'pending' });
      expect(await insertEvent(eventOf(), deps)).toEqual({ ...first, fresh: false });
      expect(await rows()).toHaveLength(1);
    });

    it('an event once when it comes twenty times at the same moment', async () => {
      const receipts = await Promise.all(Array.from({ length: 20 }, () => insertEvent(eventOf(), deps)));
      expect(receipts.filter(({ fresh }) => fresh)).toHaveLength(1);
      expect(new Set(receipts.map(({ id }) => id)).size).toBe(1);
      expect(await rows()).toHaveLength(1);
    });

    it('equal sequences of two users or two instances apart', async () => {
      for (const other of [{}, { user: 'u2' }, { instance: 'instance2' }])
        expect(await insertEvent(eventOf(other), deps)).toMatchObject({ fresh: true });
      expect(await rows()).toHaveLength(3);
    });

    it("a script's body once by its digest, and another body of the same user beside it", async () => {
      const body = { userId: 'u1', userName: 'ann', userType: 'human' };
      const event = parseScript('created', body, ISSUER);
      expect(await insertEvent(event, deps)).toMatchObject({ fresh: true });
      expect(await insertEvent(event, deps)).toMatchObject({ fresh: false });
      const other = parseScript('created', { ...body, eventId: '2' }, ISSUER);
      expect(await insertEvent(other, deps)).toMatchObject({ fresh: true });
    });

    it("a script's body, which has no sequence, below every event that has one", async () => {
      await insertEvent(eventOf({ sequence: 1 }), deps);
      const script = await insertEvent(parseScript('deleted', { userId: 'u1' }, ISSUER), deps);
      expect((await rows())[0]).toMatchObject({ id: script.id });
    });

    it('texts that Postgres refuses in jsonb', async () => {
      const payload = { userName: 'a\0b\ud800c', nested: [{ '\0': '\udc00' }] };
      await insertEvent(eventOf({ payload }), deps);
      expect((await rows())[0]?.payload).toEqual({ userName: 'ab\ufffdc', nested: [{ '': '\ufffd' }] });
    });
  });
});
