import type { Clock } from '../../../shared/ports/runtime.ts';
import type { Tuple, Tuples } from '../../../shared/ports/tuples.ts';
import { kindOf, type JsonObject } from '../event.ts';
import type { Accounts } from './accounts.ts';
import { grantsFor, renamedObjects, type DefaultGrants, type NewUser } from './grants.ts';
import type { Identities, IdentityState, Recorded } from '../../../shared/identity/identities.ts';
import type { Marks } from './marks.ts';
import type { Organizations } from './organizations.ts';
import { move, sweep } from './relations.ts';
import type { QueuedEvent } from '../inbox/table.ts';

export interface EffectsDeps {
  readonly identities: Identities;
  readonly accounts: Accounts;
  readonly marks: Marks;
  readonly tuples: Tuples;
  readonly grants: DefaultGrants;
  readonly clock: Clock;
  readonly userOf: (subject: string) => string;
  readonly organizations: Organizations;
}

/** Users of a removed organisation that are refused concurrently. */
const PARALLEL = 4;

export type ApplyEvent = (event: QueuedEvent) => Promise<void>;

/**
 * Applies an event. Every effect may be repeated, interrupted anywhere and interleaved in any order: the result is that of
 * a perfect delivery, because the mirror decides and is written first.
 */
export function createEffects(deps: EffectsDeps): ApplyEvent {
  return async (event) => {
    switch (kindOf(event.type)) {
      case 'created':
        return create(event, deps);
      case 'changed':
        await record(event, undefined, deps);
        return;
      case 'suspended':
        await changeState(event, 'suspended', deps);
        return;
      case 'restored':
        await changeState(event, 'active', deps);
        return;
      case 'removed':
        return remove(event, deps);
      case 'linked':
        return link(event, deps);
      case 'organization_removed':
        return removeOrganization(event, deps);
      case undefined:
        throw new Error('an event of a type that nothing handles');
    }
  };
}

async function create(event: QueuedEvent, deps: EffectsDeps): Promise<void> {
  const { state, changed, outlived } = await record(event, undefined, deps);
  // The user was created again since: the newer creation grants.
  if (outlived) return;
  // Once it is recorded: a link that is made later moves what is granted here.
  const { id, remains } = await deps.accounts.of(event.subject);
  const tuples = grantsFor(deps.grants, newUser(id, event, deps));
  if (state === 'removed') return remains ? undefined : takeBack(tuples, deps);
  if (changed) await deps.marks.publish(event.subject);
  await deps.tuples.write({ writes: tuples });
  // A removal, of the user or of the organisation, may have swept in between, before these tuples were written.
  if (!remains && (await record(event, undefined, deps)).state === 'removed') await takeBack(tuples, deps);
}

function newUser(id: string, event: QueuedEvent, { userOf }: Pick<EffectsDeps, 'userOf'>): NewUser {
  return { user: userOf(id), subject: id, type: typeOf(event), organization: event.organization };
}

/** All that the account has been given so far: the gateway names it by the user from now on. */
async function link(event: QueuedEvent, deps: EffectsDeps): Promise<void> {
  const { id, former } = await deps.accounts.of(event.subject);
  const [mirrored] = await deps.identities.states([event.subject]);
  // Unlinked again, or removed, which swept; or the relations are those of another user. Without an event it was given nothing yet, and
  // its creation will find the link.
  if (former === null || mirrored === undefined || mirrored.state === 'removed') return;
  const known = { ...event, organization: mirrored.organization };
  const [from, to] = [newUser(former, known, deps), newUser(id, known, deps)];
  const renamed = renamedObjects(deps.grants, from, to);
  await move({ from: from.user, to: to.user, renamed }, deps.tuples);
}

/** What the account had; and the user, unless that goes on without it. */
async function sweepAccount(subject: string, { accounts, tuples, userOf }: EffectsDeps): Promise<void> {
  const { id, former, remains } = await accounts.of(subject);
  for (const name of [remains ? null : id, former]) if (name !== null) await sweep(userOf(name), tuples);
}

/** Also where this attempt wrote nothing: an earlier one may have been interrupted after its write. */
function takeBack(tuples: readonly Tuple[], deps: EffectsDeps): Promise<void> {
  return deps.tuples.write({ deletes: tuples });
}

async function changeState(event: QueuedEvent, state: IdentityState, deps: EffectsDeps): Promise<Recorded> {
  const recorded = await record(event, state, deps);
  await deps.marks.publish(event.subject);
  return recorded;
}

/** The tombstone first: later events find it. */
async function remove(event: QueuedEvent, deps: EffectsDeps): Promise<void> {
  const { outlived } = await changeState(event, 'removed', deps);
  await sweepAccount(event.subject, deps);
  // The sweep may have deleted tuples of the life that began since: its creation grants again.
  if (outlived) await deps.organizations.createAgain(event.subject, event.position);
}

/** Zitadel's events are dated by its database, its tokens by its process. */
const CLOCKS_DIFFER_MS = 5_000;

/**
 * A suspension or removal withdraws the tokens issued up to then, for good. A reactivation does too, since the suspension
 * may have been missed, with a margin for a user that signs in at once.
 */
function tokensNotBefore({ happenedAt }: QueuedEvent, state: IdentityState | undefined): Date | undefined {
  if (state !== 'active') return state && happenedAt;
  return new Date(happenedAt.getTime() - CLOCKS_DIFFER_MS);
}

/** The tombstone of the organisation first: users recorded later are removed with it. */
async function removeOrganization(event: QueuedEvent, deps: EffectsDeps): Promise<void> {
  const { identities, marks, organizations, clock } = deps;
  const { subject, position } = event;
  await identities.record({ subject, position, state: 'removed' }, new Date(clock.now()));
  // Its mark refuses every token that names it, also of members that cannot be listed; should that fail, the members come first.
  const published = marks.publish(subject);
  await Promise.allSettled([published]);
  for await (const members of organizations.membersOf(event)) {
    const fresh = [...(await organizations.enqueue(event, members))];
    // An event per member does the rest, above all the sweep; here they are refused at once.
    const refuse = async (): Promise<void> => {
      for (let member = fresh.pop(); member !== undefined; member = fresh.pop()) {
        await identities.record(
          { ...member, state: 'removed', tokensNotBefore: event.happenedAt },
          new Date(clock.now()),
        );
        await marks.publish(member.subject);
      }
    };
    await Promise.all(Array.from({ length: PARALLEL }, refuse));
  }
  await published;
}

/** Merges the event into the mirror; a user of a removed organisation is removed with it. */
async function record(
  event: QueuedEvent,
  state: IdentityState | undefined,
  deps: EffectsDeps,
): Promise<Recorded> {
  const { subject, position, payload, organization } = event;
  const change = {
    subject,
    position,
    username: text(payload, 'userName'),
    email: text(payload, 'email'),
    organization: organization ?? undefined,
    state,
    tokensNotBefore: tokensNotBefore(event, state),
    created: kindOf(event.type) === 'created',
  };
  const at = new Date(deps.clock.now());
  const recorded = await deps.identities.record(change, at);
  if (!recorded.orphaned) return recorded;
  const removal = { subject, position, state: 'removed', tokensNotBefore: event.happenedAt } as const;
  const removed = await deps.identities.record(removal, at);
  await deps.marks.publish(subject);
  await sweepAccount(subject, deps);
  return removed;
}

function text(payload: JsonObject, name: string): string | undefined {
  const value = payload[name];
  return typeof value === 'string' ? value : undefined;
}

/** Scripts send the type as their API has it: human, TYPE_HUMAN, 1, … */
function typeOf({ type, payload }: QueuedEvent): string {
  if (type === 'user.machine.added') return 'machine';
  const { userType } = payload;
  return userType === 2 || (typeof userType === 'string' && /machine/i.test(userType)) ? 'machine' : 'human';
}
