import * as z from 'zod';
import { ZITADEL_URLS, zitadelUrl } from './issuers.ts';
import { broken, slice, type Slice } from './slice.ts';
import { postgresUrl } from './values.ts';

/** Zitadel as a service account sees it. */
export interface ZitadelAccount {
  /** Base of Zitadel's API; null without ZITADEL_API_URL and ZITADEL_ISSUER_URL. */
  readonly zitadelUrl: string | null;
  /** Of a service account. */
  readonly zitadelToken: string | null;
  /** ZITADEL_EXTERNALDOMAIN, else the host of ZITADEL_ISSUER_URL. */
  readonly externalDomain: string | null;
}

export const ZITADEL_ACCOUNT: Slice<ZitadelAccount> = slice({
  variables: {
    ...ZITADEL_URLS,
    ZITADEL_SERVICE_TOKEN: z.string().optional(),
    ZITADEL_EXTERNALDOMAIN: z.string().optional(),
  },
  read: (v): ZitadelAccount => ({
    zitadelUrl: zitadelUrl(v) ?? null,
    zitadelToken: v.ZITADEL_SERVICE_TOKEN ?? null,
    externalDomain:
      v.ZITADEL_EXTERNALDOMAIN ??
      (v.ZITADEL_ISSUER_URL === undefined ? null : new URL(v.ZITADEL_ISSUER_URL).hostname),
  }),
});

/** Zitadel's own database; null where none is named. */
export const ZITADEL_DATABASE = slice({
  variables: { ZITADEL_DATABASE_URL: postgresUrl.optional() },
  examples: { ZITADEL_DATABASE_URL: 'postgres://postgres:…@postgres.internal.example.org:5432/zitadel' },
  read: (v) => ({ zitadelDatabaseUrl: v.ZITADEL_DATABASE_URL ?? null }),
});

/** Where kubectl finds things; null: as its own configuration has it. */
export const KUBE = slice({
  variables: { KUBE_NAMESPACE: z.string().optional(), KUBE_CONTEXT: z.string().optional() },
  read: (v) => ({ kube: { namespace: v.KUBE_NAMESPACE ?? null, context: v.KUBE_CONTEXT ?? null } }),
});

/** Where backups and journals go. */
export const BACKUPS = slice({
  variables: { BACKUP_DIR: z.string().default('./backups') },
  read: (v) => ({ backupDir: v.BACKUP_DIR }),
});

/** What commands read to operate Zitadel and to keep backups. Each command requires what it needs of it by `needed`. */
export interface Operations extends ZitadelAccount {
  /** Zitadel's own database. */
  readonly zitadelDatabaseUrl: string | null;
  readonly openfgaDatabaseUrl: string | null;
  /** Null: as kubectl's own configuration has it. */
  readonly kube: { readonly namespace: string | null; readonly context: string | null };
  /** Where backups and journals go. */
  readonly backupDir: string;
}

const OWN = slice({
  variables: {
    ZITADEL_MASTERKEY: z.string().optional(),
    ZITADEL_MASTERKEY_FILE: z.string().optional(),
    OPENFGA_DATABASE_URL: postgresUrl.optional(),
  },
  faults: ({ written }) =>
    broken([
      written['ZITADEL_MASTERKEY'] !== undefined && written['ZITADEL_MASTERKEY_FILE'] !== undefined,
      'ZITADEL_MASTERKEY_FILE',
      'is set beside ZITADEL_MASTERKEY: keep one of them',
    ]),
  read: (v) => ({ openfgaDatabaseUrl: v.OPENFGA_DATABASE_URL ?? null }),
});

export const OPERATIONS: Slice<Operations> = ZITADEL_ACCOUNT.and(ZITADEL_DATABASE)
  .and(KUBE)
  .and(BACKUPS)
  .and(OWN);
