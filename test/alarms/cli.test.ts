import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { sql } from '../../shared/ports/database.ts';
import { makeTenant } from '../auth/people.ts';
import { field } from '../mail/stage.ts';
import { startSmtp, type SmtpService } from '../services/smtp.ts';
import { DATABASE, type MigratedDatabase } from '../support/databases.ts';
import { sallyport } from '../support/sallyport.ts';

describe('the jobs of alarms, as a command', () => {
  let db: MigratedDatabase;
  let smtp: SmtpService;
  beforeAll(async () => {
    [db, smtp] = await Promise.all([DATABASE.start(), startSmtp()]);
    const { tenantId } = await makeTenant(db.database);
    await db.database.execute(
      sql`update tenants set name = 'Acme <&> Co' where tenant_id = ${tenantId}::uuid`,
    );
    await db.database
      .execute(sql`insert into users (tenant_id, email, password_hash, full_name, auth_method, migration_completed_at)
      select ${tenantId}::uuid, i || '@example.org', 'x', 'N', 'dual', case when i <= 5 then now() - interval '1 day' * i end
      from generate_series(1, 20) i`);
  });
  afterAll(async () => {
    await smtp.close();
    await db.close();
  });

  const job = async (name: string, more: Readonly<Record<string, string>> = {}) => {
    const variables = {
      DATABASE_URL: db.url,
      FUNCTIONS: 'analytics',
      MAIL_URL: `smtp://127.0.0.1:${smtp.port}?tls=off`,
      MAIL_FROM: 'Example <no-reply@example.org>',
      PRODUCT_NAME: 'Inventory',
      PUBLIC_URL: 'https://app.example.org',
      ALERT_EMAIL: 'oncall@example.org',
      ...more,
    };
    const { code, stdout, stderr } = await sallyport(variables, 'cron', 'run', name, '--json');
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    return JSON.parse(stdout) as unknown;
  };
  const decoded = (raw: string): string =>
    raw
      .replaceAll('=\r\n', '')
      .replaceAll(/(?:=[0-9A-F]{2})+/g, (bytes) => Buffer.from(bytes.replaceAll('=', ''), 'hex').toString());

  it('mails the week with its bars in text and in HTML, and nothing that would be fetched', async () => {
    expect(await job('weekly-report')).toMatchObject({ state: 'no figures yet' });
    await job('figures-rollup');
    expect(await job('weekly-report')).toMatchObject({ mailed: 1 });
    expect(await job('weekly-report')).toMatchObject({ mailed: 0 });
    await job('mail-send');
    expect(smtp.received.length).toBe(1);
    const { raw, to } = smtp.received[0] ?? { raw: '', to: [] };
    expect(to).toEqual(['oncall@example.org']);
    expect(field(raw, 'Subject')).toMatch(
      /^The move at Inventory, \d{4}-\d\d-\d\d to \d{4}-\d\d-\d\d: 25\.0 % across$/,
    );
    const mail = decoded(raw);
    expect(mail).toContain('██████░░░░░░░░░░░░░░░░░░ Acme <&> Co: 5 of 20');
    expect(mail).toContain('Acme &lt;&amp;&gt; Co: 5 of 20');
    expect(mail).toContain('Migration rate: 25 %, target 95 % in 60 days, not met');
    expect(mail).toContain('First sign-ins by the provider: 5');
    expect(mail).toContain('https://app.example.org/analytics');
    expect(mail).not.toMatch(/<img|<svg|src=|\{\{/);
  });

  it('mails an alarm without figures, too', async () => {
    expect(await job('weekly-report', { FUNCTIONS: '' })).toMatchObject({
      state: expect.stringContaining('not wanted') as unknown,
    });
    await db.database
      .execute(sql`insert into sallyport_outbox (id, message_id, kind, template, recipient, content, urgent, created_at, due_at)
      select gen_random_uuid(), '<a@example.org>', 'invitation', digest, 'alice@example.org', '{}', false, now() - interval '2 hours', now() + interval '1 day'
      from sallyport_mail_templates limit 1`);
    expect(await job('alarms', { FUNCTIONS: '' })).toMatchObject({ raised: ['mail-queue'], mailed: 1 });
    await job('mail-send');
    const mail = decoded(smtp.received[1]?.raw ?? '');
    expect(field(mail, 'Subject')).toBe('Alarm at Inventory: mails have waited for more than an hour');
    expect(mail).toContain('the oldest mail has waited for 120 minutes');
    expect(mail).not.toContain('alice@example.org');
  });
});
