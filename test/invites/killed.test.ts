/**
 * Processes of the jobs wave-reminders and mail-send die by SIGKILL: at a random statement to Postgres, or
 * when the mail server has a whole mail and has not answered yet; first while a wave starts and invites, then while it reminds. Nothing waits
 * for a time, so a seed kills at the same places each time.
 */
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { findWave } from '../../shared/invitations/waves.ts';
import { sql } from '../../shared/ports/database.ts';
import { field } from '../mail/stage.ts';
import { Border, type Fate } from '../support/border.ts';
import { bundled, type Bundled } from '../support/bundled.ts';
import { crossToPostgres } from '../support/crossing-postgres.ts';
import type { Crossing } from '../support/crossing.ts';
import { DATABASE } from '../support/databases.ts';
import { FULL } from '../support/scale.ts';
import { seeded } from '../support/seeded.ts';
import { PUBLIC_URL, SESSION_KEYS, setWaves } from './stage.ts';

const KILLS = 40;
/** By the pace of the wave: so many mails of one process, and some thirty statements. */
const AT_A_TIME = 4;
const WITHIN = 32;
/** Connections of one process. */
const LINES = 5;
const FATES: readonly Fate[] = ['lost', 'unanswered', 'answered'];

// test/mail/killed.test.ts has the outbox of it each time.
describe.skipIf(!FULL)('a wave under SIGKILL (in the full form alone)', () => {
  const border = new Border();
  const random = seeded(20261128);
  const w = setWaves(DATABASE);
  let crossing: Crossing;
  let command: Bundled;
  beforeAll(async () => {
    crossing = await crossToPostgres(w.db.url, border);
    command = await bundled(fileURLToPath(new URL('killed.child.ts', import.meta.url)));
  });
  afterAll(async () => {
    await command.close();
    await crossing.close();
  });

  /** One process; true when it was killed. */
  async function run(kill: 'none' | 'at a statement' | 'at a mail'): Promise<boolean> {
    const variables = {
      DATABASE_URL: crossing.url,
      SMTP_PORT: String(w.smtp.port),
      SESSION_KEYS,
      PUBLIC_URL,
    };
    const child = command.spawn(variables);
    const strike = (): void => void child.kill('SIGKILL');
    if (kill === 'at a statement') border.arm(1 + random(WITHIN), FATES[random(FATES.length)]!, strike);
    else border.arm(Infinity, 'lost', strike);
    let before = kill === 'at a mail' ? random(AT_A_TIME) : Infinity;
    w.smtp.behave((mail) => {
      if (mail === undefined || before-- !== 0) return 'accept';
      border.strike();
      return random(2) === 0 ? 'take and close' : 'close after data';
    });
    const [code, signal] = (await once(child, 'exit')) as [number | null, string | null];
    expect([0, 'SIGKILL']).toContain(code ?? signal);
    await crossing.settled();
    // Leases end and windows of the pace pass.
    await w.db.database.execute(
      sql`update sallyport_outbox set lease_until = now(), due_at = now() where status = 'pending'`,
    );
    await w.stage.passed('61 seconds');
    return signal === 'SIGKILL';
  }

  /** Kills some, and then lets processes work until nothing is left to mail. Returns how many were killed. */
  async function through(kills: number): Promise<number> {
    let killed = 0;
    for (let n = 0; killed < kills && n < 3 * kills; n += 1)
      if (await run(random(3) === 0 ? 'at a mail' : 'at a statement')) killed += 1;
    border.disarm();
    // What was sent is settled by the process after it, which finds no room for more.
    for (let idle = 0; idle < 2;) {
      const before = w.smtp.received.length;
      await run('none');
      idle = w.smtp.received.length === before ? idle + 1 : 0;
    }
    return killed;
  }

  /** Each of the people has one mail, of which there are two alike at most; who has none may have got one, and it is said. */
  async function expectOneEach(people: number, killed: number): Promise<void> {
    const raws = new Map<string, string[]>();
    const ids = new Map<string, Set<string>>();
    for (const { to, raw } of w.smtp.received) {
      const id = field(raw, 'Message-ID')!;
      raws.set(id, [...(raws.get(id) ?? []), raw]);
      for (const each of to) ids.set(each, (ids.get(each) ?? new Set()).add(id));
    }
    const doubtful = await w.texts(sql`select recipient as text from sallyport_outbox
      where status = 'dead' and unanswered = 2 and last_error = 'sent twice without an answer: it may have arrived'`);
    expect(new Set([...ids.keys(), ...doubtful]).size).toBe(people);
    for (const [to, mails] of ids) expect([to, mails.size]).toEqual([to, 1]);
    for (const [id, copies] of raws) {
      expect(copies.length, id).toBeLessThanOrEqual(2);
      expect(new Set(copies).size, id).toBe(1);
    }
    const extra = [...raws.values()].reduce((sum, copies) => sum + copies.length - 1, 0);
    expect(extra).toBeLessThanOrEqual(killed * LINES);
    expect(killed).toBeGreaterThanOrEqual(KILLS / 4);
  }

  it(
    `${KILLS} times: everybody is invited and reminded once, with at most a second copy that is alike`,
    { timeout: 3_600_000 },
    async () => {
      const people = (KILLS / 2) * AT_A_TIME;
      await w.stage.tenant('acme');
      await w.stage.people('acme', people);
      await w.stage.plan('one', { remind: '7d', rate: `${AT_A_TIME}/60s` });
      await expectOneEach(people, await through(KILLS / 2));
      expect(await findWave(w.db.database, 'one')).toMatchObject({ state: 'running', taken: people });
      await w.db.database.execute(sql`delete from sallyport_outbox where status = 'dead'`);
      const mailed = await w.count(
        sql`select count(*)::int as count from sallyport_invitations where mailed_at is not null`,
      );
      w.cleared();
      await w.stage.passed('8 days');
      await expectOneEach(mailed ?? 0, await through(KILLS / 2));
    },
  );
});
