/** Mails from their table to a real SMTP server on loopback (smtp-server), with the faults that servers have. */
import { describe, expect, it } from 'vitest';
import { readFolder } from '../../shared/configuration/folder.ts';
import type { Seal } from '../../shared/mail/outbox.ts';
import { sql } from '../../shared/ports/database.ts';
import { startSilent } from '../services/smtp.ts';
import { DATABASES } from '../support/databases.ts';
import { kindsOf } from '../support/scale.ts';
import { dueNow, field, instance, invitation, put, RESET, rowsOf, setMail } from './stage.ts';

describe.each(kindsOf(DATABASES))('the outbox on $name', (kind) => {
  describe.skipIf(kind.missing)('', () => {
    const at = setMail(kind);

    it('sends each mail once, in both forms, and keeps neither link nor name of it', async () => {
      const { outbox, send } = instance(at.db.database, at.smtp.port);
      await put(at.db.database, outbox, RESET, invitation(1));
      expect(await send()).toEqual({ sent: 2, failed: 0, dead: 0, taken_over: 0 });
      expect(await send()).toEqual({ sent: 0, failed: 0, dead: 0, taken_over: 0 });
      const [reset, invite] = at.smtp.received.toSorted((a, b) => (a.to[0]! < b.to[0]! ? -1 : 1));
      expect(reset).toMatchObject({ from: 'no-reply@example.org', to: ['alice@example.org'] });
      expect(field(reset!.raw, 'Subject')).toBe('Set a new password at Inventory');
      expect(field(reset!.raw, 'From')).toBe('Example <no-reply@example.org>');
      expect(field(reset!.raw, 'Reply-To')).toBe('help@example.org');
      expect(field(reset!.raw, 'Auto-Submitted')).toBe('auto-generated');
      expect(field(reset!.raw, 'List-Unsubscribe')).toBeUndefined();
      expect(reset!.raw).toContain('https://app.example.org/reset?token=3Ds3cret');
      expect(field(invite!.raw, 'Message-ID')).toBe('<wave-1-1@example.org>');
      expect(field(invite!.raw, 'List-Unsubscribe')).toBe('<https://app.example.org/invites/t1/unsubscribe>');
      expect(field(invite!.raw, 'List-Unsubscribe-Post')).toBe('List-Unsubscribe=One-Click');
      for (const row of await rowsOf(at.db.database))
        expect(row).toMatchObject({ status: 'sent', content: null });
    });

    it('goes out with its transaction or not at all, and the same key once', async () => {
      const { outbox, send } = instance(at.db.database, at.smtp.port);
      const statement = await outbox.enqueue(RESET);
      await expect(at.db.database.transaction([statement, sql`select 1/0`])).rejects.toThrow();
      await at.db.database.query(
        sql`with reset as (select 1), mailed as (${await outbox.enqueue({ ...RESET, to: 'bob@example.org' })}) select 1 as one from reset`,
        { parse: () => undefined },
      );
      await put(at.db.database, outbox, invitation(7), invitation(7));
      await send();
      expect(at.smtp.received.flatMap(({ to }) => to).toSorted()).toEqual([
        'bob@example.org',
        'user-7@example.org',
      ]);
    });

    it('is sent at once when it is nudged, before what nobody waits for', async () => {
      const { outbox, nudged } = instance(at.db.database, at.smtp.port, { rate: '1/60s' });
      await put(at.db.database, outbox, invitation(1), invitation(2), RESET);
      outbox.nudge();
      await nudged();
      expect(at.smtp.received.map(({ to }) => to[0])).toEqual(['alice@example.org']);
    });

    it.each([
      ['deleted tenants', sql`update tenants set deleted_at = now()`, 'the tenant is deleted or suspended'],
      [
        'suspended tenants',
        sql`update tenants set status = 'suspended'`,
        'the tenant is deleted or suspended',
      ],
      ['deleted users', sql`update users set deleted_at = now()`, 'the user is deleted'],
      ['users that are gone', sql`delete from users`, 'the user is deleted'],
      [
        'suppressed addresses, however written',
        sql`insert into sallyport_mail_suppressed (address_hash, reason) values (sha256(convert_to('alice@example.org', 'UTF8')), 'bounced')`,
        'the address is suppressed',
      ],
      [
        'links that have expired',
        sql`update sallyport_outbox set expires_at = now()`,
        'its link has expired',
      ],
    ])('is not sent to %s', async (_who, change, reason) => {
      const userId = '01890000-0000-7000-8000-000000000001';
      await at.db.database.execute(sql`delete from tenants`);
      await at.db.database.execute(
        sql`with t as (insert into tenants (name, slug) values ('Acme', 'acme') returning tenant_id)
            insert into users (user_id, tenant_id, email, password_hash) select ${userId}::uuid, tenant_id, 'alice@example.org', '' from t`,
      );
      const { outbox, send, lines } = instance(at.db.database, at.smtp.port);
      const mail = { ...RESET, to: 'Alice@Example.org', tenant: 'acme', userId, expiresIn: 1_800 };
      await put(at.db.database, outbox, mail);
      await at.db.database.execute(change);
      expect(await send()).toMatchObject({ sent: 0, dead: 1 });
      expect(at.smtp.received).toEqual([]);
      expect(await rowsOf(at.db.database)).toMatchObject([
        { status: 'dead', last_error: reason, content: null },
      ]);
      expect(JSON.stringify(lines)).not.toMatch(/alice|s3cret/i);
    });

    it('ends at 5yz with the words of the server, which the log has not', async () => {
      const { outbox, send, lines } = instance(at.db.database, at.smtp.port);
      at.smtp.behave({ at: 'rcpt', code: 550, text: '5.1.1 <alice@example.org> is unknown' });
      await put(at.db.database, outbox, RESET);
      expect(await send()).toMatchObject({ sent: 0, dead: 1 });
      expect(await rowsOf(at.db.database)).toMatchObject([
        {
          status: 'dead',
          attempts: 1,
          unanswered: 0,
          last_error: '550 5.1.1 <alice@example.org> is unknown',
        },
      ]);
      expect(lines).toEqual([
        expect.objectContaining({ message: 'mail set aside', result: 'refused', code: 550 }),
      ]);
      expect(JSON.stringify(lines)).not.toContain('alice');
    });

    it('comes again after 4yz, later each time, with the same bytes', async () => {
      const { outbox, send } = instance(at.db.database, at.smtp.port);
      await put(at.db.database, outbox, RESET);
      const seen: string[] = [];
      at.smtp.behave((mail) => {
        if (mail !== undefined) seen.push(mail.raw);
        return seen.length < 3 ? { at: 'data', code: 451, text: 'greylisted' } : 'accept';
      });
      for (const most of [15, 30]) {
        expect(await send()).toMatchObject({ failed: 1 });
        const [row] = await rowsOf(at.db.database);
        expect(row).toMatchObject({ status: 'pending', unanswered: 0, last_error: '451 greylisted' });
        expect(row!.waits).toBeGreaterThan(most / 2 - 1);
        expect(row!.waits).toBeLessThanOrEqual(most);
        expect(await send()).toMatchObject({ failed: 0 });
        await dueNow(at.db.database);
      }
      expect(await send()).toMatchObject({ sent: 1 });
      expect(new Set(seen).size).toBe(1);
    });

    it('has the same bytes when a release with other templates sends it again', async () => {
      const before = instance(at.db.database, at.smtp.port);
      at.smtp.behave('take and close');
      await put(at.db.database, before.outbox, RESET);
      await before.send();
      at.smtp.behave('accept');
      await dueNow(at.db.database);
      const files = new Map(
        [...readFolder('config/mail')].map(([path, text]) => [path, text.replace('Hello', 'Good day')]),
      );
      const after = instance(at.db.database, at.smtp.port, { files });
      await put(at.db.database, after.outbox, { ...RESET, to: 'bob@example.org' });
      await after.send();
      const [first, second] = at.smtp.received.filter(({ to }) => to[0] === 'alice@example.org');
      expect(second?.raw).toBe(first!.raw);
      expect(at.smtp.received.find(({ to }) => to[0] === 'bob@example.org')!.raw).toContain('Good day');
    });

    it.each(['take and close', 'close after data', 'stall after data'] as const)(
      'makes at most one extra copy when servers %s, and is then set aside, not lost',
      async (behaviour) => {
        const { outbox, send } = instance(at.db.database, at.smtp.port, {
          bounds: { answer: 200, attempt: 2_000 },
        });
        at.smtp.behave(behaviour);
        await put(at.db.database, outbox, RESET);
        for (const round of [1, 2]) {
          expect(await send()).toMatchObject({ failed: 1 });
          expect(await rowsOf(at.db.database)).toMatchObject([{ status: 'pending', unanswered: round }]);
          await dueNow(at.db.database);
        }
        at.smtp.behave('accept');
        expect(await send()).toMatchObject({ dead: 1 });
        expect(at.smtp.received).toHaveLength(behaviour === 'take and close' ? 2 : 0);
        expect(await rowsOf(at.db.database)).toMatchObject([
          { status: 'dead', last_error: 'sent twice without an answer: it may have arrived' },
        ]);
      },
    );

    it('waits while the server is away or silent, and loses no attempt', async () => {
      const silent = await startSilent();
      for (const port of [1, silent.port]) {
        const { outbox, send } = instance(at.db.database, port, { bounds: { connect: 200 } });
        await put(at.db.database, outbox, RESET);
        await expect(send()).rejects.toThrow('the mail server is unavailable');
      }
      expect((await rowsOf(at.db.database)).map(({ attempts, status }) => [attempts, status])).toEqual([
        [0, 'pending'],
        [0, 'pending'],
      ]);
      await silent.close();
      const { send } = instance(at.db.database, at.smtp.port);
      expect(await send()).toMatchObject({ sent: 2 });
    });

    it('is sealed where there are keys, and set aside when they are gone', async () => {
      const turned = (text: string): string => Array.from(text).toReversed().join('');
      const seal: Seal = {
        seal: async (text) => `ey${turned(text)}`,
        open: async (sealed) => turned(sealed.slice(2)),
      };
      const { outbox, send } = instance(at.db.database, at.smtp.port, { seal });
      await put(at.db.database, outbox, RESET);
      expect((await rowsOf(at.db.database))[0]!.content).not.toContain('token=s3cret');
      await send();
      expect(at.smtp.received[0]!.raw).toContain('token=3Ds3cret');
      await put(at.db.database, outbox, RESET);
      await instance(at.db.database, at.smtp.port, { seal: { ...seal, open: async () => undefined } }).send();
      expect((await rowsOf(at.db.database))[1]).toMatchObject({
        status: 'dead',
        last_error: 'sealed with keys that are gone',
      });
    });

    it('passes no rate, over two instances and any window, and reaches it', async () => {
      const two = [1, 2].map(() => instance(at.db.another(), at.smtp.port, { rate: '10/2s' }));
      await put(at.db.database, two[0]!.outbox, ...Array.from({ length: 25 }, (_, n) => invitation(n)));
      await Promise.all(two.map(({ send }) => send()));
      const times = at.smtp.received.map(({ at }) => at).toSorted((a, b) => a - b);
      expect(times).toHaveLength(25);
      for (const [index, at] of times.entries())
        expect(times.slice(index).filter((other) => other < at + 2_000).length).toBeLessThanOrEqual(10);
    });

    it('stops at the signal, before the next mail', async () => {
      const { outbox, sender } = instance(at.db.database, at.smtp.port, { rate: '1/1h' });
      await put(at.db.database, outbox, invitation(1), invitation(2));
      const stop = new AbortController();
      const sending = sender.all(stop.signal);
      await expect.poll(() => at.smtp.received.length).toBe(1);
      stop.abort();
      expect(await sending).toMatchObject({ sent: 1 });
    });
  });
});
