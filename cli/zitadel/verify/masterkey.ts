import * as z from 'zod';
import { sql } from '../../../shared/ports/database.ts';
import type { ZitadelDatabase } from '../database/open.ts';
import type { Encrypted } from '../dump/inspect.ts';
import { proveMasterkey, type MasterkeyProof } from '../dump/masterkey.ts';

const Key = z.object({ id: z.string(), key: z.string() });
const Value = z.object({ id: z.string(), value: z.string() });

/** Of each kind; more prove nothing more. */
const TRIED = 20;

/** Whether the masterkey fits the data of this database. */
export async function proveFor(zitadel: ZitadelDatabase, masterkey: Buffer): Promise<MasterkeyProof> {
  const keys = await zitadel.query(sql`select id, key from system.encryption_keys`, Key);
  const encryptionKeys = new Map(keys.map(({ id, key }) => [id, key]));
  return proveMasterkey(masterkey, { encryptionKeys, encrypted: await encryptedOf(zitadel) });
}

async function encryptedOf(zitadel: ZitadelDatabase): Promise<Encrypted[]> {
  const { catalogue } = zitadel;
  const found: Encrypted[] = [];
  if (catalogue.nameOf('web_keys') !== null) {
    const table = catalogue.table('web_keys');
    const rows = await zitadel.query(
      sql`select key_id as id, private_key::text as value from ${table} limit ${TRIED}::int`,
      Value,
    );
    found.push(...rows.map((row) => ({ kind: 'web key' as const, ...row })));
  }
  if (catalogue.nameOf('keys', 'private') !== null) {
    const table = catalogue.table('keys', 'private');
    const rows = await zitadel.query(
      sql`select id, key::text as value from ${table} limit ${TRIED}::int`,
      Value,
    );
    found.push(...rows.map((row) => ({ kind: 'private key' as const, ...row })));
  }
  if (catalogue.nameOf('targets') !== null) {
    const table = catalogue.table('targets');
    const rows = await zitadel.query(
      sql`select id, signing_key::text as value from ${table} where signing_key is not null limit ${TRIED}::int`,
      Value,
    );
    found.push(...rows.map((row) => ({ kind: 'signing key of a target' as const, ...row })));
  }
  return found;
}
