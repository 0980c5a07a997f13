/** Mails of waves, from a real Postgres to a real SMTP server on loopback. */
import { describe, expect, it } from 'vitest';
import { invitationToken } from '../../shared/invitations/token.ts';
import { recordMailEvents } from '../../shared/mail/outcomes.ts';
import { sql } from '../../shared/ports/database.ts';
import { field } from '../mail/stage.ts';
import { DATABASES } from '../support/databases.ts';
import { kindsOf } from '../support/scale.ts';
import { emptied, keyRing, linkIn, PUBLIC_URL, setWaves, waveStage } from './stage.ts';

describe.each(kindsOf(DATABASES))('mails of a wave on $name', (kind) => {
  describe.skipIf(kind.missing)('', () => {
    const w = setWaves(kind);

    it('each mail carries a link of its own, a Message-ID of invitation and step, and what RFC 8058 asks for', async () => {
      await w.stage.tenant('acme');
      await w.stage.person('acme', 'Alice@Example.org', { name: 'Alice <b>' });
      await w.stage.begin('one', { deadline: new Date('2999-03-31T23:59:59.999Z') });
      await w.stage.run();
      const [{ raw } = { raw: '' }] = w.smtp.received;
      expect(w.mailed()).toEqual(['Alice@Example.org']);
      expect(field(raw, 'Message-ID')).toMatch(/^<[0-9a-f-]{36}\.invite@example\.org>$/);
      expect(field(raw, 'List-Unsubscribe-Post')).toBe('List-Unsubscribe=One-Click');
      const token = linkIn(raw);
      expect(field(raw, 'List-Unsubscribe')).toBe(`<${PUBLIC_URL}/invites/${token}/unsubscribe>`);
      expect(raw).toContain('March 31, 2999');
      expect(raw).toContain('Alice &lt;b&gt;');
      expect(
        await w.texts(
          sql`select encode(token_hash, 'hex') as text from sallyport_invitation_steps where token_hash = sha256(convert_to(${token}, 'UTF8'))`,
        ),
      ).toHaveLength(1);
      for (const table of [
        sql`sallyport_outbox`,
        sql`sallyport_invitations`,
        sql`sallyport_invitation_steps`,
        sql`sallyport_audit`,
      ])
        expect(
          JSON.stringify(await w.texts(sql`select to_jsonb(t)::text as text from ${table} t`)),
        ).not.toContain(token);
      expect(
        await w.texts(
          sql`select (migration_invited_at is not null and migration_completed_at is null)::text as text from users`,
        ),
      ).toEqual(['true']);
    });

    it('goes to the stored address alone, letter by letter: what one that looks alike does is not taken for it', async () => {
      await w.stage.tenant('acme');
      const people = ['mike@example.org', 'm\u0131ke@example.org', 'mik\u0435@example.org'];
      for (const email of people) await w.stage.person('acme', email);
      await w.stage.begin('one', { remind: '7d' });
      await w.stage.run();
      expect(w.mailed()).toEqual(people.toSorted());
      const [, dotless] = people;
      const theirs = w.smtp.received.find(({ to }) => to.includes(dotless!))!;
      const lost = { email: null, event: 'bounced', detail: '', at: new Date() } as const;
      await recordMailEvents(w.db.database, [{ ...lost, messageId: field(theirs.raw, 'Message-ID')! }]);
      w.cleared();
      await w.stage.passed('8 days');
      await w.stage.run();
      expect(w.mailed()).toEqual(people.filter((email) => email !== dotless).toSorted());
    });

    it('the token of a mail that waits stands nowhere, and is derived of nothing that stands there', async () => {
      await w.stage.tenant('acme');
      await w.stage.person('acme', 'alice@example.org');
      await w.stage.begin('one');
      await w.stage.drive();
      const [invitation] = await w.texts(sql`select invitation_id::text as text from sallyport_invitations`);
      const { token } = await invitationToken(keyRing, invitation!, 'invite');
      const tables = await w.texts(sql`select format('%I', relname) as text from pg_class
        where relnamespace = 'public'::regnamespace and relkind = 'r'`);
      const rows =
        await w.texts(sql`select query_to_xml('select * from ' || name, true, false, '')::text as text
        from unnest(${tables.filter((name) => name !== null)}::text[]) as name`);
      expect(rows.join()).toContain('alice@example.org');
      for (const spelling of [
        token,
        Buffer.from(token).toString('base64'),
        Buffer.from(token).toString('hex'),
      ])
        expect(rows.join()).not.toContain(spelling);
      await w.stage.mailing.send();
      expect(linkIn(w.smtp.received[0]!.raw)).toBe(token);
    });

    it('keeps its own pace over all instances: no window has more of its mails, and no mail is lost', async () => {
      await w.stage.tenant('acme');
      await w.stage.people('acme', 25);
      await w.stage.begin('slow', { rate: '10/600s' });
      const other = waveStage(w.db.another(), w.smtp.port);
      await Promise.all([w.stage.drive(), other.drive(), w.stage.drive()]);
      await w.stage.mailing.send();
      await Promise.all([w.stage.drive(), other.drive()]);
      await w.stage.mailing.send();
      expect(w.mailed()).toHaveLength(10);
      await w.stage.passed('300 seconds');
      await w.stage.drive();
      expect((await w.stage.mailing.send()).sent).toBe(0);
      await w.stage.passed('301 seconds');
      await w.stage.run();
      expect(w.mailed()).toHaveLength(20);
      await w.stage.passed('601 seconds');
      await w.stage.run();
      expect(new Set(w.mailed()).size).toBe(25);
    });

    it('while the mail server is away no more of it waits than its pace allows', async () => {
      await w.stage.tenant('acme');
      await w.stage.people('acme', 30);
      await w.stage.begin('slow', { rate: '10/60s' });
      for (let round = 0; round < 4; round += 1) {
        await w.stage.drive();
        await w.stage.passed('61 seconds');
      }
      expect(await w.count(sql`select count(*)::int as count from sallyport_outbox`)).toBe(10);
    });

    it.each([
      ['the user is suspended', sql`update users set status = 'suspended'`],
      ['the user is deleted', sql`update users set deleted_at = now()`],
      ['the row of the user is gone', sql`delete from users`],
      ['the tenant is suspended', sql`update tenants set status = 'suspended'`],
      ['the tenant is deleted', sql`update tenants set deleted_at = now()`],
      ['the user is across', sql`update users set migration_completed_at = now()`],
      [
        'the user is excluded',
        sql`insert into sallyport_people (user_id, excluded_at, excluded_reason) select user_id, now(), '' from users`,
      ],
      [
        'mail to the user bounced',
        sql`insert into sallyport_people (user_id, flags) select user_id, '{"unreachable": true}' from users`,
      ],
      [
        'the address is suppressed',
        sql`insert into sallyport_mail_suppressed (address_hash, reason) values (sha256(convert_to('ada@example.org', 'UTF8')), '')`,
      ],
      [
        'the migration is paused',
        sql`insert into sallyport_switches (name, who) values ('migration', 'operator')`,
      ],
    ])('mails neither invitation nor reminder once %s', async (_what, change) => {
      await w.stage.tenant('acme');
      await w.stage.person('acme', 'Ada@example.org');
      await w.stage.begin('one', { remind: '7d' });
      await w.db.database.execute(change);
      await w.stage.run();
      expect(w.mailed()).toEqual([]);
      await emptied(w.db.database);
      await w.stage.tenant('acme');
      await w.stage.person('acme', 'Ada@example.org');
      await w.stage.begin('one', { remind: '7d' });
      await w.stage.run();
      w.cleared();
      await w.stage.passed('8 days');
      await w.db.database.execute(change);
      await w.stage.run();
      expect(w.mailed()).toEqual([]);
    });

    it('a mail that waits is not sent once its tenant is suspended, and is when that is over', async () => {
      await w.stage.tenant('acme');
      await w.stage.tenant('birch');
      await w.stage.people('acme', 3);
      await w.stage.people('birch', 1);
      await w.stage.begin('one');
      await w.stage.drive();
      await w.db.database.execute(sql`update tenants set status = 'suspended' where slug = 'acme'`);
      await w.stage.run();
      expect(w.mailed()).toEqual(['user-1@birch.example.org']);
      await w.db.database.execute(sql`update tenants set status = 'active'`);
      await w.stage.run();
      expect(w.mailed()).toHaveLength(4);
      expect(
        await w.count(
          sql`select count(*)::int as count from sallyport_invitations where mailed_at is not null`,
        ),
      ).toBe(4);
    });

    it('a mail that was set aside and is sent again by command counts from then on', async () => {
      await w.stage.tenant('acme');
      await w.stage.people('acme', 1);
      await w.stage.begin('one', { remind: '7d' });
      w.smtp.behave({ at: 'rcpt', code: 550, text: 'no such user' });
      await w.stage.run();
      await w.stage.passed('8 days');
      w.smtp.behave('accept');
      await w.db.database.execute(
        sql`update sallyport_outbox set status = 'pending', due_at = now(), bounced_at = null where content is not null`,
      );
      await w.db.database.execute(sql`truncate sallyport_mail_suppressed`);
      await w.stage.run();
      expect(w.mailed()).toHaveLength(1);
      expect(
        await w.count(
          sql`select count(*)::int as count from sallyport_invitations where mailed_at > now() - interval '1 hour'`,
        ),
      ).toBe(1);
    });

    it('goes on when a tenant gets another name in the middle, by its id', async () => {
      const acme = await w.stage.tenant('acme');
      await w.stage.people('acme', 12);
      await w.stage.begin('one', { cohort: { tenants: [acme] }, rate: '5/60s' });
      await w.stage.run();
      await w.db.database.execute(sql`update tenants set slug = 'acme-2', name = 'Acme 2'`);
      for (let round = 0; round < 2; round += 1) {
        await w.stage.passed('61 seconds');
        await w.stage.run();
      }
      expect(w.mailed()).toHaveLength(12);
    });

    it('a new address gets the next mail, and the old one none', async () => {
      await w.stage.tenant('acme');
      await w.stage.person('acme', 'old@example.org');
      await w.stage.begin('one', { remind: '7d' });
      await w.stage.run();
      await w.db.database.execute(sql`update users set email = 'new@example.org'`);
      await w.stage.passed('8 days');
      await w.stage.run();
      expect(w.mailed()).toEqual(['new@example.org', 'old@example.org']);
      expect(
        await w.texts(
          sql`select (address_hash = sha256(convert_to('new@example.org', 'UTF8')))::text as text from sallyport_invitations`,
        ),
      ).toEqual(['true']);
    });
  });
});
