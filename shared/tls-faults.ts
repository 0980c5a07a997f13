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

/** What kept a call from reaching a host, as far as it is the fault of a certificate. */
export function tlsFaultOf(error: unknown): string | undefined {
  // fetch() wraps the cause; four levels are more than any runtime makes.
  let cause: unknown = error;
  for (let depth = 0; depth < 4 && cause instanceof Error; depth++, cause = cause.cause) {
    const fault = 'code' in cause ? FAULTS[String(cause.code)] : undefined;
    if (fault !== undefined) return fault;
    // workerd keeps the reason to itself, whatever it is.
    if (cause.message.startsWith('internal error')) return 'unreachable, or its certificate is not trusted';
  }
  return undefined;
}

/** Cloudflare answers a Worker's call itself when the handshake with the host fails. */
export function isTlsStatus(status: number): boolean {
  return status === 525 || status === 526;
}
