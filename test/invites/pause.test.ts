/** What stops waves, and what they bind: on a real Postgres. */
import { describe, expect, it } from 'vitest';
import { personDeadlineOf, personDeadlinePassed } from '../../shared/invitations/deadline.ts';
import { cancelWave, findWave, pauseWave, resumeWave } from '../../shared/invitations/waves.ts';
import { recordMailEvents } from '../../shared/mail/outcomes.ts';
import { sql } from '../../shared/ports/database.ts';
import { field } from '../mail/stage.ts';
import { DATABASES } from '../support/databases.ts';
import { kindsOf } from '../support/scale.ts';
import { BY, setWaves } from './stage.ts';

describe.each(kindsOf(DATABASES))('a wave that stops, on $name', (kind) => {
  describe.skipIf(kind.missing)('', () => {
    const w = setWaves(kind);

    it('a pause holds what waits in the outbox too, and after it everything goes on as it was', async () => {
      await w.stage.tenant('acme');
      await w.stage.people('acme', 30);
      const wave = await w.stage.begin('one', { rate: '10/60s' });
      await w.stage.drive();
      expect(await pauseWave(w.db.database, wave, null, BY)).toBe(true);
      await w.stage.run();
      expect(w.mailed()).toEqual([]);
      expect(await pauseWave(w.db.database, wave, null, BY)).toBe(false);
      expect(await resumeWave(w.db.database, wave, BY)).toBe(true);
      expect(await resumeWave(w.db.database, wave, BY)).toBe(false);
      for (let round = 0; round < 3; round += 1) {
        await w.stage.run();
        await w.stage.passed('61 seconds');
      }
      expect(new Set(w.mailed()).size).toBe(30);
      expect(w.mailed()).toHaveLength(30);
    });

    it('the kill switch holds every wave: none starts, none is mailed, what waits stays', async () => {
      await w.stage.tenant('acme');
      await w.stage.people('acme', 4);
      await w.stage.begin('one', { cohort: { limit: 2 } });
      await w.stage.drive();
      await w.stage.plan('two');
      await w.db.database.execute(
        sql`insert into sallyport_switches (name, who) values ('migration', 'operator')`,
      );
      expect(await w.stage.drive()).toBe('paused');
      await w.stage.mailing.send();
      expect(w.mailed()).toEqual([]);
      expect(await w.stage.state('two')).toBe('planned');
      await w.db.database.execute(sql`delete from sallyport_switches`);
      await w.stage.run();
      expect(w.mailed()).toHaveLength(4);
    });

    it('after a cancellation nothing is mailed, nobody is bound, and its people are free; links that are out stay', async () => {
      await w.stage.tenant('acme');
      await w.stage.people('acme', 12);
      const wave = await w.stage.begin('one', {
        rate: '5/60s',
        deadline: new Date(Date.now() + 86_400_000),
        remind: '7d',
      });
      await w.stage.run();
      await w.stage.passed('61 seconds');
      await w.stage.drive();
      expect(await cancelWave(w.db.database, wave, BY)).toBe(true);
      expect(await cancelWave(w.db.database, wave, BY)).toBe(false);
      await w.stage.passed('8 days');
      await w.stage.run();
      expect(w.mailed()).toHaveLength(5);
      expect(await w.counted()).toMatchObject({ people: 12, leftOut: { in_another_wave: 0 } });
      expect(
        await w.count(
          sql`select count(*)::int as count from users u where ${personDeadlineOf(sql`u.user_id`, sql`u.tenant_id`)} is not null`,
        ),
      ).toBe(0);
      expect(
        await w.count(
          sql`select count(*)::int as count from sallyport_invitations where ended_at is null and mailed_at is not null`,
        ),
      ).toBe(5);
      await w.stage.begin('two');
      await w.stage.run();
      expect(new Set(w.mailed()).size).toBe(12);
    });

    it('binds its people by its deadline, the earliest of wave and tenant, from their link on and not while paused by the kill switch', async () => {
      const acme = await w.stage.tenant('acme');
      await w.stage.people('acme', 2);
      const bound = () =>
        w.count(
          sql`select count(*)::int as count from users u where ${personDeadlinePassed(sql`u.user_id`, sql`u.tenant_id`)}`,
        );
      const [soon, later] = [new Date(Date.now() + 3_600_000), new Date(Date.now() + 7_200_000)];
      await w.stage.begin('one', { deadline: soon, rate: '1/60s' });
      await w.stage.drive();
      const deadlines = () =>
        w.texts(sql`select to_char(${personDeadlineOf(sql`u.user_id`, sql`u.tenant_id`)} at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"') as text
          from users u order by 1 nulls last`);
      expect(await deadlines()).toEqual([soon.toISOString(), null]);
      await w.db.database.execute(
        sql`insert into sallyport_tenants (tenant_id, deadline) values (${acme}, ${later})`,
      );
      expect(await deadlines()).toEqual([soon.toISOString(), later.toISOString()]);
      expect(await bound()).toBe(0);
      await w.db.database.execute(sql`update sallyport_waves set deadline = now()`);
      expect(await bound()).toBe(1);
      await w.db.database.execute(
        sql`insert into sallyport_switches (name, who) values ('migration', 'operator')`,
      );
      expect(await bound()).toBe(0);
    });

    it('pauses by itself when more bounce or complain than it was told, says why, and counts anew when it is resumed', async () => {
      await w.stage.tenant('acme');
      await w.stage.people('acme', 60);
      const wave = await w.stage.begin('one', { rate: '50/60s', stopWhen: 'bounces>2%,complaints>1%' });
      await w.stage.run();
      const events = (event: 'bounced' | 'complained', mails: readonly { raw: string }[]) =>
        recordMailEvents(
          w.db.database,
          mails.map(({ raw }) => ({
            messageId: field(raw, 'Message-ID')!,
            email: null,
            event,
            detail: '',
            at: new Date(),
          })),
        );
      await events('bounced', w.smtp.received.slice(0, 1));
      expect(await w.stage.drive()).toMatchObject({ paused: [] });
      await events('bounced', w.smtp.received.slice(1, 2));
      await w.stage.passed('61 seconds');
      expect(await w.stage.drive()).toMatchObject({ paused: ['one'], invited: 0 });
      expect(await findWave(w.db.database, 'one')).toMatchObject({
        state: 'paused',
        pauseReason: 'bounces>2%: 2 of 50 mails bounced (4%)',
      });
      expect(
        await w.texts(
          sql`select detail ->> 'reason' as text from sallyport_audit where detail ->> 'change' = 'paused'`,
        ),
      ).toEqual(['bounces>2%: 2 of 50 mails bounced (4%)']);
      await resumeWave(w.db.database, wave, BY);
      await w.stage.run();
      expect(w.mailed()).toHaveLength(60);
      expect(await w.stage.state('one')).toBe('running');
      await events('complained', w.smtp.received.slice(50, 51));
      await w.stage.drive();
      expect(await findWave(w.db.database, 'one')).toMatchObject({
        state: 'paused',
        pauseReason: 'complaints>1%: 1 of 10 mails were complained about (10%)',
      });
    });

    it('an address that the mail server itself refuses counts as bounced', async () => {
      await w.stage.tenant('acme');
      await w.stage.people('acme', 3);
      await w.stage.begin('one', { stopWhen: 'bounces>50%' });
      w.smtp.behave({ at: 'rcpt', code: 550, text: 'no such user' });
      await w.stage.run();
      expect(await w.stage.state('one')).toBe('paused');
    });

    it('pauses when sign-ins of its people fail more often than in the week before', async () => {
      await w.stage.tenant('acme');
      const ada = await w.stage.person('acme', 'ada@example.org');
      const stranger = await w.stage.person('acme', 'stranger@example.org', { provisioned: false });
      const signIns = (user: string, what: string, times: number, ago: string) =>
        w.db.database.execute(sql`insert into sallyport_audit (at, who, what, subject, source)
          select now() - ${ago}::interval, 'anonymous', ${what}, ${user}::uuid, 'unknown' from generate_series(1, ${times}::int)`);
      await w.stage.begin('one', { stopWhen: 'failures>5%' });
      await signIns(ada, 'signed_in', 90, '3 days');
      await signIns(ada, 'sign_in_refused', 10, '3 days');
      await signIns(stranger, 'sign_in_refused', 100, '0 days');
      await signIns(ada, 'signed_in', 87, '0 days');
      await signIns(ada, 'sign_in_refused', 13, '0 days');
      await w.stage.drive();
      expect(await w.stage.state('one')).toBe('running');
      await signIns(ada, 'sign_in_refused', 5, '0 days');
      await w.stage.drive();
      expect((await findWave(w.db.database, 'one'))?.pauseReason).toMatch(
        /^failures>5%: 18 of 105 sign-ins of its people failed \(17\.1%\), 10% in the week before$/,
      );
    });

    it('takes a typing error or two of a few people for no outage', async () => {
      await w.stage.tenant('acme');
      const ada = await w.stage.person('acme', 'ada@example.org');
      await w.stage.begin('one', { stopWhen: 'failures>5%' });
      const signIns = (what: string, times: number) =>
        w.db.database.execute(sql`insert into sallyport_audit (who, what, subject, source)
          select 'anonymous', ${what}, ${ada}::uuid, 'unknown' from generate_series(1, ${times}::int)`);
      for (const [what, times, state] of [
        ['sign_in_refused', 9, 'running'],
        ['signed_in', 91, 'running'],
      ] as const) {
        await w.db.database.execute(sql`truncate sallyport_audit`);
        await signIns(what, times);
        await w.stage.drive();
        expect(await w.stage.state('one'), what).toBe(state);
      }
      await w.db.database.execute(sql`truncate sallyport_audit`);
      await signIns('signed_in', 10);
      await signIns('sign_in_refused', 2);
      await w.stage.drive();
      expect(await w.stage.state('one'), '2 of 12').toBe('running');
      await signIns('sign_in_refused', 4);
      await w.stage.drive();
      expect((await findWave(w.db.database, 'one'))?.pauseReason).toBe(
        'failures>5%: 6 of 16 sign-ins of its people failed (37.5%), 0% in the week before',
      );
    });

    it('pauses when there are more tickets for 1,000 invited than it was told, of its tenants or of none, since its start', async () => {
      const acme = await w.stage.tenant('acme');
      const birch = await w.stage.tenant('birch');
      await w.stage.people('acme', 200);
      const ticket = (id: string, tenant: string | null, ago = '0 days') =>
        w.db.database.execute(
          sql`insert into sallyport_tickets (id, tenant_id, at) values (${id}, ${tenant}::uuid, now() - ${ago}::interval)`,
        );
      await ticket('before', acme, '1 day');
      await w.stage.begin('one', { cohort: { tenants: [acme] }, stopWhen: 'tickets>10' });
      await w.stage.drive();
      await ticket('1', acme);
      await ticket('2', null);
      await ticket('3', birch);
      await w.stage.drive();
      expect(await w.stage.state('one')).toBe('running');
      await ticket('4', acme);
      await w.stage.drive();
      expect((await findWave(w.db.database, 'one'))?.pauseReason).toBe(
        'tickets>10: 3 tickets for 200 invited, 15 per 1,000',
      );
    });
  });
});
