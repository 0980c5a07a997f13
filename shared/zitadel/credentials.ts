import * as z from 'zod';
import { either, listed, paginated, type ZitadelReader } from './reader.ts';

/** A personal access token or a key of a service account, never its text. */
export interface Credential {
  readonly id: string;
  readonly userId: string;
  /** Null where the release does not say. */
  readonly created: Date | null;
  /** Null: it does not expire. */
  readonly expires: Date | null;
}

/** Whose they are. */
export interface Account {
  readonly id: string;
  readonly organization: string;
}

const moment = z.coerce.date().nullable().default(null);

const Listed = z.object({
  id: z.string(),
  userId: z.string().default(''),
  creationDate: moment,
  expirationDate: moment,
});

const OldListed = z.object({
  id: z.string(),
  expirationDate: moment,
  details: z.object({ creationDate: moment }).prefault({}),
});

/** Every personal access token of the instance; older releases list them by account alone. */
export function allPats(reader: ZitadelReader): Promise<readonly Credential[]> {
  return newer(reader, 'pats', {});
}

export function patsOf(reader: ZitadelReader, account: Account): Promise<readonly Credential[]> {
  return credentialsOf(reader, 'pats', account);
}

export function keysOf(reader: ZitadelReader, account: Account): Promise<readonly Credential[]> {
  return credentialsOf(reader, 'keys', account);
}

function credentialsOf(
  reader: ZitadelReader,
  kind: 'pats' | 'keys',
  { id, organization }: Account,
): Promise<readonly Credential[]> {
  return either(
    () => newer(reader, kind, { filters: [{ userIdFilter: { id } }] }),
    async () => {
      const path = `/management/v1/users/${encodeURIComponent(id)}/${kind}/_search`;
      const found = await listed(reader, OldListed, { path, organization, right: 'user.read' });
      return found.map(({ id: of, expirationDate, details }) => ({
        ...{ id: of, userId: id, created: details.creationDate, expires: expirationDate },
      }));
    },
  );
}

async function newer(
  reader: ZitadelReader,
  kind: 'pats' | 'keys',
  body: object,
): Promise<readonly Credential[]> {
  const path = `/v2/users/${kind}/search`;
  const found = await paginated(reader, Listed, { path, body, right: 'user.read' });
  return found.map(({ creationDate: created, expirationDate: expires, ...rest }) => ({
    ...{ ...rest, created, expires },
  }));
}
