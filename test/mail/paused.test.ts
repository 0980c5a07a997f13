/** The kill switch: mails of the migration wait, those that a user requested go on. */
import { describe, expect, it } from 'vitest';
import { isAnyDue, readDepth } from '../../functions/mail/depth.ts';
import { sql } from '../../shared/ports/database.ts';
import { DATABASES } from '../support/databases.ts';
import { kindsOf } from '../support/scale.ts';
import { dueNow, instance, invitation, put, RESET, rowsOf, setMail } from './stage.ts';

describe.each(kindsOf(DATABASES))('a mail of the migration on $name', (kind) => {
  describe.skipIf(kind.missing)('', () => {
    const at = setMail(kind);

    it('waits while the migration is paused, or its wave is, and nothing else waits with it', async () => {
      const { outbox, send } = instance(at.db.database, at.smtp.port);
      await put(at.db.database, outbox, invitation(1), { ...invitation(2), heldBy: ['wave one'] }, RESET);
      const arrived = async () => {
        await send();
        return at.smtp.received.map(({ to }) => to[0]).toSorted();
      };
      const turn = (change: 'on' | 'off', name: string) =>
        at.db.database.execute(
          change === 'on'
            ? sql`insert into sallyport_switches (name, who) values (${name}, 'test')`
            : sql`delete from sallyport_switches where name = ${name}`,
        );
      await turn('on', 'migration');
      await turn('on', 'wave one');
      expect(await arrived()).toEqual(['alice@example.org']);
      await turn('off', 'migration');
      expect(await arrived()).toEqual(['alice@example.org', 'user-1@example.org']);
      const waiting = (await rowsOf(at.db.database)).filter(({ status }) => status === 'pending');
      expect(waiting).toMatchObject([{ recipient: 'user-2@example.org', attempts: 0 }]);
      await turn('off', 'wave one');
      expect(await arrived()).toHaveLength(3);
    });

    it('is not sent to its end when the migration is paused while it is on its way', async () => {
      const { outbox, send } = instance(at.db.database, at.smtp.port);
      await put(at.db.database, outbox, invitation(1));
      await at.db.database.execute(sql`
        create function pause() returns trigger language plpgsql as $$
        begin insert into sallyport_switches (name, who) values ('migration', 'test'); return new; end $$`);
      await at.db.database.execute(sql`
        create trigger pause after update on sallyport_outbox for each row when (old.lease_id is null) execute function pause()`);
      expect(await send()).toMatchObject({ sent: 0 });
      await at.db.database.execute(sql`drop function pause cascade`);
      await at.db.database.execute(sql`delete from sallyport_switches`);
      expect(at.smtp.received).toEqual([]);
      await dueNow(at.db.database);
      expect(await send()).toMatchObject({ sent: 1 });
    });

    it('is counted as held, and neither as late nor as due', async () => {
      const { outbox } = instance(at.db.database, at.smtp.port);
      await put(at.db.database, outbox, invitation(1), invitation(2));
      await at.db.database.execute(sql`update sallyport_outbox set created_at = now() - interval '2 hours'`);
      expect(await readDepth(at.db.database)).toMatchObject({ pending: 2, held: 0 });
      await at.db.database.execute(
        sql`insert into sallyport_switches (name, who) values ('migration', 'test')`,
      );
      expect(await readDepth(at.db.database)).toEqual({ pending: 2, held: 2, dead: 0, oldestSeconds: 0 });
      expect(await isAnyDue(at.db.database)).toBe(false);
      await put(at.db.database, outbox, RESET);
      expect(await readDepth(at.db.database)).toMatchObject({ pending: 3, held: 2 });
      expect(await isAnyDue(at.db.database)).toBe(true);
    });
  });
});
