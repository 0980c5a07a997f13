import { beforeEach, describe, expect, it } from 'vitest';
import * as z from 'zod';
import { listMails, retryMails } from '../../functions/mail/manage.ts';
import { pruneJob } from '../../functions/mail/prune.ts';
import { recordMailEvents } from '../../shared/mail/outcomes.ts';
import { sql } from '../../shared/ports/database.ts';
import { makeUser, type MadeUser } from '../auth/people.ts';
import { DATABASE } from '../support/databases.ts';
import { sallyport } from '../support/sallyport.ts';
import { dueNow, instance, invitation, put, RESET, rowsOf, setMail } from './stage.ts';

const Flags = z.object({ flags: z.record(z.string(), z.unknown()) });
const says = (part: string) => expect.stringContaining(part) as unknown as string;

describe('sallyport mail', () => {
  const at = setMail(DATABASE);
  /** One sent, one that was refused, one whose answer is missing twice, one that waits while the migration is paused. */
  beforeEach(async () => {
    const { outbox, send } = instance(at.db.database, at.smtp.port);
    await put(at.db.database, outbox, RESET);
    await send();
    at.smtp.behave({ at: 'rcpt', code: 554, text: 'our fault' });
    await put(at.db.database, outbox, invitation(1));
    await send();
    at.smtp.behave('close after data');
    await put(at.db.database, outbox, invitation(2));
    for (let attempt = 0; attempt < 3; attempt += 1) {
      await send();
      await dueNow(at.db.database);
    }
    at.smtp.behave('accept');
    await put(at.db.database, outbox, invitation(3));
    await at.db.database.execute(
      sql`insert into sallyport_switches (name, who) values ('migration', 'test')`,
    );
  });

  const mail = (...args: string[]) => sallyport({ DATABASE_URL: at.db.url }, 'mail', ...args);
  const idOf = async (to: string): Promise<string> => (await listMails(at.db.database, { to }, 1))[0]!.id;
  const changed = async (...args: string[]): Promise<{ dry_run: boolean; mails: string[] }> => {
    const { code, stdout, stderr } = await mail(...args, '--json');
    expect([code, stderr]).toEqual([0, '']);
    return JSON.parse(stdout) as { dry_run: boolean; mails: string[] };
  };

  it('list shows each mail with its state and why, by state, kind and address', async () => {
    const { stdout } = await mail('list', '--json');
    const states = (JSON.parse(stdout) as { status: string }[]).map(({ status }) => status);
    expect(states).toEqual(['held', 'dead', 'dead', 'sent']);
    const dead = await mail('list', '--status', 'dead', '--to', 'USER-1@example.org');
    expect(dead).toMatchObject({ code: 0, stderr: '', stdout: says('(554 our fault)') });
    const ofKind = await mail('list', '--kind', 'password-reset', '--since', '1h');
    expect(ofKind.stdout).toMatch(/^\S+ \S+ sent {4}password-reset to alice@example\.org\n$/);
    expect(await mail('list', '--since', '2099-01-01')).toMatchObject({ stdout: 'no mails\n' });
  });

  it('show prints the way of a mail, and no link of it', async () => {
    const { code, stdout } = await mail('show', await idOf('user-3@example.org'), '--json');
    expect(code).toBe(0);
    expect(JSON.parse(stdout)).toMatchObject({
      message_id: '<wave-1-3@example.org>',
      status: 'held',
      held_by: ['migration'],
    });
    expect(stdout).not.toContain('invites/t3');
    const unknown = '00000000-0000-4000-8000-000000000000';
    expect(await mail('show', unknown)).toMatchObject({ code: 1, stderr: says(`no mail ${unknown}`) });
  });

  it('retry sends what was refused with the same link; what may have arrived only by its id', async () => {
    await at.db.database.execute(sql`delete from sallyport_switches`);
    const [refused, doubtful] = [await idOf('user-1@example.org'), await idOf('user-2@example.org')];
    expect(await changed('retry', '--dead', '--dry-run')).toEqual({ dry_run: true, mails: [refused] });
    expect(await changed('retry', '--dead')).toEqual({ dry_run: false, mails: [refused] });
    expect(await changed('retry', doubtful)).toEqual({ dry_run: false, mails: [doubtful] });
    const { send } = instance(at.db.database, at.smtp.port);
    expect(await send()).toMatchObject({ sent: 3 });
    const raws = at.smtp.received.map(({ raw }) => raw).join('\n');
    for (const n of [1, 2]) expect(raws).toContain(`https://app.example.org/invites/t${n}`);
    expect(await mail('retry', refused)).toMatchObject({ code: 1, stderr: says('was sent') });
  });

  it('retry does nothing to what has not failed, and needs to be told which', async () => {
    const waiting = await idOf('user-3@example.org');
    expect(await mail('retry', waiting)).toMatchObject({ code: 1, stderr: says('has not failed') });
    expect(await mail('retry')).toMatchObject({ code: 2 });
    expect(await mail('retry', waiting, '--dead')).toMatchObject({ code: 2 });
    expect(await mail('drop', waiting, '--kind', 'invitation')).toMatchObject({ code: 2 });
  });

  it('drop ends a mail that waits, keeps its record, and there is no way back', async () => {
    const waiting = await idOf('user-3@example.org');
    expect(await changed('drop', waiting, '--dry-run')).toEqual({ dry_run: true, mails: [waiting] });
    expect(await changed('drop', waiting)).toEqual({ dry_run: false, mails: [waiting] });
    const row = (await rowsOf(at.db.database)).find(({ recipient }) => recipient === 'user-3@example.org');
    expect(row).toMatchObject({ status: 'dead', content: null, last_error: says('dropped by ') });
    expect(await mail('retry', waiting)).toMatchObject({ code: 1, stderr: says('its contents are gone') });
    expect((await changed('drop', '--dead')).mails).toHaveLength(2);
    expect((await changed('drop', '--dead')).mails).toEqual([]);
  });

  it('allow lets mail go to an address again that a bounce has stopped, and no longer lists its people as out of reach', async () => {
    const [carol, dave] = [
      await makeUser(at.db.database, { email: 'carol@example.org' }),
      await makeUser(at.db.database),
    ];
    await at.db.database
      .execute(sql`insert into sallyport_people (user_id, flags) select user_id, '{"unreachable": true, "password": "odd"}'
      from unnest(${[carol.userId, dave.userId]}::uuid[]) as given (user_id)`);
    await recordMailEvents(at.db.database, [
      { messageId: null, email: 'carol@example.org', event: 'bounced', detail: '', at: new Date() },
    ]);
    const allow = async (...args: string[]): Promise<unknown> =>
      JSON.parse((await mail('allow', 'Carol@Example.org', '--json', ...args)).stdout);
    expect(await allow('--dry-run')).toEqual({ dry_run: true, changed: true });
    expect(await allow()).toEqual({ dry_run: false, changed: true });
    expect(await allow()).toEqual({ dry_run: false, changed: false });
    expect(await flagsOf(carol)).toEqual({ password: 'odd' });
    expect(await flagsOf(dave)).toEqual({ unreachable: true, password: 'odd' });
    const { outbox, send } = instance(at.db.database, at.smtp.port);
    await put(at.db.database, outbox, { ...RESET, to: 'carol@example.org' });
    expect(await send()).toMatchObject({ sent: 1 });
  });

  const flagsOf = async ({ userId }: MadeUser) =>
    (await at.db.database.query(sql`select flags from sallyport_people where user_id = ${userId}`, Flags))[0]
      ?.flags;

  it('what was set aside can be sent again for a week, then its contents go and the record stays', async () => {
    const prune = async () =>
      pruneJob(at.db.database).run({
        signal: new AbortController().signal,
        dryRun: false,
      });
    expect(await prune()).toMatchObject({ forgotten: 0, pruned: 0, complete: true });
    await at.db.database.execute(sql`update sallyport_outbox set created_at = now() - interval '8 days'`);
    expect(await prune()).toMatchObject({ forgotten: 2, pruned: 0, complete: true });
    expect((await rowsOf(at.db.database)).map(({ status }) => status).toSorted()).toEqual([
      ...['dead', 'dead', 'pending', 'sent'],
    ]);
    expect(await retryMails(at.db.database, { status: 'dead' }, false)).toEqual([]);
  });
});
