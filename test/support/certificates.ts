import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

export interface Certificate {
  readonly cert: string;
  readonly key: string;
}

export interface Certificates {
  /** Of the authority that all but `selfSigned` are of. */
  readonly authority: string;
  readonly good: Certificate;
  readonly expired: Certificate;
  readonly otherHost: Certificate;
  readonly selfSigned: Certificate;
}

/** Certificates for localhost, made by openssl for this run. */
export function makeCertificates(): Certificates {
  const folder = mkdtempSync(join(tmpdir(), 'sallyport-certificates-'));
  const openssl = (...args: string[]): void => {
    execFileSync('openssl', args, { cwd: folder, stdio: 'ignore' });
  };
  const read = (name: string): string => readFileSync(join(folder, name), 'utf8');
  const fresh = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes'];
  try {
    const root = ['req', '-x509', ...fresh, '-days', '3', '-addext'];
    openssl(
      ...root,
      'basicConstraints=critical,CA:TRUE',
      '-subj',
      '/CN=authority',
      '-keyout',
      'ca.key',
      '-out',
      'ca.pem',
    );
    openssl(
      ...root,
      'subjectAltName=DNS:localhost',
      '-subj',
      '/CN=localhost',
      '-keyout',
      'own.key',
      '-out',
      'own.pem',
    );
    openssl('req', ...fresh, '-subj', '/CN=localhost', '-keyout', 'leaf.key', '-out', 'leaf.csr');
    const issue = (name: string, host: string, days: string): Certificate => {
      writeFileSync(join(folder, `${name}.ext`), `subjectAltName=DNS:${host}\n`);
      const authority = ['-CA', 'ca.pem', '-CAkey', 'ca.key', '-CAcreateserial'];
      openssl(
        'x509',
        '-req',
        '-in',
        'leaf.csr',
        ...authority,
        '-days',
        days,
        '-extfile',
        `${name}.ext`,
        '-out',
        `${name}.pem`,
      );
      return { cert: read(`${name}.pem`), key: read('leaf.key') };
    };
    return {
      authority: read('ca.pem'),
      good: issue('good', 'localhost', '3'),
      expired: issue('expired', 'localhost', '-1'),
      otherHost: issue('other', 'other.example.org', '3'),
      selfSigned: { cert: read('own.pem'), key: read('own.key') },
    };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
