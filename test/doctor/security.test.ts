import { createServer as createTcp } from 'node:net';
import type { AddressInfo } from 'node:net';
import { createServer, type Server, TLSSocket } from 'node:tls';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { advisoriesFor } from '../../cli/doctor/advisories.ts';
import { redactor } from '../../cli/doctor/secrets.ts';
import { periodOf } from '../../cli/doctor/regular.ts';
import { judgeCertificate } from '../../shared/checks/expiry.ts';
import { startRealOpenFga } from '../services/openfga.ts';
import { makeCertificates, type Certificate } from '../support/certificates.ts';
import { serve } from '../support/serve.ts';
import { containing, doctorCommand, found } from './stage.ts';

const certificates = makeCertificates();
const NOW = Date.UTC(2027, 0, 1);
const DAY_MS = 86_400_000;

describe('the check of certificates', () => {
  let folder: string;
  let trusting: Record<string, string>;
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'sallyport-doctor-'));
    const file = join(folder, 'ca.pem');
    await writeFile(file, certificates.authority);
    trusting = { NODE_EXTRA_CA_CERTS: file };
  });
  afterAll(() => rm(folder, { recursive: true }));

  /** Node reads NODE_EXTRA_CA_CERTS as it starts. */
  const inItsProcess = async (variables: Record<string, string>, name: string) =>
    (await doctorCommand(variables, name))[name];

  async function presenting({ cert, key }: Certificate): Promise<number> {
    const server: Server = createServer({ cert, key }, (socket) => socket.end());
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    onTestFinished(() => void server.close());
    return (server.address() as AddressInfo).port;
  }

  it.each([
    ['expired', certificates.expired, 'has expired'],
    ['for another host', certificates.otherHost, 'for another host'],
    ['self-signed', certificates.selfSigned, 'self-signed'],
    ['about to run out', certificates.good, 'runs out in 2 days'],
  ])('is red for one that is %s', async (_what, certificate, cause) => {
    const port = await presenting(certificate);
    expect(await inItsProcess({ ...trusting, PUBLIC_URL: `https://localhost:${port}` }, 'tls')).toMatchObject(
      {
        status: 'red',
        cause: containing(cause),
      },
    );
  });

  it('reads that of a mail server behind STARTTLS, and of Postgres behind its SSLRequest', async () => {
    const behind = async (greet: (write: (text: string) => void, heard: string) => 'tls' | undefined) => {
      const server = createTcp((socket) => {
        greet((text) => void socket.write(text), '');
        const hear = (chunk: Buffer): void => {
          if (greet((text) => void socket.write(text), chunk.toString('latin1')) !== 'tls') return;
          socket.off('data', hear);
          new TLSSocket(socket, { isServer: true, ...certificates.expired }).on('error', () => undefined);
        };
        socket.on('data', hear);
        socket.on('error', () => undefined);
      });
      server.listen(0, '127.0.0.1');
      await once(server, 'listening');
      onTestFinished(() => void server.close());
      return (server.address() as AddressInfo).port;
    };
    const smtp = await behind((write, heard) => {
      if (heard === '') write('220 mail\r\n');
      else if (heard.startsWith('EHLO')) write('250-mail\r\n250 STARTTLS\r\n');
      else if (heard.startsWith('STARTTLS')) {
        write('220 go\r\n');
        return 'tls';
      }
      return undefined;
    });
    expect(
      await inItsProcess(
        { ...trusting, MAIL_URL: `smtp://localhost:${smtp}`, MAIL_FROM: 'a@example.org' },
        'tls',
      ),
    ).toMatchObject({
      status: 'red',
      cause: containing('has expired'),
    });
    const postgres = await behind((write, heard) => {
      if (heard === '') return undefined;
      write('S');
      return 'tls';
    });
    const url = `postgres://u:p@localhost:${postgres}/d?sslmode=verify-full`;
    expect(await inItsProcess({ ...trusting, DATABASE_URL: url }, 'tls')).toMatchObject({
      status: 'red',
      cause: containing('has expired'),
    });
  });

  it('trusts the authority that an address names, and holds the host against the certificate unless told', async () => {
    const postgres = async (certificate: Certificate): Promise<number> => {
      const server = createTcp((socket) => {
        socket.once('data', () => {
          socket.write('S');
          new TLSSocket(socket, { isServer: true, ...certificate }).on('error', () => undefined);
        });
        socket.on('error', () => undefined);
      });
      server.listen(0, '127.0.0.1');
      await once(server, 'listening');
      onTestFinished(() => void server.close());
      return (server.address() as AddressInfo).port;
    };
    const judged = async (port: number, more: string) => {
      const url = `postgres://u:p@localhost:${port}/d?sslmode=${more}`;
      return (await found({ DATABASE_URL: url }, 'tls')).cause;
    };
    const own = `&sslrootcert=${encodeURIComponent(join(folder, 'ca.pem'))}`;
    const good = await postgres(certificates.good);
    expect(await judged(good, 'verify-full')).toContain('not trusted');
    // Trusted: that it runs out in two days is all that is left.
    expect(await judged(good, `verify-full${own}`)).toContain('runs out in 2 days');
    const other = await postgres(certificates.otherHost);
    expect(await judged(other, `verify-full${own}`)).toContain('for another host');
    expect(await judged(other, `verify-ca${own}`)).not.toContain('for another host');
  });

  it('is red for a public address without TLS, green for private ones, and judges by days', async () => {
    expect(await found({ UPSTREAM_URL: 'http://198.51.100.7' }, 'tls')).toMatchObject({ status: 'green' });
    expect(await found({ UPSTREAM_URL: 'http://1.1.1.1' }, 'tls')).toMatchObject({
      status: 'red',
      cause: containing('without TLS'),
      next: 'write https in UPSTREAM_URL',
    });
    expect(await found({ DATABASE_URL: 'postgres://u@1.1.1.1/d' }, 'tls')).toMatchObject({
      status: 'red',
      next: 'add ?sslmode=verify-full to DATABASE_URL',
    });
    const inDays = (days: number) =>
      judgeCertificate('h', { validTo: new Date(NOW + days * DAY_MS), fault: undefined }, NOW).status;
    expect([inDays(30), inDays(20), inDays(6), inDays(-1)]).toEqual(['green', 'yellow', 'red', 'red']);
  });
});

describe('the check of network exposure', () => {
  const rules = (target: string, path: string) =>
    JSON.stringify([{ path, method: '*', feature: 'public_access', target }]);

  it.each([
    ['openfga', '/stores/*path'],
    ['zitadel', '/management/v1/*path'],
  ])('is red for a rule that leads anyone to %s', async (target, path) => {
    const variables = { UPSTREAM_URL: 'http://127.0.0.1:1', ACCESS_RULES: rules(target, path) };
    expect(await found(variables, 'network-exposure')).toMatchObject({
      status: 'red',
      cause: containing(path),
    });
  });

  it('is red where the own address serves stores to whoever asks', async () => {
    const open = await serve(0, async () => Response.json({ stores: [] }));
    onTestFinished(() => open.close());
    const variables = { UPSTREAM_URL: 'http://127.0.0.1:1', ACCESS_RULES: '[]', PUBLIC_URL: open.url };
    expect(await found(variables, 'network-exposure')).toMatchObject({
      status: 'red',
      cause: containing('/stores'),
    });
  });

  it('takes a real OpenFGA without authentication on this machine for closed', async () => {
    const openfga = await startRealOpenFga();
    if (openfga === undefined) return;
    onTestFinished(() => openfga.close());
    expect(await found({ OPENFGA_URL: openfga.url, ACCESS_RULES: '[]' }, 'network-exposure')).toMatchObject({
      status: 'green',
    });
  });
});

describe('the check of versions', () => {
  const openfga = { OPENFGA_URL: 'http://127.0.0.1:1' };

  it('reads that of OpenFGA from the images of its pods, since OpenFGA names it nowhere', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'sallyport-kubectl-'));
    onTestFinished(() => rm(folder, { recursive: true }));
    const images = 'ghcr.io/zitadel/zitadel:v4.20.3 registry.example.org/openfga/openfga:v1.13.0';
    const script = `#!/bin/sh\ncase "$*" in "get pods --output=jsonpath="*" --namespace=auth") echo '${images}';; *) exit 1;; esac\n`;
    await writeFile(join(folder, 'kubectl'), script, { mode: 0o755 });
    const cluster = { ...openfga, KUBE_NAMESPACE: 'auth', PATH: `${folder}:${process.env['PATH'] ?? ''}` };
    expect(await found(cluster, 'versions')).toMatchObject({
      status: 'yellow',
      cause: containing('openfga 1.13.0 is affected by CVE-2026-55170'),
      next: 'update openfga to 1.18.0',
    });
    expect(await found({ ...cluster, KUBE_NAMESPACE: 'another' }, 'versions')).toMatchObject({
      status: 'yellow',
      cause: containing('the version of openfga is not known: kubectl ended with 1'),
    });
  });

  it('says so where no cluster is named', async () => {
    expect(await found(openfga, 'versions')).toMatchObject({
      status: 'skipped',
      cause: containing('OpenFGA tells its version to nobody'),
    });
  });
});

describe('what checks compute', () => {
  it('compares versions with ranges up to the one that is mended', () => {
    const ids = (...asked: Parameters<typeof advisoriesFor>) => advisoriesFor(...asked)?.map(({ id }) => id);
    expect(ids('zitadel', 'v4.20.3')).toEqual([]);
    expect(ids('zitadel', 'v4.15.2')).not.toContain('CVE-2026-55671 (GHSA-29jh-8cfq-rr8x)');
    expect(ids('zitadel', '4.15.1')).toContain('CVE-2026-55671 (GHSA-29jh-8cfq-rr8x)');
    expect(ids('openfga', '1.18.0')).toEqual([]);
    expect(ids('redis', '7.0.15')).toEqual(['CVE-2026-81934', 'CVE-2025-49844 (GHSA-4789-qfc9-5f9q)']);
    expect(ids('redis', '7.4.11')).toEqual([]);
    expect(ids('postgres', '15.9 (Debian 15.9-0+deb12u1)')).toContain('CVE-2025-8714, CVE-2025-8715');
    expect(ids('zitadel', '4.x-02d07e951')).toBeUndefined();
  });

  it('knows how often a pattern is due', () => {
    expect(['* * * * *', '*/5 * * * *', '30 3 * * *', '0 6 * * MON', '0 * * * *'].map(periodOf)).toEqual([
      ...[60, 300, 86_400, 604_800, 3_600],
    ]);
  });

  it('hides secrets as they are, within lists and within URLs', () => {
    const redact = redactor({
      WEBHOOK_SIGNING_KEYS: 'first-key,second-key',
      REDIS_URL: 'redis://u:p%40ssword@h',
      OPENFGA_API_TOKEN: 'abcdef',
      UPSTREAM_URL: 'https://api.example.org',
    });
    expect(redact('second-key p@ssword p%40ssword abcdef https://api.example.org')).toBe(
      '… … … … https://api.example.org',
    );
  });
});
