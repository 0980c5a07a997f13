import { randomUUID } from 'node:crypto';
import { beforeEach } from 'vitest';
import * as z from 'zod';
import { generateKeys } from '../../cli/keys.ts';
import { driveWaves, type Driven, type WavesDeps } from '../../functions/invites/waves.ts';
import { parseRemind, parseStopWhen } from '../../shared/invitations/steps.ts';
import type { Cohort, Wave } from '../../shared/invitations/wave.ts';
import { startWave } from '../../shared/invitations/start.ts';
import { createWave, findWave } from '../../shared/invitations/waves.ts';
import { sealBy } from '../../shared/mail/seal.ts';
import { countCohort, type CohortCounts } from '../../shared/invitations/cohort-counts.ts';
import { sql, type Database, type Sql } from '../../shared/ports/database.ts';
import { sessionKeys, type KeyRing } from '../../shared/sessions/keys.ts';
import { instance, mailConfig, setMail, type Instance, type MailTests } from '../mail/stage.ts';
import type { DatabaseKind } from '../support/databases.ts';

export const PUBLIC_URL = 'https://app.example.org';
export const EVERYBODY: Cohort = {
  tenants: null,
  percent: null,
  role: null,
  activeWithinMs: null,
  limit: null,
};
export const BY = { who: 'operator', from: 'cli' };

export const SESSION_KEYS = JSON.stringify(await generateKeys());
const keys = sessionKeys(SESSION_KEYS);
export const keyRing: KeyRing = { current: () => Promise.resolve(keys) };

/** Of a command, or of a bundle, whose people go to Zitadel. */
export function waveVariables(url: string, port: number): Readonly<Record<string, string>> {
  return {
    ...{ DATABASE_URL: url, FUNCTIONS: 'auth,invites', PUBLIC_URL, SESSION_KEYS },
    ...{ MAIL_URL: `smtp://127.0.0.1:${port}?tls=off`, MAIL_FROM: 'Example <no-reply@example.org>' },
    ...{
      MIGRATION_PROVIDER: 'zitadel',
      ZITADEL_ISSUER_URL: 'https://auth.example.org',
      ZITADEL_AUDIENCE: 'api',
    },
  };
}

export interface PersonOptions {
  readonly role?: string;
  readonly status?: string;
  readonly provisioned?: boolean;
  readonly name?: string | null;
}

export interface WaveOptions {
  readonly cohort?: Partial<Cohort>;
  readonly inviteCode?: boolean;
  readonly startAt?: Date;
  readonly deadline?: Date | null;
  readonly remind?: string;
  readonly rate?: string | null;
  readonly stopWhen?: string;
}

/** Waves on a database of the tests, and an outbox whose mails go to a server of the tests. */
export interface WaveStage {
  readonly mailing: Instance;
  tenant(slug: string, settings?: object): Promise<string>;
  person(tenant: string, email: string, options?: PersonOptions): Promise<string>;
  /** `user-1@…` and so on. */
  people(tenant: string, count: number, from?: number): Promise<void>;
  plan(name: string, options?: WaveOptions): Promise<Wave>;
  /** Planned and started now. */
  begin(name: string, options?: WaveOptions): Promise<Wave>;
  /** One round of the job, as of one instance. */
  drive(deps?: Partial<WavesDeps>): Promise<Driven | 'paused'>;
  /** Rounds and the sender in turn, until no mail is left. */
  run(): Promise<void>;
  state(name: string): Promise<string>;
  /** Moves everything that a wave recorded into the past. */
  passed(interval: string): Promise<void>;
}

const Id = z.object({ id: z.string() });

export function waveStage(database: Database, port: number, rate?: string): WaveStage {
  const mailing = instance(database, port, { seal: sealBy(keyRing), ...(rate !== undefined && { rate }) });
  const deps: WavesDeps = {
    database,
    outbox: { ...mailing.outbox, nudge: () => undefined },
    keyRing,
    mail: mailConfig(port),
    publicUrl: PUBLIC_URL,
    provider: 'kanidm',
    log: { debug: () => undefined, info: () => undefined, warn: () => undefined, error: () => undefined },
    pause: () => Promise.resolve(),
  };
  const plan = async (name: string, options: WaveOptions = {}): Promise<Wave> => {
    const { cohort, startAt = new Date(0), deadline = null, remind, rate: pace = null, stopWhen } = options;
    await createWave(
      database,
      {
        ...{ name, startAt, deadline, rate: pace, inviteCode: options.inviteCode ?? false },
        cohort: { ...EVERYBODY, ...cohort },
        remind: remind === undefined ? [] : parseRemind(remind)!,
        stopWhen: stopWhen === undefined ? [] : parseStopWhen(stopWhen)!,
      },
      BY,
    );
    return (await findWave(database, name))!;
  };
  const drive: WaveStage['drive'] = (over = {}) => {
    const once = new AbortController();
    const pause = async (): Promise<void> => {
      once.abort();
      return Promise.resolve();
    };
    return driveWaves(once.signal, { ...deps, pause, ...over });
  };
  return {
    mailing,
    async tenant(slug, settings = {}) {
      const [row] = await database.query(
        sql`insert into tenants (name, slug, settings) values (${slug}, ${slug}, ${JSON.stringify(settings)}::jsonb) returning tenant_id as id`,
        Id,
      );
      return row!.id;
    },
    async person(tenant, email, options = {}) {
      const { role = 'user', status = 'active', provisioned = true, name = `Name of ${email}` } = options;
      const id = randomUUID();
      await database.execute(sql`
        insert into users (user_id, tenant_id, email, password_hash, full_name, role, status, kanidm_user_id, auth_method)
        select ${id}::uuid, tenant_id, ${email}, '', ${name}, ${role}, ${status}, ${provisioned ? id : null}::uuid,
          ${provisioned ? 'dual' : 'password'} from tenants where slug = ${tenant}`);
      return id;
    },
    async people(tenant, count, from = 1) {
      await database.execute(sql`
        insert into users (user_id, tenant_id, email, password_hash, full_name, kanidm_user_id, auth_method)
        select id, tenant_id, 'user-' || n || '@' || slug || '.example.org', '', 'User ' || n, id, 'dual'
        from tenants, lateral (select n, gen_random_uuid() as id from generate_series(${from}::int, ${from + count - 1}::int) n) as each where slug = ${tenant}`);
    },
    plan,
    async begin(name, options) {
      await startWave(database, await plan(name, options), BY);
      return (await findWave(database, name))!;
    },
    drive,
    async run() {
      for (let sent = 1; sent > 0;) {
        await drive();
        sent = (await mailing.send()).sent;
      }
      await drive();
    },
    async state(name) {
      return (await findWave(database, name))?.state ?? 'none';
    },
    async passed(interval) {
      const by = sql`${interval}::interval`;
      await database.transaction([
        sql`update users set created_at = created_at - ${by}`,
        sql`update sallyport_waves set start_at = start_at - ${by}, started_at = started_at - ${by}, judged_since = judged_since - ${by}`,
        sql`update sallyport_invitations set created_at = created_at - ${by}, queued_at = queued_at - ${by}, mailed_at = mailed_at - ${by},
              accepted_at = accepted_at - ${by}`,
        sql`update sallyport_invitation_steps set created_at = created_at - ${by}, settled_at = settled_at - ${by}, sent_at = sent_at - ${by},
              expires_at = expires_at - ${by}`,
      ]);
    },
  };
}

export async function emptied(database: Database): Promise<void> {
  for (const statement of [
    sql`truncate sallyport_outbox, sallyport_mail_pace, sallyport_mail_suppressed, sallyport_waves, sallyport_invitations, sallyport_invitation_steps`,
    sql`truncate sallyport_switches, sallyport_audit, sallyport_tickets`,
    sql`delete from sallyport_leases`,
    sql`delete from tenants`,
  ])
    await database.execute(statement);
}

/** What tests of waves work with. */
export interface WaveTests extends MailTests {
  readonly stage: WaveStage;
  /** Addresses that got a mail, one for each. */
  mailed(): string[];
  cleared(): void;
  /** The column `text`. */
  texts(statement: Sql): Promise<(string | null)[]>;
  /** The column `count`. */
  count(statement: Sql): Promise<number | undefined>;
  peopleOf(wave: string): Promise<(string | null)[]>;
  counted(cohort?: Partial<Cohort>, inviteCode?: boolean): Promise<CohortCounts>;
}

const Text = z.object({ text: z.string().nullable() });
const Count = z.object({ count: z.number() });

/** A database and a mail server for the tests around it, both empty before each of them. */
export function setWaves(kind: DatabaseKind): WaveTests {
  const at = setMail(kind, emptied);
  let stage: WaveStage;
  beforeEach(() => {
    stage = waveStage(at.db.database, at.smtp.port);
  });
  const texts = async (statement: Sql): Promise<(string | null)[]> =>
    (await at.db.database.query(statement, Text)).map(({ text }) => text);
  return {
    get db() {
      return at.db;
    },
    get smtp() {
      return at.smtp;
    },
    get stage() {
      return stage;
    },
    mailed: () => at.smtp.received.flatMap(({ to }) => to).toSorted(),
    cleared() {
      at.smtp.received.length = 0;
    },
    texts,
    count: async (statement) => (await at.db.database.query(statement, Count))[0]?.count,
    peopleOf: (wave) =>
      texts(sql`select u.email as text from sallyport_invitations i join sallyport_waves w on w.wave_id = i.wave_id
        join users u on u.user_id = i.user_id where w.name = ${wave} order by u.email`),
    counted: (cohort = {}, inviteCode = false) =>
      countCohort(at.db.database, { ...EVERYBODY, ...cohort }, inviteCode),
  };
}

/** The token of the link in a message. */
export function linkIn(raw: string): string {
  return /app\.example\.org\/invites\/([\w-]{43})/.exec(raw.replaceAll('=\r\n', ''))?.[1] ?? '';
}
