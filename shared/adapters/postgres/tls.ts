import { connect, type Socket } from 'node:net';
import type { ClientConfig } from 'pg';

/**
 * The driver's form of a URL. `sslmode` as in libpq where the driver differs: `prefer` and `allow` use TLS, unverified, with a
 * server that offers it, and cleartext with one that does not; `require` stays stricter than libpq, with a verified
 * certificate. https://www.postgresql.org/docs/current/libpq-ssl.html
 */
export async function connectionTo(text: string, timeoutMs: number): Promise<ClientConfig> {
  const url = new URL(text);
  // The driver decodes by decodeURI, which leaves `%2F` and `%3D`, say, as they are.
  url.pathname = encodeURI(decodeURIComponent(url.pathname));
  const mode = url.searchParams.get('sslmode');
  if (mode === 'require') url.searchParams.set('sslmode', 'verify-full');
  if (mode !== 'prefer' && mode !== 'allow') return { connectionString: url.href };
  url.searchParams.set('sslmode', (await offersTls(url, timeoutMs)) ? 'no-verify' : 'disable');
  return { connectionString: url.href };
}

/** PostgreSQL manual, "SSL Session Encryption": one byte answers an SSLRequest, S for TLS. */
const SSL_REQUEST = Buffer.from([0, 0, 0, 8, 4, 210, 22, 47]);

/** Rejects with the network's error when there is no answer in time. A Unix socket has no TLS. */
function offersTls(url: URL, timeoutMs: number): Promise<boolean> {
  const host = url.searchParams.get('host') ?? decodeURIComponent(url.hostname).replace(/^\[|\]$/g, '');
  if (host.startsWith('/') || host === '') return Promise.resolve(false);
  return new Promise((resolve, reject) => {
    const socket: Socket = connect(Number(url.port === '' ? 5432 : url.port), host, () => {
      socket.write(SSL_REQUEST);
    });
    const end = (error: Error): void => {
      socket.destroy();
      reject(error);
    };
    socket.setTimeout(timeoutMs, () => {
      end(new Error('no answer to an SSLRequest in time'));
    });
    socket.once('error', end);
    socket.once('close', () => {
      reject(new Error('the server closed the connection at an SSLRequest'));
    });
    socket.once('data', (answer) => {
      resolve(answer.toString('latin1') === 'S');
      socket.destroy();
    });
  });
}
