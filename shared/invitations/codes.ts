import * as z from 'zod';
import { addressHash } from '../mail/outcomes.ts';
import { sql, type Database, type Sql } from '../ports/database.ts';
import type { KeyRing } from '../sessions/keys.ts';
import { nextRange, within } from './due.ts';
import { ACROSS, ACTIVE, PROVISIONED, UNMAILABLE, whoIs } from './people.ts';
import { invitationToken } from './token.ts';
import { LINK_DAYS, type Wave } from './wave.ts';

const PersonRow = z.object({
  invitationId: z.string(),
  userId: z.string(),
  tenant: z.string(),
  email: z.string(),
  fullName: z.string().nullable(),
  step: z.string(),
});

/** A person without a usable address, with a link to be printed. */
export interface PrintedCode extends Readonly<z.output<typeof PersonRow>> {
  readonly token: string;
}

const CountRow = z.object({ count: z.number() });

type WaveKey = Pick<Wave, 'id' | 'inviteCode'>;

/** Living invitations of a wave whose people no mail reaches. */
function unreached({ id, inviteCode }: WaveKey): Sql {
  const is = sql`${ACTIVE} and not ${ACROSS} and p.excluded_at is null and (${inviteCode}::boolean or ${PROVISIONED}) and ${UNMAILABLE}`;
  return sql`sallyport_invitations i cross join ${whoIs(sql`i.user_id`, is)} where i.wave_id = ${id}::uuid and i.ended_at is null`;
}

/** In pages. Throws as `Database`. */
export async function countUnreached(database: Pick<Database, 'query'>, wave: WaveKey): Promise<number> {
  let count = 0;
  for (let at: string | null = null, more = true; more;) {
    const range = await nextRange(database, wave, at);
    if (range === undefined) break;
    const [row] = await database.query(
      sql`select count(*)::int as count from ${unreached(wave)} and ${within(range)}`,
      CountRow,
    );
    count += row?.count ?? 0;
    ({ to: at, more } = range);
  }
  return count;
}

const BATCH = 500;
const START = '00000000-0000-0000-0000-000000000000';

/** Makes a new link for each of them, in batches; those before no longer count. Throws as `Database`. */
export async function* printCodes(
  wave: WaveKey,
  { database, keyRing }: { readonly database: Database; readonly keyRing: KeyRing },
): AsyncGenerator<readonly PrintedCode[]> {
  for (let after = START, more = true; more;) {
    const people: z.output<typeof PersonRow>[] = await database.query(
      sql`select i.invitation_id as "invitationId", who.user_id as "userId", who.slug as tenant, who.email, who.full_name as "fullName",
            'code-' || (select count(*) + 1 from sallyport_invitation_steps s
              where s.invitation_id = i.invitation_id and s.step like 'code-%') as step
          from ${unreached(wave)} and i.invitation_id > ${after}::uuid order by i.invitation_id limit ${BATCH}::int`,
      PersonRow,
    );
    const made = await Promise.all(
      people.map(async (each) => ({
        ...each,
        ...(await invitationToken(keyRing, each.invitationId, each.step)),
      })),
    );
    if (made.length > 0) await database.execute(printing(made));
    yield made;
    after = people.at(-1)?.invitationId ?? after;
    more = people.length === BATCH;
  }
}

function printing(made: readonly (PrintedCode & { readonly hash: Uint8Array })[]): Sql {
  return sql`
    with given as (
      select * from unnest(${made.map(({ invitationId }) => invitationId)}::uuid[], ${made.map(({ step }) => step)}::text[],
        ${made.map(({ hash }) => hash)}::bytea[], ${made.map(({ email }) => email)}::text[]) as given (invitation_id, step, token_hash, email)
    ), queued as (
      update sallyport_invitations i set queued_at = coalesce(i.queued_at, now()), address_hash = ${addressHash(sql`given.email`)}
      from given where i.invitation_id = given.invitation_id and i.ended_at is null
      returning i.invitation_id, i.wave_id, given.step, given.token_hash
    ), older as (
      update sallyport_invitation_steps s set superseded_at = now() from queued
      where s.invitation_id = queued.invitation_id and s.superseded_at is null
    )
    insert into sallyport_invitation_steps (invitation_id, step, wave_id, token_hash, expires_at, settled_at)
    select invitation_id, step, wave_id, token_hash, now() + interval '1 day' * ${LINK_DAYS}::int, now() from queued`;
}
