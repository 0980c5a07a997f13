/** From a request to the mail server, on both runtimes: the real bundle, a real SMTP server with a certificate. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startNeonEndpoint, type NeonEndpoint } from '../../dev/neon.ts';
import { startServer } from '../../functions/node/process.ts';
import { sql } from '../../shared/ports/database.ts';
import { startSmtp, type SmtpService } from '../services/smtp.ts';
import { makeCertificates } from '../support/certificates.ts';
import { DATABASES, type MigratedDatabase } from '../support/databases.ts';
import { ENTRY } from '../support/in-workerd.ts';
import { sallyport } from '../support/sallyport.ts';
import { startTrusting } from '../support/trusting.ts';
import { field, instance, invitation, put, rowsOf } from './stage.ts';

const certificates = makeCertificates();
const ACCOUNT = { user: 'gate', password: 'pass%word' };
const postgres = DATABASES[1];

interface Running {
  readonly url: string;
  /** Runs the job now: by hand, or as a trigger does. */
  tick(): Promise<string>;
  close(): Promise<void>;
}

interface Runtime {
  readonly name: string;
  start(variables: Readonly<Record<string, string>>, caFile: string): Promise<Running>;
}

const RUNTIMES: readonly Runtime[] = [
  {
    name: 'Node',
    async start(given, caFile) {
      const MAIL_URL = `${given['MAIL_URL'] ?? ''}?ca=${caFile}`;
      const variables = { ...given, MAIL_URL, PORT: '0', HOST: '127.0.0.1' };
      const tick = async (): Promise<string> => {
        const { code, stderr } = await sallyport(variables, 'cron', 'run', 'mail-send');
        return code === 0 ? 'ok' : stderr;
      };
      return { ...(await startServer(variables)), tick };
    },
  },
  {
    name: 'workerd',
    async start(variables) {
      const worker = await startTrusting(ENTRY, { ...certificates, variables });
      const tick = async (): Promise<string> => {
        const trigger = new URL('/cdn-cgi/handler/scheduled?cron=*+*+*+*+*&time=1893456000000', worker.url);
        return (await fetch(trigger)).text();
      };
      return { ...worker, tick };
    },
  },
];

describe.each(RUNTIMES)('mail of the bundle on $name', (runtime) => {
  describe.skipIf(postgres.missing)('(needs the postgresql package)', () => {
    const folder = mkdtempSync(join(tmpdir(), 'sallyport-mail-'));
    const caFile = join(folder, 'ca.pem');
    let db: MigratedDatabase;
    let neon: NeonEndpoint;
    let smtp: SmtpService;
    let running: Running;
    beforeAll(async () => {
      writeFileSync(caFile, certificates.authority);
      [db, neon, smtp] = await Promise.all([
        postgres.start(),
        startNeonEndpoint(),
        startSmtp({ certificate: certificates.good, account: ACCOUNT }),
      ]);
      await db.database.execute(sql`insert into tenants (name, slug) values ('Acme', 'acme')`);
      running = await runtime.start(
        {
          UPSTREAM_URL: 'http://127.0.0.1:1',
          OPENFGA_URL: 'http://127.0.0.1:1',
          OPENFGA_STORE_ID: '01J00000000000000000000000',
          DATABASE_URL: `${db.url}?sslmode=disable`,
          DATABASE_HTTP_ENDPOINT: neon.endpoint,
          FUNCTIONS: 'auth',
          NEW_USERS: 'password',
          PASSWORD_COST: '4',
          PUBLIC_URL: 'http://127.0.0.1:3000',
          MAIL_URL: `smtp://gate:pass%25word@localhost:${smtp.port}`,
          MAIL_FROM: 'Example <no-reply@example.org>',
          PRODUCT_NAME: 'Inventory',
        },
        caFile,
      );
    });
    afterAll(async () => {
      await running.close();
      await smtp.close();
      await neon.close();
      await db.close();
      rmSync(folder, { recursive: true, force: true });
    });

    const post = (path: string, body: object) =>
      fetch(new URL(path, running.url), {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify(body),
      });

    it('a registration is mailed at once, encrypted and signed in, and its link makes the account', async () => {
      const asked = {
        ...{ tenant: 'acme', email: 'carol@example.org', full_name: 'Carol' },
        password: 'a long and quite unusual passphrase',
      };
      expect((await post('/api/v1/auth/register', asked)).status).toBe(202);
      await expect.poll(() => smtp.received.length).toBe(1);
      const [mail] = smtp.received.splice(0);
      expect(mail).toMatchObject({ secure: true, user: 'gate', to: ['carol@example.org'] });
      expect(field(mail!.raw, 'Subject')).toBe('Confirm your account at Inventory');
      const token = /confirm\?token=3D([\w=\r\n]+?)(?=\r\n\r\n)/
        .exec(mail!.raw)?.[1]
        ?.replaceAll('=\r\n', '');
      expect((await post('/api/v1/auth/register/confirm', { token })).status).toBe(204);
      await expect
        .poll(async () => (await rowsOf(db.database)).map(({ status }) => status))
        .toEqual(['sent']);
      expect((await rowsOf(db.database))[0]!.content).toBeNull();
    });

    it('what waits goes out with the job of every minute', async () => {
      const { outbox } = instance(db.database, smtp.port);
      await put(db.database, outbox, invitation(1), invitation(2), invitation(3));
      expect(await running.tick()).toBe('ok');
      await expect.poll(() => smtp.received.length).toBe(3);
      expect(smtp.received.every(({ secure }) => secure)).toBe(true);
    });
  });
});
