import * as z from 'zod';
import { groupUuid } from '../../identity/tenant-groups.ts';
import type { Failure, Person } from '../../ports/directory.ts';
import { ask, asFailure, READ_MS, type ZitadelParts } from './client.ts';

/** zitadel.user.v2.User */
export const User = z.object({
  userId: z.string(),
  state: z.string().optional(),
  username: z.string().default(''),
  details: z.looseObject({ resourceOwner: z.string() }),
  human: z
    .looseObject({
      profile: z.looseObject({ displayName: z.string().optional() }).optional(),
      email: z.looseObject({ email: z.string().optional() }).optional(),
    })
    .optional(),
});

/** A person, and where Zitadel keeps them. */
export interface ZitadelPerson extends Person {
  readonly organization: string;
  /** Locked people are disabled too, and enabled by another call. */
  readonly locked: boolean;
}

export function toPerson(user: z.output<typeof User>, issuer: string): ZitadelPerson | undefined {
  const { userId, username, state, details, human } = user;
  if (human === undefined) return undefined;
  return {
    id: userId,
    name: username,
    displayName: human.profile?.displayName ?? null,
    mail: human.email?.email ?? null,
    state: state === 'USER_STATE_INACTIVE' || state === 'USER_STATE_LOCKED' ? 'disabled' : 'active',
    locked: state === 'USER_STATE_LOCKED',
    groups: [groupUuid(issuer, details.resourceOwner)],
    origin: 'local',
    organization: details.resourceOwner,
  };
}

export function pathOf(id: string): string {
  return `/v2/users/${encodeURIComponent(id)}`;
}

const Single = z.object({ user: User });

/** `machine`: the id is taken by a service account. */
export async function userOf(
  { caller, config }: ZitadelParts,
  id: string,
): Promise<
  | { readonly outcome: 'person'; readonly person: ZitadelPerson }
  | { readonly outcome: 'absent' }
  | { readonly outcome: 'machine' }
  | Failure
> {
  const asked = await ask(caller, { method: 'GET', path: pathOf(id), timeoutMs: READ_MS });
  if (asked.outcome === 'fault' && asked.status === 404) return { outcome: 'absent' };
  if (asked.outcome !== 'ok') return asFailure(asked);
  const user = Single.safeParse(asked.body).data?.user;
  if (user === undefined) return { outcome: 'failed', reason: 'not the shape of a user' };
  const person = toPerson(user, config.issuer);
  return person === undefined ? { outcome: 'machine' } : { outcome: 'person', person };
}
