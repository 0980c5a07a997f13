import { LRUCache } from 'lru-cache';
import * as z from 'zod';
import { listed } from '../../shared/zitadel/reader.ts';
import { OPERATIONS } from '../../shared/configuration/operations.ts';
import { SUBJECTS } from '../../shared/configuration/issuers.ts';
import { slice } from '../../shared/configuration/slice.ts';
import { httpBase, issuerUrl } from '../../shared/configuration/values.ts';
import { openDirectory, openGround } from '../../shared/deps.ts';
import { sql, type Database } from '../../shared/ports/database.ts';
import { isFailure } from '../../shared/ports/directory.ts';
import { uuidOf } from '../../shared/uuid.ts';
import { Failure } from '../failure.ts';
import { configured } from '../variables.ts';
import { connected } from '../zitadel/api/connect.ts';

/** Whether the provider has a user; null where it cannot be said. */
export type Existence = boolean | null;

/** One provider's accounts by their ids. Throws Failure when it does not answer, so that no account counts as removed. */
export interface Source {
  /** As in `<issuer>|<subject>`. */
  readonly issuer: string;
  /** True: a user without an issuer's name may be one of its subjects. */
  readonly shared: boolean;
  /** Those of the ids that are there; at most 100 at a time. Null: it cannot be asked. */
  find(ids: readonly string[]): Promise<ReadonlySet<string> | null>;
}

/** Ids in one call. */
const TOGETHER = 100;
const MOST_REMEMBERED = 50_000;

/** Users of OpenFGA at the providers that are configured. */
export class Providers {
  readonly #sources: readonly Source[];
  readonly #remembered = new LRUCache<string, { readonly existence: Existence }>({ max: MOST_REMEMBERED });

  constructor(sources: readonly Source[]) {
    this.#sources = sources;
  }

  /** Null for all users (`user:*`), and for users of a provider that is not configured. */
  async exist(users: readonly string[]): Promise<ReadonlyMap<string, Existence>> {
    const unknown = [...new Set(users)].filter((user) => !this.#remembered.has(user));
    for (let from = 0; from < unknown.length; from += TOGETHER)
      await this.#look(unknown.slice(from, from + TOGETHER));
    return new Map(users.map((user) => [user, this.#remembered.get(user)?.existence ?? null]));
  }

  async #look(users: readonly string[]): Promise<void> {
    const answers = new Map<string, Existence[]>(users.map((user) => [user, []]));
    for (const source of this.#sources) {
      const ids = new Map(users.flatMap((user) => subjectAt(source, user).map((id) => [user, id] as const)));
      const found = ids.size === 0 ? null : await source.find([...new Set(ids.values())]);
      for (const [user, id] of ids) answers.get(user)?.push(found === null ? null : found.has(id));
    }
    for (const [user, each] of answers) this.#remembered.set(user, { existence: together(each) });
  }
}

/** There, where one of them has it; gone, where all of them say so. */
function together(answers: readonly Existence[]): Existence {
  if (answers.includes(true)) return true;
  return answers.length === 0 || answers.includes(null) ? null : false;
}

const OTHER = /^([a-z0-9_]+)\|(.+)$/;

function subjectAt({ issuer, shared }: Source, user: string): string[] {
  const subject = user.slice('user:'.length);
  if (!user.startsWith('user:') || subject === '*') return [];
  const [, named, own] = OTHER.exec(subject) ?? [];
  if (named !== undefined) return named === issuer && own !== undefined ? [own] : [];
  return shared ? [subject] : [];
}

const KANIDM = slice({
  variables: {
    KANIDM_ISSUER_URL: issuerUrl.optional(),
    KANIDM_URL: httpBase.optional(),
    KANIDM_TOKEN: z.string().optional(),
  },
  read: (v) => ({
    issuer: v.KANIDM_ISSUER_URL ?? null,
    url: v.KANIDM_URL ?? null,
    token: v.KANIDM_TOKEN ?? null,
  }),
});

/** Providers that variables name; none is no fault. `database`: null without DATABASE_URL. */
export function configuredSources(database: Pick<Database, 'query'> | null): readonly Source[] {
  const { sharedSubjectIssuers: shared } = configured(SUBJECTS);
  return [...zitadelSource(shared), ...kanidmSource(shared), ...ownSource(shared, database)];
}

const Row = z.object({ id: z.string() });

/** People who sign in by password here, whom a provider may never have had. */
function ownSource(shared: readonly string[], database: Pick<Database, 'query'> | null): Source[] {
  if (!shared.includes('session')) return [];
  return [
    {
      issuer: 'session',
      shared: true,
      async find(ids) {
        if (database === null) return null;
        const uuids = ids.flatMap((id) => uuidOf(id) ?? []);
        const rows = await database.query(
          sql`select user_id as id from users where user_id = any(${uuids}::uuid[])`,
          Row,
        );
        return new Set(rows.map(({ id }) => id));
      },
    },
  ];
}

/** Longer ones are refused. */
const LONGEST_ID = 200;
const Found = z.object({ userId: z.string() });

function zitadelSource(shared: readonly string[]): Source[] {
  const config = configured(OPERATIONS);
  if (config.zitadelUrl === null || config.zitadelToken === null) return [];
  const client = connected('IAM_OWNER_VIEWER', config);
  return [
    {
      issuer: 'zitadel',
      shared: shared.includes('zitadel'),
      async find(ids) {
        const userIds = ids.filter((id) => id.length <= LONGEST_ID);
        if (userIds.length === 0) return new Set();
        const queries = [{ inUserIdsQuery: { userIds } }];
        const users = await listed(client, Found, {
          path: '/v2/users',
          body: { queries },
          right: 'user.read',
        });
        return new Set(users.map(({ userId }) => userId));
      },
    },
  ];
}

function kanidmSource(shared: readonly string[]): Source[] {
  const { issuer, url, token } = configured(KANIDM);
  if (issuer === null || token === null) return [];
  const config = {
    provider: 'kanidm',
    issuer,
    url: url ?? new URL(issuer).origin,
    token,
    syncToken: null,
  } as const;
  const directory = openDirectory({ directory: config }, openGround({ logLevel: 'silent' }));
  return [
    {
      issuer: 'kanidm',
      shared: shared.includes('kanidm'),
      async find(ids) {
        const result = await directory.find(ids.filter((id) => uuidOf(id) !== null));
        if (isFailure(result)) throw new Failure(`Kanidm does not say who is there: ${result.reason}`);
        return new Set(result.people.map(({ id }) => id));
      },
    },
  ];
}
