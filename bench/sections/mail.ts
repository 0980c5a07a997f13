import { openMailGround, type MailGround } from '../crossing/mail.ts';
import { median, verdict, type SectionResult } from '../figures.ts';
import { race, timeRatio, type Laps } from '../lifecycle/sides.ts';
import { buildPrograms } from '../programs.ts';
import { postgresFolder, startPostgresServer } from '../servers/stores.ts';
import { growthPercent } from './memory.ts';

const SECTION = 'mail';

export interface MailOptions {
  readonly rounds: number;
  /** Sent in one turn. */
  readonly mails: number;
  readonly beside?: string | undefined;
}

/** What sending by the outbox costs, beside nodemailer's own pool, which sends from memory. */
export async function measureMail({ rounds, mails, beside }: MailOptions): Promise<SectionResult> {
  const folder = postgresFolder();
  if (folder === undefined)
    return { section: SECTION, tables: [], verdicts: [], notes: ['left out: no Postgres is installed'] };
  const programs = await buildPrograms(beside);
  const postgres = await startPostgresServer(folder);
  console.error('measuring: mail');
  try {
    return await taken(await openMailGround(programs, postgres), rounds, mails);
  } finally {
    await postgres.stop();
  }
}

async function taken(ground: MailGround, rounds: number, mails: number): Promise<SectionResult> {
  try {
    for (const warm of [ground.job(mails / 10), ground.loop(mails / 10)]) await warm();
    const from = ground.samples.length;
    const laps = await race(
      [
        [JOB, ground.job(mails)],
        [LOOP, ground.loop(mails)],
      ],
      rounds,
    );
    return resultOf(laps, ground.samples.slice(from), mails);
  } finally {
    await ground.close();
  }
}

const JOB = 'mail-send';
const LOOP = "nodemailer's pool";

function resultOf(
  laps: Laps<typeof JOB | typeof LOOP>,
  samples: readonly number[],
  mails: number,
): SectionResult {
  const rate = 1 / timeRatio(laps, JOB, LOOP);
  const base = median(laps.get(LOOP) ?? []);
  const rows = [...laps].map(([name, all]) => [
    name,
    (median(all) / 1000).toFixed(2),
    Math.round((mails * 1000) / median(all)).toString(),
    (base / median(all)).toFixed(2),
  ]);
  return {
    section: SECTION,
    notes: [],
    tables: [
      { title: `Sending ${mails} invitations`, columns: ['by', 'seconds', 'mails/s', 'of the pool'], rows },
    ],
    verdicts: [
      verdict("mail: rate of nodemailer's own pool, as many connections", rate, { atLeast: 0.8 }),
      verdict('mail: growth of memory in the second half', growthPercent(samples), { atMost: 5 }, '%'),
    ],
  };
}
