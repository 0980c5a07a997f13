/** The kill switch: mails of the migration wait, those that somebody asked for go on. */
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { isAnyDue, readDepth } from '../../functions/mail/depth.ts';
import { sql } from '../../shared/ports/database.ts';
import { startSmtp, type SmtpService } from '../services/smtp.ts';
import { DATABASES, type MigratedDatabase } from '../support/databases.ts';
import { kindsOf } from '../support/scale.ts';
import { dueNow, emptied, instance, invitation, put, RESET, rowsOf } from './stage.ts';

describe.each(kindsOf(DATABASES))('a mail of the migration on $name', (kind) => {
  describe.skipIf(kind.missing)('', () => {
    let db: MigratedDatabase;
    let smtp: SmtpService;
    beforeAll(async () => {
      [db, smtp] = await Promise.all([kind.start(), startSmtp()]);
    });
    afterAll(async () => {
      await smtp.close();
      await db.close();
    });
    beforeEach(async () => {
      await emptied(db.database);
      await db.database.execute(sql`delete from sallyport_switches`);
      smtp.received.length = 0;
    });

    it('waits while the migration is paused, or its wave is, and nothing else waits with it', async () => {
      const { outbox, send } = instance(db.database, smtp.port);
      await put(db.database, outbox, invitation(1), { ...invitation(2), heldBy: ['wave one'] }, RESET);
      const arrived = async () => {
        await send();
        return smtp.received.map(({ to }) => to[0]).toSorted();
      };
      const turn = (change: 'on' | 'off', name: string) =>
        db.database.execute(
          change === 'on'
            ? sql`insert into sallyport_switches (name, who) values (${name}, 'test')`
            : sql`delete from sallyport_switches where name = ${name}`,
        );
      await turn('on', 'migration');
      await turn('on', 'wave one');
      expect(await arrived()).toEqual(['alice@example.org']);
      await turn('off', 'migration');
      expect(await arrived()).toEqual(['alice@example.org', 'user-1@example.org']);
      const waiting = (await rowsOf(db.database)).filter(({ status }) => status === 'pending');
      expect(waiting).toMatchObject([{ recipient: 'user-2@example.org', attempts: 0 }]);
      await turn('off', 'wave one');
      expect(await arrived()).toHaveLength(3);
    });

    it('is not sent to its end when the migration is paused while it is on its way', async () => {
      const { outbox, send } = instance(db.database, smtp.port);
      await put(db.database, outbox, invitation(1));
      await db.database.execute(sql`
        create function pause() returns trigger language plpgsql as $$
        begin insert into sallyport_switches (name, who) values ('migration', 'test'); return new; end $$`);
      await db.database.execute(sql`
        create trigger pause after update on sallyport_outbox for each row when (old.lease_id is null) execute function pause()`);
      expect(await send()).toMatchObject({ sent: 0 });
      await db.database.execute(sql`drop function pause cascade`);
      await db.database.execute(sql`delete from sallyport_switches`);
      expect(smtp.received).toEqual([]);
      await dueNow(db.database);
      expect(await send()).toMatchObject({ sent: 1 });
    });

    it('is counted as held, and neither as late nor as due', async () => {
      const { outbox } = instance(db.database, smtp.port);
      await put(db.database, outbox, invitation(1), invitation(2));
      await db.database.execute(sql`update sallyport_outbox set created_at = now() - interval '2 hours'`);
      expect(await readDepth(db.database)).toMatchObject({ pending: 2, held: 0 });
      await db.database.execute(sql`insert into sallyport_switches (name, who) values ('migration', 'test')`);
      expect(await readDepth(db.database)).toEqual({ pending: 2, held: 2, dead: 0, oldestSeconds: 0 });
      expect(await isAnyDue(db.database)).toBe(false);
      await put(db.database, outbox, RESET);
      expect(await readDepth(db.database)).toMatchObject({ pending: 3, held: 2 });
      expect(await isAnyDue(db.database)).toBe(true);
    });
  });
});
