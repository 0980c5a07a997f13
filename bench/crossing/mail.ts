import * as z from 'zod';
import { reservePort } from '../../dev/listen.ts';
import { migrate } from '../../dev/migrate.ts';
import { openDatabase, openGround } from '../../shared/deps.ts';
import { makePrivateKeys } from '../../shared/keys/signing-keys.ts';
import { openOutbox, type Outbox } from '../../shared/mail/outbox.ts';
import { sealBy } from '../../shared/mail/seal.ts';
import { compileTemplates, TEMPLATES_FOLDER } from '../../shared/mail/templates.ts';
import { sql, type Database, type Sql } from '../../shared/ports/database.ts';
import { openKeyRing } from '../../shared/sessions/keys.ts';
import { residentMiB, startChild, type Child } from '../children.ts';
import type { Side } from '../lifecycle/sides.ts';
import type { Programs } from '../programs.ts';
import type { PostgresServer } from '../servers/stores.ts';
import { mailConfig, valuesOf } from './mail-setup.ts';

/** Memory is looked at this often. */
const SAMPLE_MS = 250;
const PER_TRANSACTION = 250;

export interface MailGround {
  /** The outbox, filled beforehand, is sent. */
  job(count: number): Side;
  /** As many by nodemailer's own pool. */
  loop(count: number): Side;
  /** MiB of the sending process during the turns of the job, in order. */
  readonly samples: readonly number[];
  close(): Promise<void>;
}

/** Three processes beside this one: the sender, which takes both turns, the mail server, and Postgres. */
export async function openMailGround(programs: Programs, postgres: PostgresServer): Promise<MailGround> {
  const url = postgres.createDatabase('crossing_mail');
  await migrate(url);
  const keys = await makePrivateKeys();
  const smtpPort = await reservePort(0);
  const sink = await startProgram(programs.smtpSink, smtpPort);
  const mailer = await startProgram(programs.mailer, await reservePort(0), url, String(smtpPort), keys);
  const { database, fill } = openFilled(url, smtpPort, keys);
  const samples: number[] = [];
  const turn = async (question: string, count: number): Promise<number> => {
    const before = Number(await sink.ask('taken'));
    const { sent, ms } = Answer.parse(await mailer.ask(question));
    const taken = Number(await sink.ask('taken')) - before;
    if (sent !== count || taken !== count)
      throw new Error(`of ${count} mails ${sent} were sent, ${taken} came`);
    return ms;
  };
  return {
    samples,
    job: (count) => async () => {
      await fill(count);
      const timer = setInterval(() => samples.push(residentMiB(mailer.pid)), SAMPLE_MS);
      try {
        return await turn('job', count);
      } finally {
        clearInterval(timer);
        await database.execute(sql`truncate sallyport_outbox, sallyport_mail_pace`);
      }
    },
    loop: (count) => () => turn(`loop ${count}`, count),
    async close() {
      await mailer.stop();
      await sink.stop();
      await database.close();
    },
  };
}

const Answer = z.object({ sent: z.number(), ms: z.number() });

function startProgram(program: string, port: number, ...args: readonly string[]): Promise<Child> {
  return startChild(process.execPath, [program, String(port), ...args], { port, channel: true });
}

interface Filled {
  readonly database: Database;
  /** Puts invitations into the outbox, as a wave does. */
  readonly fill: (count: number) => Promise<void>;
}

function openFilled(url: string, smtpPort: number, keys: string): Filled {
  const ground = openGround({ logLevel: 'silent' });
  const database = openDatabase({ database: { kind: 'url', url, endpoint: null } }, ground);
  if (database === null) throw new Error('the bench needs a database');
  const outbox = openOutbox({
    ...{ ...ground, database, mail: mailConfig(smtpPort), nudge: () => undefined },
    templates: compileTemplates(ground.platform.readFolder(TEMPLATES_FOLDER)),
    brand: { product: 'Bench', supportEmail: null, guideUrl: null },
    seal: sealBy(openKeyRing({ keys })),
  });
  return {
    database,
    async fill(count) {
      for (let at = 0; at < count; at += PER_TRANSACTION) {
        const some = Array.from({ length: Math.min(PER_TRANSACTION, count - at) }, (_, n) => at + n);
        await database.transaction(await Promise.all(some.map((n) => enqueue(outbox, n))));
      }
      await database.execute(sql`analyze sallyport_outbox`);
    },
  };
}

function enqueue(outbox: Outbox, n: number): Promise<Sql> {
  const { to, ...values } = valuesOf(n);
  return outbox.enqueue({ kind: 'invitation', to, tenant: null, values });
}
