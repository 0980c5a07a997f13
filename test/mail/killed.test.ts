/**
 * 200 processes that send mails (fewer unless run in full) die by SIGKILL: at a random statement to Postgres (before it is carried out,
 * after it without its answer, or with it), or when the mail server has a whole mail and has not answered yet. Nothing waits
 * for a time, so a seed kills at the same places each time.
 */
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { sql } from '../../shared/ports/database.ts';
import { startSmtp, type SmtpService } from '../services/smtp.ts';
import { Border, type Fate } from '../support/border.ts';
import { bundled, type Bundled } from '../support/bundled.ts';
import { crossToPostgres } from '../support/crossing-postgres.ts';
import type { Crossing } from '../support/crossing.ts';
import { DATABASE, type MigratedDatabase } from '../support/databases.ts';
import { times } from '../support/scale.ts';
import { seeded } from '../support/seeded.ts';
import { field, instance, invitation, put, rowsOf } from './stage.ts';

const KILLS = times(200, 3);
const PER_KILL = 4;
/** Statements that a process lives for, at most: each mail takes some three. */
const WITHIN = 24;
/** Connections of one process. */
const LINES = 5;
const FATES: readonly Fate[] = ['lost', 'unanswered', 'answered'];

describe('mail under SIGKILL', () => {
  const border = new Border();
  const random = seeded(20260103);
  let db: MigratedDatabase;
  let smtp: SmtpService;
  let crossing: Crossing;
  let command: Bundled;
  beforeAll(async () => {
    [db, smtp] = await Promise.all([DATABASE.start(), startSmtp()]);
    crossing = await crossToPostgres(db.url, border);
    command = await bundled(fileURLToPath(new URL('killed.child.ts', import.meta.url)));
  });
  afterAll(async () => {
    await command.close();
    await crossing.close();
    await smtp.close();
    await db.close();
  });

  /** One process; true when it was killed. */
  async function run(kill: 'none' | 'at a statement' | 'at a mail'): Promise<boolean> {
    const child = command.spawn({ DATABASE_URL: crossing.url, SMTP_PORT: String(smtp.port) });
    const strike = (): void => void child.kill('SIGKILL');
    if (kill === 'at a statement') border.arm(1 + random(WITHIN), FATES[random(FATES.length)]!, strike);
    else border.arm(Infinity, 'lost', strike);
    let before = kill === 'at a mail' ? random(PER_KILL * 2) : Infinity;
    smtp.behave((mail) => {
      if (mail === undefined || before-- !== 0) return 'accept';
      // By the border, so that it keeps no connection of the dead process.
      border.strike();
      return random(2) === 0 ? 'take and close' : 'close after data';
    });
    const [code, signal] = (await once(child, 'exit')) as [number | null, string | null];
    expect([0, 'SIGKILL']).toContain(code ?? signal);
    await crossing.settled();
    return signal === 'SIGKILL';
  }

  const leasesOut = () =>
    db.database.execute(
      sql`update sallyport_outbox set lease_until = now(), due_at = now() where status = 'pending'`,
    );

  it(`${KILLS} times: nobody is lost, no mail has a second copy too many, and all copies are alike`, async () => {
    const { outbox } = instance(db.database, smtp.port);
    const count = KILLS * PER_KILL;
    for (let n = 0; n < count; n += 1) await put(db.database, outbox, invitation(n));
    let kills = 0;
    for (let n = 0; kills < KILLS && n < 3 * KILLS; n += 1) {
      if (await run(random(3) === 0 ? 'at a mail' : 'at a statement')) kills += 1;
      await leasesOut();
    }
    border.disarm();
    while ((await rowsOf(db.database)).some(({ status }) => status === 'pending')) {
      await run('none');
      await leasesOut();
    }
    const copies = new Map<string, string[]>();
    for (const { raw } of smtp.received) {
      const id = field(raw, 'Message-ID')!;
      copies.set(id, [...(copies.get(id) ?? []), raw]);
    }
    const lost = (await rowsOf(db.database)).filter(
      ({ recipient, status }) => status === 'sent' && !smtp.received.some(({ to }) => to.includes(recipient)),
    );
    expect(lost).toEqual([]);
    for (const row of (await rowsOf(db.database)).filter(({ status }) => status === 'dead'))
      expect(row).toMatchObject({
        unanswered: 2,
        last_error: 'sent twice without an answer: it may have arrived',
      });
    for (const [id, raws] of copies) {
      expect(raws.length, id).toBeLessThanOrEqual(2);
      expect(new Set(raws).size, id).toBe(1);
    }
    const extra = [...copies.values()].reduce((sum, raws) => sum + raws.length - 1, 0);
    expect(extra).toBeLessThanOrEqual(kills * LINES);
    expect(kills).toBeGreaterThan(KILLS / 2);
  });
});
