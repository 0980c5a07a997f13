/** Reminders and the end of waves, by the clock of a real Postgres. */
import { createHash } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { readLink } from '../../shared/invitations/link.ts';
import { listWaves } from '../../shared/invitations/waves.ts';
import { sql } from '../../shared/ports/database.ts';
import { field } from '../mail/stage.ts';
import { DATABASES } from '../support/databases.ts';
import { kindsOf } from '../support/scale.ts';
import { linkIn, PUBLIC_URL, setWaves } from './stage.ts';

describe.each(kindsOf(DATABASES))('reminders of a wave on $name', (kind) => {
  describe.skipIf(kind.missing)('', () => {
    const w = setWaves(kind);

    it('reminds from the own mail of each person, and before the deadline, each once; who accepted too', async () => {
      await w.stage.tenant('acme');
      const ada = await w.stage.person('acme', 'ada@example.org');
      const bob = await w.stage.person('acme', 'bob@example.org');
      await w.stage.begin('one', { remind: '7d,14d,-3d', deadline: new Date(Date.now() + 20 * 86_400_000) });
      await w.stage.run();
      w.cleared();
      await w.stage.passed('6 days 23 hours');
      await w.stage.run();
      expect(w.mailed()).toEqual([]);
      await w.db.database.execute(
        sql`update sallyport_invitations set mailed_at = mailed_at + interval '1 day' where user_id = ${bob}`,
      );
      await w.stage.passed('2 hours');
      await w.stage.run();
      expect(w.mailed()).toEqual(['ada@example.org']);
      await w.stage.run();
      expect(w.mailed()).toEqual(['ada@example.org']);
      await w.db.database.execute(
        sql`update sallyport_invitations set accepted_at = now() where user_id = ${bob}`,
      );
      await w.stage.passed('1 day');
      await w.stage.run();
      expect(w.mailed()).toEqual(['ada@example.org', 'bob@example.org']);
      expect(field(w.smtp.received[0]!.raw, 'Message-ID')).toContain('.remind-7d@');
      w.cleared();
      await w.db.database.execute(sql`update sallyport_waves set deadline = now() + interval '2 days'`);
      await w.db.database.execute(
        sql`update users set migration_completed_at = now() where user_id = ${ada}`,
      );
      await w.stage.run();
      expect(w.mailed()).toEqual(['bob@example.org']);
      expect(field(w.smtp.received[0]!.raw, 'Message-ID')).toContain('.remind--3d@');
      expect(
        await w.texts(sql`select end_reason as text from sallyport_invitations where user_id = ${ada}`),
      ).toEqual(['completed']);
    });

    it('who wanted no more reminders of a wave gets none of a later one, but its invitation', async () => {
      await w.stage.tenant('acme');
      await w.stage.person('acme', 'ada@example.org');
      await w.stage.begin('one', { remind: '7d' });
      await w.stage.run();
      await w.db.database.execute(sql`update sallyport_invitations set unsubscribed_at = now()`);
      await w.db.database.execute(sql`update sallyport_waves set state = 'cancelled'`);
      w.cleared();
      await w.stage.begin('two', { remind: '7d' });
      await w.stage.run();
      expect(w.mailed()).toEqual(['ada@example.org']);
      w.cleared();
      await w.stage.passed('8 days');
      await w.stage.run();
      expect(w.mailed()).toEqual([]);
    });

    it('of reminders that came due meanwhile one is sent, the last; none after the deadline', async () => {
      await w.stage.tenant('acme');
      await w.stage.person('acme', 'ada@example.org');
      await w.stage.begin('one', { remind: '1d,7d,14d' });
      await w.stage.run();
      w.cleared();
      await w.stage.passed('15 days');
      await w.stage.run();
      expect(w.smtp.received.map(({ raw }) => field(raw, 'Message-ID'))).toEqual([
        expect.stringContaining('.remind-14d@') as unknown,
      ]);
    });

    /** Steps whose mailed links lead somewhere. */
    const counting = async (): Promise<(string | undefined)[]> => {
      const found: (string | undefined)[] = [];
      for (const { raw } of w.smtp.received) {
        const hash = createHash('sha256').update(linkIn(raw)).digest();
        if ((await readLink(w.db.database, hash, { issuer: PUBLIC_URL, seen: false })) !== undefined)
          found.push(/\.([\w-]+)@/.exec(field(raw, 'Message-ID') ?? '')?.[1]);
      }
      return found;
    };
    const reminded = async () => {
      await w.stage.tenant('acme');
      const ada = await w.stage.person('acme', 'ada@example.org');
      await w.stage.begin('one', { remind: '1d' });
      await w.stage.run();
      await w.stage.passed('25 hours');
      return ada;
    };

    it('leaves the link that was mailed until the mail that replaces it is sent, and from then on the new one alone', async () => {
      await reminded();
      await w.stage.drive();
      expect(await counting()).toEqual(['invite']);
      await w.stage.mailing.send();
      expect(await counting()).toEqual(['remind-1d']);
      await w.stage.drive();
      expect(await counting()).toEqual(['remind-1d']);
      await w.db.database.execute(sql`delete from sallyport_outbox`);
      expect(await counting()).toEqual(['remind-1d']);
    });

    it('of two mails of a person that are settled at a time the later one has the link', async () => {
      const ada = await reminded();
      await w.stage.drive();
      await w.db.database.execute(sql`
        insert into sallyport_invitation_steps (invitation_id, step, token_hash, message_id, created_at, expires_at)
        select invitation_id, 'resend-1', 'later', '<later@example.org>', now() + interval '1 second', now() + interval '1 day'
        from sallyport_invitations where user_id = ${ada}`);
      await w.db.database.execute(sql`
        insert into sallyport_outbox (message_id, kind, template, recipient, user_id, status, finished_at)
        select '<later@example.org>', kind, template, recipient, user_id, 'sent', now() from sallyport_outbox limit 1`);
      await w.stage.mailing.send();
      await w.stage.drive();
      expect(
        await w.texts(sql`select step as text from sallyport_invitation_steps where superseded_at is null`),
      ).toEqual(['resend-1']);
    });

    it('leaves the link that was mailed when the mail that was to replace it never went out', async () => {
      await reminded();
      await w.stage.drive();
      await w.db.database.execute(
        sql`update sallyport_outbox set status = 'dead', content = null where status = 'pending'`,
      );
      await w.stage.drive();
      expect(await counting()).toEqual(['invite']);
      await w.stage.run();
      expect(w.mailed()).toEqual(['ada@example.org']);
    });

    it('a link that was mailed to an earlier address does not count again while the mail to the new one waits', async () => {
      const ada = await reminded();
      await w.db.database.execute(sql`update users set email = 'ada@new.example.org' where user_id = ${ada}`);
      expect(await counting()).toEqual([]);
      await w.stage.drive();
      expect(await counting()).toEqual([]);
      await w.stage.run();
      expect(await counting()).toEqual(['remind-1d']);
    });

    it('sends nothing positive to who wants no reminders, and what is about the deadline all the same', async () => {
      await w.stage.tenant('acme');
      await w.stage.person('acme', 'ada@example.org');
      await w.stage.begin('one', { remind: '7d,-3d', deadline: new Date(Date.now() + 12 * 86_400_000) });
      await w.stage.run();
      await w.db.database.execute(sql`update sallyport_invitations set unsubscribed_at = now()`);
      w.cleared();
      await w.stage.passed('8 days');
      await w.stage.run();
      expect(w.mailed()).toEqual([]);
      await w.db.database.execute(sql`update sallyport_waves set deadline = now() + interval '1 day'`);
      await w.stage.run();
      expect(w.mailed()).toEqual(['ada@example.org']);
      expect(field(w.smtp.received[0]!.raw, 'Subject')).toContain('soon stops working');
    });

    it('a reminder that somebody put off comes when that time is over', async () => {
      await w.stage.tenant('acme');
      await w.stage.person('acme', 'ada@example.org');
      await w.stage.begin('one', { remind: '7d' });
      await w.stage.run();
      w.cleared();
      await w.stage.passed('8 days');
      await w.db.database.execute(
        sql`update sallyport_invitations set later_until = now() + interval '7 days'`,
      );
      await w.stage.run();
      expect(w.mailed()).toEqual([]);
      await w.db.database.execute(sql`update sallyport_invitations set later_until = now()`);
      await w.stage.run();
      expect(w.mailed()).toEqual(['ada@example.org']);
    });

    it('a link counts for seven days from its mail on, however long that waited, and a newer link ends it', async () => {
      await w.stage.tenant('acme');
      await w.stage.person('acme', 'ada@example.org');
      await w.stage.begin('one', { remind: '1d' });
      await w.stage.drive();
      await w.stage.passed('20 days');
      await w.stage.run();
      const left = () =>
        w.texts(sql`select round(extract(epoch from expires_at - now()) / 86400)::text as text from sallyport_invitation_steps
          where superseded_at is null`);
      expect(await left()).toEqual(['7']);
      await w.stage.passed('2 days');
      await w.stage.run();
      expect(await left()).toEqual(['7']);
      expect(await w.count(sql`select count(*)::int as count from sallyport_invitation_steps`)).toBe(2);
      const [first, second] = w.smtp.received.map(({ raw }) => linkIn(raw));
      expect(first).not.toBe(second);
    });

    it('is done when everybody is across, or when no link and no reminder is left and its deadline is past', async () => {
      await w.stage.tenant('acme');
      await w.stage.people('acme', 2);
      await w.stage.begin('one', { remind: '7d', deadline: new Date(Date.now() + 30 * 86_400_000) });
      await w.stage.run();
      await w.stage.passed('20 days');
      await w.stage.run();
      await w.stage.passed('8 days');
      await w.stage.run();
      expect(await w.stage.state('one')).toBe('running');
      await w.db.database.execute(sql`update sallyport_waves set deadline = now()`);
      await w.stage.run();
      expect(await w.stage.state('one')).toBe('done');
      await w.stage.begin('two');
      await w.stage.run();
      await w.stage.passed('6 days');
      await w.stage.run();
      expect(await w.stage.state('two')).toBe('running');
      await w.db.database.execute(sql`update users set migration_completed_at = now()`);
      await w.stage.run();
      expect(await w.stage.state('two')).toBe('done');
      expect(await listWaves(w.db.database, ['running', 'paused'])).toEqual([]);
    });
  });
});
