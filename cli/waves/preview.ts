import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import * as z from 'zod';
import { BRAND, isMailAddress, MAIL } from '../../shared/configuration/mail.ts';
import { MIGRATION } from '../../shared/configuration/providers.ts';
import { openMailServer } from '../../shared/deps.ts';
import { isTaken } from '../../shared/invitations/cohort.ts';
import { mailOfStep, type StepDue } from '../../shared/invitations/mailing.ts';
import { PEOPLE } from '../../shared/invitations/people.ts';
import { remindersOf } from '../../shared/invitations/steps.ts';
import type { Wave } from '../../shared/invitations/wave.ts';
import { previewMail, type PreviewDeps } from '../../shared/mail/render.ts';
import { deadlineOf } from '../../shared/people/tenants.ts';
import { sql, type Database } from '../../shared/ports/database.ts';
import { MailUnavailable, type MailServer, type OutgoingMail } from '../../shared/ports/mail.ts';
import { Failure, UsageError } from '../failure.ts';
import { withGround, type CommandGround } from '../ground.ts';
import { orUnwritable } from '../input.ts';
import { print, printJson } from '../terminal.ts';
import { OWN_URL, usableTemplates, waveNamed, withMail } from './ground.ts';

export interface PreviewCommand {
  readonly to?: string;
  readonly out?: string;
  readonly json?: boolean;
}

/** A mail of a wave as one of its people would get it, with a link that leads nowhere. */
interface Sample {
  readonly tenant: string;
  readonly step: string;
  readonly mail: OutgoingMail;
}

/** Checks the templates, and prints the mails of a wave, writes them as files, or sends the invitation to one address. */
export async function runPreview(name: string, { to, out, json }: PreviewCommand): Promise<void> {
  if (to !== undefined && !isMailAddress(to)) throw new UsageError(`${to} is no address of mail`);
  await withGround(MAIL.and(BRAND).and(MIGRATION).and(OWN_URL), async (config, ground) => {
    const deps: PreviewDeps = {
      templates: usableTemplates(),
      mail: withMail(config.mail),
      brand: config.brand,
    };
    const wave = await waveNamed(ground.database, name);
    const { publicUrl, migration } = config;
    const samples = await samplesOf(wave, ground, deps, { publicUrl, provider: migration.provider });
    if (out !== undefined) await writeAll(out, samples);
    const sent = to === undefined ? [] : samples.slice(0, 1);
    for (const { mail } of sent) await send({ ...mail, to: to ?? mail.to }, openMailServer(config, ground));
    if (json === true)
      printJson({
        wave: name,
        out: out ?? null,
        sent_to: to ?? null,
        mails: samples.map(({ tenant, step, mail }) => ({ tenant, step, subject: mail.subject })),
      });
    else report(samples, to, out);
  });
}

type Links = Parameters<typeof mailOfStep>[2];

const PersonRow = z.object({
  userId: z.string(),
  email: z.string(),
  fullName: z.string().nullable(),
  tenant: z.string(),
  language: z.string().nullable(),
  deadline: z.date().nullable(),
});

/** One for each template that the wave uses, with a person of the first tenant that uses it. */
async function samplesOf(
  wave: Wave,
  { database, clock }: CommandGround,
  deps: PreviewDeps,
  links: Links,
): Promise<Sample[]> {
  const steps = ['invite', ...remindersOf(wave.remind).map(({ step }) => step)];
  const seen = new Set<string>();
  const date = new Date(clock.now());
  return (await peopleOf(wave, database)).flatMap((person) =>
    steps.flatMap((step) => {
      const due: StepDue = { ...person, invitationId: 'preview', waveId: wave.id, step };
      const mail = mailOfStep(due, 'preview', links);
      const key = `${step} ${deps.templates.find(mail.kind, mail.tenant, mail.languages).digest}`;
      if (seen.has(key)) return [];
      seen.add(key);
      return [{ tenant: person.tenant, step, mail: previewMail(mail, date, deps) }];
    }),
  );
}

/** One person of each tenant; a placeholder for a wave without people. */
async function peopleOf(wave: Wave, database: Database): Promise<z.output<typeof PersonRow>[]> {
  const members =
    wave.state === 'planned'
      ? sql`(select u.user_id from tenants o cross join lateral (
            select u.user_id from ${PEOPLE} where u.tenant_id = o.tenant_id and ${isTaken(wave.cohort, wave.inviteCode)} limit 1) u)`
      : sql`(select user_id from sallyport_invitations where wave_id = ${wave.id}::uuid)`;
  const people = await database.query(
    sql`select distinct on (t.slug) u.user_id as "userId", u.email, u.full_name as "fullName", t.slug as tenant,
          t.settings ->> 'language' as language, least(${wave.deadline}::timestamptz, ${deadlineOf(sql`t.tenant_id`)}) as deadline
        from ${members} as member join users u on u.user_id = member.user_id join tenants t on t.tenant_id = u.tenant_id
        order by t.slug, u.user_id`,
    PersonRow,
  );
  const nobody = { userId: '', email: 'alice@example.org', fullName: 'Alice', tenant: '', language: null };
  return people.length > 0 ? people : [{ ...nobody, deadline: wave.deadline }];
}

async function writeAll(folder: string, samples: readonly Sample[]): Promise<void> {
  await orUnwritable(folder, () => mkdir(folder, { recursive: true }));
  for (const sample of samples) {
    const base = join(folder, fileName(sample));
    const text = `Subject: ${sample.mail.subject}\n\n${sample.mail.text}`;
    await orUnwritable(`${base}.txt`, () => writeFile(`${base}.txt`, text));
    await orUnwritable(`${base}.html`, () => writeFile(`${base}.html`, sample.mail.html));
  }
}

const fileName = ({ tenant, step }: Sample): string => [tenant, step].filter((part) => part !== '').join('-');

async function send(mail: OutgoingMail, server: MailServer | null): Promise<void> {
  if (server === null) throw new Failure('no mail server is configured');
  const line = await server.connect().catch((error: unknown) => {
    throw error instanceof MailUnavailable ? new Failure(error.message, { cause: error }) : error;
  });
  try {
    const { result, reason } = await line.send(mail, () => Promise.resolve());
    if (result !== 'accepted') throw new Failure(`the mail server did not take it: ${reason}`);
  } finally {
    line.close();
  }
}

function report(samples: readonly Sample[], to: string | undefined, out: string | undefined): void {
  if (out !== undefined) print(`${samples.length} mails in ${out}, each as .txt and .html`);
  if (to !== undefined) print(`sent to ${to}: ${samples[0]?.mail.subject ?? ''}`);
  if (out !== undefined || to !== undefined) return;
  for (const sample of samples)
    print(`--- ${fileName(sample)}\nSubject: ${sample.mail.subject}\n\n${sample.mail.text}`);
}
