import { readFile } from 'node:fs/promises';
import { connect as connectTcp, isIP, type Socket } from 'node:net';
import { connect as connectTls, type TLSSocket } from 'node:tls';
import type { Certificate, ReadCertificate, TlsAddress } from '../../ports/certificates.ts';
import { tlsFaultOf } from '../../system-errors.ts';

/** PostgreSQL manual, "SSL Session Encryption": one byte answers, S for TLS. */
const SSL_REQUEST = Buffer.from([0, 0, 0, 8, 4, 210, 22, 47]);

/** A handshake that accepts any certificate, so that one that is not trusted can be named. Node only. */
export const readCertificate: ReadCertificate = async (address, timeoutMs) => {
  const socket = connectTcp(address.port, address.host);
  const late = setTimeout(() => {
    socket.destroy(new Error('no answer in time'));
  }, timeoutMs);
  try {
    await connected(socket);
    if (address.begins === 'postgres') await afterSslRequest(socket);
    if (address.begins === 'smtp') await afterStartTls(socket);
    return await handshake(socket, address);
  } finally {
    clearTimeout(late);
    socket.destroy();
  }
};

function connected(socket: Socket): Promise<void> {
  return new Promise((resolve, reject) => {
    socket.once('connect', resolve);
    socket.once('error', reject);
  });
}

/** The next chunk; rejects when the connection ends. */
function answer(socket: Socket): Promise<string> {
  return new Promise((resolve, reject) => {
    const ended = (error?: Error): void => {
      reject(error ?? new Error('the connection was closed'));
    };
    socket.once('data', (chunk: Buffer) => {
      socket.off('close', ended);
      resolve(chunk.toString('latin1'));
    });
    socket.once('error', ended);
    socket.once('close', ended);
  });
}

async function afterSslRequest(socket: Socket): Promise<void> {
  socket.write(SSL_REQUEST);
  if ((await answer(socket)) !== 'S') throw new Error('the server offers no TLS');
}

async function afterStartTls(socket: Socket): Promise<void> {
  await reply(socket, '220');
  socket.write('EHLO localhost\r\n');
  await reply(socket, '250');
  socket.write('STARTTLS\r\n');
  await reply(socket, '220');
}

/** A whole reply of SMTP (RFC 5321 §4.2): its last line has a space after the code. */
async function reply(socket: Socket, code: string): Promise<void> {
  let text = '';
  while (!/^\d{3} .*\r\n$/m.test(text)) text += await answer(socket);
  if (!text.startsWith(code)) throw new Error(`the mail server answers ${text.slice(0, 3)}`);
}

async function handshake(socket: Socket, { host, authority, anyHost }: TlsAddress): Promise<Certificate> {
  const ca = authority === undefined ? undefined : await readFile(authority);
  return new Promise((resolve, reject) => {
    const tls: TLSSocket = connectTls({
      socket,
      rejectUnauthorized: false,
      ...(ca !== undefined && { ca }),
      ...(anyHost === true && { checkServerIdentity: () => undefined }),
      // RFC 6066 §3: an address is no server name.
      ...(isIP(host) === 0 && { servername: host }),
    });
    tls.once('secureConnect', () => {
      const { valid_to: validTo } = tls.getPeerCertificate();
      tls.destroy();
      resolve({ validTo: new Date(validTo), fault: faultOf(tls) });
    });
    tls.once('error', reject);
    socket.once('close', () => {
      reject(new Error('the connection was closed'));
    });
  });
}

function faultOf({ authorized, authorizationError: error }: TLSSocket): string | undefined {
  if (authorized) return undefined;
  // Node sets the code as a text where the types have an error.
  const coded = typeof error === 'string' ? Object.assign(new Error(error), { code: error }) : error;
  return tlsFaultOf(coded) ?? `its certificate is not trusted (${String(error)})`;
}
