import { expect, it } from 'vitest';
import * as z from 'zod';
import { IS_UNREACHABLE } from '../../shared/invitations/people.ts';
import { sql } from '../../shared/ports/database.ts';
import { auditOf, makeUser, type MadeUser } from '../auth/people.ts';
import { authSuite } from '../auth/suite.ts';
import { expectRefusal } from '../support/refusal.ts';
import { ALONE, invitationRow, invite, mailTo, SECRET } from './door.ts';

const Flags = z.object({ unreachable: z.boolean(), suppressed: z.boolean() });

authSuite('events of mails', { variables: () => ALONE }, (stage) => {
  const person = () => makeUser(stage.database);
  const events = (list: unknown, headers: Record<string, string> = { authorization: `Bearer ${SECRET}` }) =>
    stage.gateway.fetch('/invites/events', {
      method: 'POST',
      headers: { 'content-type': 'application/json', ...headers },
      body: typeof list === 'string' ? list : JSON.stringify(list),
    });
  const flagsOf = async ({ userId }: MadeUser) =>
    (
      await stage.database.query(
        sql`select ${IS_UNREACHABLE} as unreachable, exists (select from sallyport_mail_suppressed
              where address_hash = sha256(convert_to(lower(u.email), 'UTF8'))) as suppressed
            from users u left join sallyport_people p on p.user_id = u.user_id where u.user_id = ${userId}`,
        Flags,
      )
    )[0];

  it('events without the secret are refused', async () => {
    await expectRefusal(await events([], {}), 'missing_token');
    for (const authorization of ['Bearer x', `Bearer ${SECRET}x`, `Basic ${SECRET}`])
      await expectRefusal(await events([], { authorization }), 'invalid_token');
    expect((await events([])).status).toBe(200);
  });

  it('a hard bounce and a complaint stop mail to the address and list its people; a soft one and a delivery do not', async () => {
    const people = await Promise.all(Array.from({ length: 5 }, () => person()));
    const [hard, soft, complaint, delivered, byAddress] = people as [
      MadeUser,
      MadeUser,
      MadeUser,
      MadeUser,
      MadeUser,
    ];
    const invited = await invite(stage, delivered);
    const list = [
      {
        message_id: (await mailTo(stage, hard, 'invitation')).slice(1, -1),
        event: 'bounced',
        detail: '5.1.1 unknown',
      },
      {
        message_id: await mailTo(stage, soft, 'invitation'),
        event: 'bounced',
        detail: '4.2.2 full',
        at: new Date().toISOString(),
      },
      { message_id: await mailTo(stage, complaint, 'reminder'), event: 'complained' },
      {
        message_id: await mailTo(stage, delivered, 'invitation', invited.messageId),
        event: 'delivered',
        more: 'fields',
      },
      { email: byAddress.email.toUpperCase(), event: 'bounced', detail: '' },
      { message_id: '<nobody@example.org>', event: 'delivered' },
      { email: 'nobody@example.org', event: 'complained' },
    ];
    for (let time = 0; time < 2; time += 1)
      expect(await (await events(list)).json()).toEqual({ recorded: 4, unknown: 3, stopped: 4 });
    const gone = { unreachable: true, suppressed: true };
    const there = { unreachable: false, suppressed: false };
    expect(await Promise.all(people.map(flagsOf))).toEqual([gone, there, gone, there, gone]);
    expect((await invitationRow(stage, invited)).delivered).toBe(true);
    expect((await auditOf(stage.database, hard.userId)).map(({ what }) => what)).toEqual(['unreachable']);
    // Another address may be mailed.
    await stage.database.execute(
      sql`update users set email = 'other-' || email where user_id = ${hard.userId}`,
    );
    expect(await flagsOf(hard)).toEqual(there);
  });

  it('a list with a mistake is refused whole, without quoting it', async () => {
    const user = await person();
    const good = { message_id: await mailTo(stage, user, 'invitation'), event: 'complained' };
    const bad: unknown[] = [
      '{',
      {},
      [good, {}],
      [good, { event: 'bounced' }],
      [good, { ...good, event: 'opened' }],
      [good, { ...good, at: 'yesterday' }],
      [good, { email: '\0', event: 'bounced' }],
      Array.from({ length: 5_001 }, () => ({ email: 'a', event: 'delivered' })),
    ];
    for (const list of bad) {
      const answer = await events(list);
      const refusal = await answer.clone().text();
      await expectRefusal(answer, 'invalid_request');
      expect(refusal).not.toContain('yesterday');
    }
    expect(await flagsOf(user)).toEqual({ unreachable: false, suppressed: false });
  });
});
