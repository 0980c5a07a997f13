/** Bounces and complaints, and what they stop. */
import { beforeEach, describe, expect, it } from 'vitest';
import * as z from 'zod';
import { recordMailEvents, type MailEvent } from '../../shared/mail/outcomes.ts';
import { sql } from '../../shared/ports/database.ts';
import { DATABASES } from '../support/databases.ts';
import { kindsOf } from '../support/scale.ts';
import { instance, invitation, put, rowsOf, setMail } from './stage.ts';

const Outcome = z.object({
  delivered: z.date().nullable(),
  soft: z.date().nullable(),
  hard: z.date().nullable(),
  complained: z.date().nullable(),
  detail: z.string().nullable(),
});

describe.each(kindsOf(DATABASES))('events of mails on $name', (kind) => {
  describe.skipIf(kind.missing)('', () => {
    const at = setMail(kind);
    beforeEach(async () => {
      const { outbox, send } = instance(at.db.database, at.smtp.port);
      await put(at.db.database, outbox, invitation(1), invitation(2));
      await send();
    });

    const event = (more: Partial<MailEvent>): MailEvent => ({
      messageId: null,
      email: null,
      event: 'bounced',
      detail: '5.1.1 unknown',
      at: new Date(),
      ...more,
    });
    const outcomeOf = async (key: string) => {
      const [row] = await at.db.database.query(
        sql`select delivered_at as delivered, soft_bounced_at as soft, bounced_at as hard, complained_at as complained,
              outcome_detail as detail from sallyport_outbox where message_id = ${`<${key}@example.org>`}`,
        Outcome,
      );
      return row!;
    };
    /** Whether a next mail to this person goes out. */
    const goesTo = async (n: number): Promise<boolean> => {
      const { outbox, send } = instance(at.db.database, at.smtp.port);
      await put(at.db.database, outbox, { ...invitation(n), key: `next-${n}`, to: `USER-${n}@example.org` });
      return (await send()).sent === 1;
    };

    it.each([
      ['a Message-ID in brackets', { messageId: '<wave-1-1@example.org>' }],
      ['a Message-ID without', { messageId: ' wave-1-1@example.org' }],
      ['an address, however written', { email: 'User-1@Example.org ' }],
    ])('find their mail by %s, and stop that address alone', async (_by, by) => {
      expect(await recordMailEvents(at.db.database, [event(by)])).toMatchObject([
        { mail: expect.any(String) as unknown, stopped: true },
      ]);
      expect(await outcomeOf('wave-1-1')).toMatchObject({
        hard: expect.any(Date) as unknown,
        soft: null,
        detail: '5.1.1 unknown',
      });
      expect(await outcomeOf('wave-1-2')).toMatchObject({ hard: null, detail: null });
      expect([await goesTo(1), await goesTo(2)]).toEqual([false, true]);
    });

    it('stop nothing when they are soft bounces or deliveries, and everything when they are complaints', async () => {
      const messageId = 'wave-1-1@example.org';
      const answers = await recordMailEvents(at.db.database, [
        event({ messageId, event: 'delivered', detail: '' }),
        event({ messageId, detail: '4.2.2 mailbox full' }),
      ]);
      expect(answers.map(({ stopped }) => stopped)).toEqual([false, false]);
      expect(await outcomeOf('wave-1-1')).toMatchObject({ hard: null, detail: '4.2.2 mailbox full' });
      expect(await goesTo(1)).toBe(true);
      await recordMailEvents(at.db.database, [event({ email: 'user-2@example.org', event: 'complained' })]);
      expect(await goesTo(2)).toBe(false);
    });

    it('keep the first time when they come twice, and no time that is still to come', async () => {
      const first = new Date(Date.now() - 60_000);
      const messageId = 'wave-1-1@example.org';
      const doubled = [event({ messageId, at: first }), event({ messageId })];
      await recordMailEvents(at.db.database, doubled);
      await recordMailEvents(at.db.database, doubled);
      expect((await outcomeOf('wave-1-1')).hard).toEqual(first);
      await recordMailEvents(at.db.database, [
        event({ messageId: 'wave-1-2@example.org', at: new Date(Date.now() + 1e9) }),
      ]);
      expect((await outcomeOf('wave-1-2')).hard!.getTime()).toBeLessThan(Date.now() + 60_000);
    });

    it('mean the newest mail to an address that was sent before them', async () => {
      expect(await goesTo(1)).toBe(true);
      await recordMailEvents(at.db.database, [event({ email: 'user-1@example.org' })]);
      expect(await outcomeOf('next-1')).toMatchObject({ hard: expect.any(Date) as unknown });
      expect(await outcomeOf('wave-1-1')).toMatchObject({ hard: null });
    });

    it('stop an address that has no mail on record, and pass over what names nothing of ours', async () => {
      expect(
        await recordMailEvents(at.db.database, [
          event({ email: 'user-9@example.org' }),
          event({ messageId: '<elsewhere@example.org>' }),
          event({}),
        ]),
      ).toEqual([
        { mail: null, userId: null, stopped: true },
        { mail: null, userId: null, stopped: false },
        { mail: null, userId: null, stopped: false },
      ]);
      expect(await goesTo(9)).toBe(false);
      expect(await recordMailEvents(at.db.database, [])).toEqual([]);
    });

    it('stop a mail that waits already', async () => {
      const { outbox, send } = instance(at.db.database, at.smtp.port);
      await put(at.db.database, outbox, { ...invitation(1), key: 'waits' });
      await recordMailEvents(at.db.database, [event({ messageId: 'wave-1-1@example.org' })]);
      expect(await send()).toMatchObject({ sent: 0, dead: 1 });
      expect((await rowsOf(at.db.database)).at(-1)).toMatchObject({
        last_error: 'the address is suppressed',
      });
    });

    it('are recorded by ourselves when the mail server refuses the address, which others are not held against', async () => {
      at.smtp.behave({ at: 'rcpt', code: 550, text: 'no' });
      expect(await goesTo(1)).toBe(false);
      at.smtp.behave('accept');
      expect(await outcomeOf('next-1')).toMatchObject({ hard: expect.any(Date) as unknown });
      expect(
        (
          await recordMailEvents(at.db.database, [event({ event: 'delivered', email: 'user-1@example.org' })])
        )[0],
      ).toMatchObject({ stopped: false });
    });
  });
});
