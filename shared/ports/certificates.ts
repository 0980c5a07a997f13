/** The certificate that a server presents. */
export interface Certificate {
  readonly validTo: Date;
  /** Why it is not to be trusted, in words; undefined when it is. */
  readonly fault: string | undefined;
}

export interface TlsAddress {
  readonly host: string;
  readonly port: number;
  /** How TLS begins: with the first byte, after an SSLRequest of Postgres, or after STARTTLS (RFC 3207). */
  readonly begins: 'at once' | 'postgres' | 'smtp';
  /** File of the authorities that are trusted here, in place of those that everybody trusts. */
  readonly authority?: string;
  /** The certificate may be for another host, as with sslmode=verify-ca. */
  readonly anyHost?: true;
}

/** Reads the certificate of a server. Rejects when none is presented in time. */
export type ReadCertificate = (address: TlsAddress, timeoutMs: number) => Promise<Certificate>;
