/** The job of waves in the bundle as it is shipped, on both runtimes, by what triggers it there. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startNeonEndpoint, type NeonEndpoint } from '../../dev/neon.ts';
import { createWave } from '../../shared/invitations/waves.ts';
import { startSmtp, type SmtpService } from '../services/smtp.ts';
import { DATABASES, type MigratedDatabase } from '../support/databases.ts';
import { ENTRY, startInWorkerd } from '../support/in-workerd.ts';
import { sallyport, type Variables } from '../support/sallyport.ts';
import { BY, EVERYBODY, linkIn, waveStage, waveVariables, type WaveStage } from './stage.ts';

const postgres = DATABASES[1];

interface Running {
  /** A minute of the schedule: `ok`. */
  tick(): Promise<string>;
  close(): Promise<void>;
}

interface Runtime {
  readonly name: string;
  start(variables: Variables): Promise<Running>;
}

const RUNTIMES: readonly Runtime[] = [
  {
    name: 'Node',
    start: (variables) =>
      Promise.resolve({
        async tick() {
          for (const job of ['wave-reminders', 'mail-send']) {
            const { code, stderr } = await sallyport(variables, 'cron', 'run', job);
            if (code !== 0) return stderr;
          }
          return 'ok';
        },
        close: () => Promise.resolve(),
      }),
  },
  {
    name: 'workerd',
    async start(variables) {
      const worker = await startInWorkerd(ENTRY, { variables });
      let minute = Date.UTC(2030, 0, 1, 10, 1);
      const tick = (): Promise<string> => worker.trigger('* * * * *', (minute += 60_000));
      return { tick, close: () => worker.close() };
    },
  },
];

describe.each(RUNTIMES)('waves of the bundle on $name', (runtime) => {
  describe.skipIf(postgres.missing)('(needs the postgresql package)', () => {
    let db: MigratedDatabase;
    let neon: NeonEndpoint;
    let smtp: SmtpService;
    let stage: WaveStage;
    let running: Running;
    beforeAll(async () => {
      [db, neon, smtp] = await Promise.all([postgres.start(), startNeonEndpoint(), startSmtp()]);
      stage = waveStage(db.database, smtp.port);
      running = await runtime.start({
        ...waveVariables(`${db.url}?sslmode=disable`, smtp.port),
        DATABASE_HTTP_ENDPOINT: neon.endpoint,
        UPSTREAM_URL: 'http://127.0.0.1:1',
        OPENFGA_URL: 'http://127.0.0.1:1',
        OPENFGA_STORE_ID: '01J00000000000000000000000',
      });
    });
    afterAll(async () => {
      await running.close();
      await smtp.close();
      await neon.close();
      await db.close();
    });

    it('starts by the clock, mails everybody a link of their own, reminds, and ends', async () => {
      await stage.tenant('acme', { language: 'de' });
      await stage.people('acme', 12);
      const plan = {
        name: 'one',
        startAt: new Date(0),
        deadline: null,
        remind: ['7d'],
        rate: '600/60s',
        stopWhen: [],
      };
      await createWave(db.database, { ...plan, cohort: EVERYBODY, inviteCode: false }, BY);
      const until = async (mails: number): Promise<void> => {
        for (let minute = 0; minute < 5 && smtp.received.length < mails; minute += 1)
          expect(await running.tick()).toBe('ok');
        expect(smtp.received).toHaveLength(mails);
      };
      await until(12);
      expect(new Set(smtp.received.map(({ raw }) => linkIn(raw))).size).toBe(12);
      expect(await stage.state('one')).toBe('running');
      // What was sent is recorded with the next run.
      expect(await running.tick()).toBe('ok');
      await stage.passed('8 days');
      await until(24);
      expect(new Set(smtp.received.flatMap(({ to }) => to)).size).toBe(12);
      expect(await running.tick()).toBe('ok');
      await stage.passed('8 days');
      expect(await running.tick()).toBe('ok');
      expect(await stage.state('one')).toBe('done');
    });
  });
});
