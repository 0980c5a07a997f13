import { createHash } from 'node:crypto';
import * as z from 'zod';
import type { Issuer } from '../../../shared/identity/subjects.ts';
import { sql, type Database } from '../../../shared/ports/database.ts';
import { Refusal } from '../../../shared/errors.ts';
import type { Clock, Random } from '../../../shared/ports/runtime.ts';
import type { Identities, Member } from '../../../shared/identity/identities.ts';
import { CREATION_TYPES, organizationIdOf, REMOVED_WITH_ORGANIZATION } from '../event.ts';
import { IGNORED, parseEvent } from '../receive/parse.ts';
import { dueFrom, type QueuedEvent } from '../inbox/table.ts';
import { stretchesSince } from '../reconcile/zitadel-events.ts';
import { openEventSource, type ZitadelApi } from '../reconcile/zitadel-events.ts';

const PAGE = 200;

/** No Zitadel event is older. */
const BEGINNING = new Date(Date.UTC(2019, 0, 1));

/** Bound on listing the members of one removal, well within the lease of its event. */
const LISTING_MS = 40_000;

export interface OrganizationsDeps {
  readonly database: Pick<Database, 'query' | 'execute'>;
  readonly identities: Identities;
  readonly issuer: Issuer;
  readonly clock: Clock;
  readonly random: Pick<Random, 'uuid'>;
  /** For users without any event here; null without a service account. */
  readonly api: ZitadelApi | null;
}

/** Finds the members of a removed organisation: Zitadel's event names only the organisation. Throws as `Database`. */
export interface Organizations {
  /** In pages: members in the mirror, then those in Zitadel's events, which stay. Throws ProviderUnavailable. */
  membersOf(event: QueuedEvent): AsyncGenerator<readonly Member[]>;
  /** Stores a removal event per member; returns those that had none. */
  enqueue(event: QueuedEvent, members: readonly Member[]): Promise<readonly Member[]>;
  /** Makes creations above a position due again. */
  createAgain(subject: string, position: number): Promise<void>;
}

export function createOrganizations(deps: OrganizationsDeps): Organizations {
  const { database, clock } = deps;
  return {
    async *membersOf({ subject }) {
      const organization = organizationIdOf(subject);
      yield* mirroredMembers(organization, deps);
      if (deps.api !== null) yield* listedMembers(organization, deps.api, deps);
    },
    async enqueue(event, members) {
      const stored = await database.query(insertion(event, members, deps), Stored);
      const fresh = new Set(stored.map(({ subject }) => subject));
      return members.filter(({ subject }) => fresh.has(subject));
    },
    async createAgain(subject, position) {
      await database.execute(
        sql`update sallyport_webhook_events set status = 'pending', due_at = ${dueFrom(new Date(clock.now()))}, finished_at = null
            where subject = ${subject} and position > ${position} and type = any(${CREATION_TYPES}) and status = 'applied'`,
      );
    },
  };
}

async function* mirroredMembers(
  organization: string,
  { identities }: OrganizationsDeps,
): AsyncGenerator<readonly Member[]> {
  let after = '';
  for (;;) {
    const page = await identities.members(organization, after, PAGE);
    if (page.length > 0) yield page;
    const last = page.at(-1);
    if (last === undefined || page.length < PAGE) return;
    after = last.subject;
  }
}

async function* listedMembers(
  organization: string,
  api: ZitadelApi,
  { clock, issuer }: OrganizationsDeps,
): AsyncGenerator<readonly Member[]> {
  const criteria = { eventTypes: CREATION_TYPES, resourceOwner: organization };
  const source = await openEventSource(api, criteria);
  const signal = AbortSignal.timeout(LISTING_MS);
  for await (const { events } of stretchesSince(source, BEGINNING, new Date(clock.now()), signal))
    yield events.flatMap((event) => memberOf(event, issuer));
  // Thrown, so that the event is retried: members found already cost little then.
  signal.throwIfAborted();
}

/** Empty for an event that could not be stored either. */
function memberOf(event: Readonly<Record<string, unknown>>, issuer: Issuer): readonly Member[] {
  try {
    const parsed = parseEvent(event, issuer, 'reconcile');
    if (parsed === IGNORED || 'digest' in parsed.key) return [];
    return [{ subject: parsed.subject, position: parsed.key.sequence }];
  } catch (error) {
    if (error instanceof Refusal) return [];
    throw error;
  }
}

const Stored = z.object({ subject: z.string() });

/** The digest keeps each insertion idempotent when the removal is applied again. */
function insertion(event: QueuedEvent, members: readonly Member[], { random, clock }: OrganizationsDeps) {
  const at = new Date(clock.now());
  const digests = members.map(({ subject }) =>
    createHash('sha256')
      .update(JSON.stringify([REMOVED_WITH_ORGANIZATION, event.id, subject]))
      .digest('hex'),
  );
  return sql`
    insert into sallyport_webhook_events (id, instance_id, subject, sequence, digest, position, type, source,
      organization, payload, occurred_at, received_at, urgent, due_at)
    select member.id, '', member.subject, null, member.digest, member.position, ${REMOVED_WITH_ORGANIZATION}, 'event',
      ${organizationIdOf(event.subject)}, '{}', null, ${at}, true, ${dueFrom(at)}
    from unnest(${members.map(() => random.uuid())}::uuid[], ${members.map(({ subject }) => subject)}::text[],
      ${digests}::text[], ${members.map(({ position }) => position)}::bigint[])
      as member (id, subject, digest, position)
    on conflict do nothing
    returning subject`;
}
