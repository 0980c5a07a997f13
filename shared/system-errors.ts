import { messageOf } from './errors.ts';
/** Meaning of a system error code, and the remedy. The code is kept beside it, for searches. */
const MEANINGS: Readonly<Record<string, string>> = {
  ENOENT: 'there is no such file or folder: check the path, which counts from the folder the program runs in',
  ENOTDIR: 'a part of the path is a file, not a folder: check the path',
  EISDIR: 'it is a folder: name a file',
  EACCES: 'permission is denied: run as a user who may, or change the permissions',
  EPERM: 'the system does not allow it: run as a user who may, or choose another place',
  EROFS: 'the file system is read-only: choose another place',
  ENOSPC: 'no space is left on the disk: make room, then do it again',
  EDQUOT: 'the disk quota is used up: make room, then do it again',
  EFBIG: 'the file would be larger than the system allows',
  EMFILE: 'too many files are open: raise the limit (ulimit -n)',
  ENAMETOOLONG: 'the name is too long: choose a shorter one',
  ELOOP: 'its symbolic links lead in a circle: check the path',
  ENOTEMPTY: 'the folder is not empty: choose another place',
  EXDEV: 'it would have to move to another disk: choose a place on the same one',
  EIO: 'the disk failed to read or write: check it',
};

/** The code of a system error; undefined for any other error. */
export function systemCode(error: unknown): string | undefined {
  if (!(error instanceof Error) || !('code' in error) || typeof error.code !== 'string') return undefined;
  return /^E[A-Z0-9]{2,}$/.test(error.code) ? error.code : undefined;
}

/** Why a file cannot be read, in words. */
export function whyUnreadable(error: unknown): string {
  return systemFault(error) ?? messageOf(error);
}

/** The fault in words with its code, as in `there is no such file … (ENOENT)`; undefined for any other error. */
export function systemFault(error: unknown): string | undefined {
  const code = systemCode(error);
  if (code === undefined || !(error instanceof Error)) return undefined;
  return `${MEANINGS[code] ?? (error.message || 'the system refused')} (${code})`;
}

const UNKNOWN_AUTHORITY =
  'its certificate is of an authority that is not trusted here: NODE_EXTRA_CA_CERTS names further ones';

/** Codes of OpenSSL and Node: https://nodejs.org/api/tls.html#x509-certificate-error-codes */
const FAULTS: Readonly<Record<string, string>> = {
  CERT_HAS_EXPIRED: 'its certificate has expired',
  CERT_NOT_YET_VALID: 'its certificate is not valid yet',
  DEPTH_ZERO_SELF_SIGNED_CERT: 'its certificate is self-signed, and not among the trusted ones',
  SELF_SIGNED_CERT_IN_CHAIN: UNKNOWN_AUTHORITY,
  UNABLE_TO_GET_ISSUER_CERT: UNKNOWN_AUTHORITY,
  UNABLE_TO_GET_ISSUER_CERT_LOCALLY: UNKNOWN_AUTHORITY,
  // Often the server leaves out the certificates between its own and the authority's.
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: UNKNOWN_AUTHORITY,
  CERT_UNTRUSTED: 'its certificate is not trusted here',
  CERT_REVOKED: 'its certificate is revoked',
  ERR_TLS_CERT_ALTNAME_INVALID: 'its certificate is for another host',
};

/** The certificate fault that failed a call; undefined for any other cause. */
export function tlsFaultOf(error: unknown): string | undefined {
  // fetch() wraps the cause; four levels are more than any runtime makes.
  let cause: unknown = error;
  for (let depth = 0; depth < 4 && cause instanceof Error; depth++, cause = cause.cause) {
    const fault = 'code' in cause ? FAULTS[String(cause.code)] : undefined;
    if (fault !== undefined) return fault;
    // workerd does not expose the reason.
    if (cause.message.startsWith('internal error')) return 'unreachable, or its certificate is not trusted';
  }
  return undefined;
}

/** Cloudflare's answers to a Worker's call when the TLS handshake with the host fails. */
export function isTlsStatus(status: number): boolean {
  return status === 525 || status === 526;
}
