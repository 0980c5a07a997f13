import type { Clock } from '../../shared/ports.ts';
import type { Tuple, Tuples } from '../../shared/tuples.ts';
import type { JsonObject } from './event.ts';
import { grantsFor, type DefaultGrants } from './grants.ts';
import type { Identities, IdentityState } from './identities.ts';
import { kindOf } from './kinds.ts';
import type { Marks } from './marks.ts';
import type { QueuedEvent } from './queue.ts';
import { sweep } from './sweep.ts';

export interface EffectsDeps {
  readonly identities: Identities;
  readonly marks: Marks;
  readonly tuples: Tuples;
  readonly grants: DefaultGrants;
  readonly clock: Clock;
  readonly userOf: (subject: string) => string;
}

export type ApplyEvent = (event: QueuedEvent) => Promise<void>;

/**
 * Does what an event asks for. Every effect may be repeated, cut off anywhere and meet others in any order:
 * the end is that of a perfect delivery, because the mirror decides and is written first.
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
        return changeState(event, 'suspended', deps);
      case 'restored':
        return changeState(event, 'active', deps);
      case 'removed':
        return remove(event, deps);
      case undefined:
        throw new Error('an event of a type that nothing handles');
    }
  };
}

async function create(event: QueuedEvent, deps: EffectsDeps): Promise<void> {
  const tuples = grantsFor(deps.grants, {
    user: deps.userOf(event.subject),
    subject: event.subject,
    type: typeOf(event),
    organization: event.organization,
  });
  if ((await record(event, undefined, deps)) === 'removed') return takeBack(tuples, deps);
  await deps.tuples.write({ writes: tuples });
  // A removal may have swept between the two, before these tuples were there.
  const [now] = await deps.identities.states([event.subject]);
  if (now?.state === 'removed') await takeBack(tuples, deps);
}

/** Also where this attempt wrote nothing: an earlier one may have been cut off after its write. */
function takeBack(tuples: readonly Tuple[], deps: EffectsDeps): Promise<void> {
  return deps.tuples.write({ deletes: tuples });
}

async function changeState(event: QueuedEvent, state: IdentityState, deps: EffectsDeps): Promise<void> {
  await record(event, state, deps);
  await deps.marks.publish(event.subject);
}

/** The tombstone first: whatever comes later finds it. */
async function remove(event: QueuedEvent, deps: EffectsDeps): Promise<void> {
  await changeState(event, 'removed', deps);
  await sweep(deps.userOf(event.subject), deps.tuples);
}

/** Zitadel's events are dated by its database, its tokens by its process. */
const CLOCKS_DIFFER_MS = 5_000;

/**
 * A suspension or removal kills the tokens issued up to then, for good. Who is back has none from before that either: it
 * counts as well, since the suspension may have been missed, with something left over for whoever signs in at once.
 */
function tokensNotBefore({ happenedAt }: QueuedEvent, state: IdentityState | undefined): Date | undefined {
  if (state !== 'active') return state && happenedAt;
  return new Date(happenedAt.getTime() - CLOCKS_DIFFER_MS);
}

function record(
  event: QueuedEvent,
  state: IdentityState | undefined,
  { identities, clock }: EffectsDeps,
): Promise<IdentityState> {
  const { subject, position, payload } = event;
  const change = {
    subject,
    position,
    username: text(payload, 'userName'),
    email: text(payload, 'email'),
    state,
    tokensNotBefore: tokensNotBefore(event, state),
  };
  return identities.record(change, new Date(clock.now()));
}

function text(payload: JsonObject, name: string): string | undefined {
  const value = payload[name];
  return typeof value === 'string' ? value : undefined;
}

/** Scripts name the type as their API does: human, TYPE_HUMAN, 1, … */
function typeOf({ type, payload }: QueuedEvent): string {
  if (type === 'user.machine.added') return 'machine';
  const { userType } = payload;
  return userType === 2 || (typeof userType === 'string' && /machine/i.test(userType)) ? 'machine' : 'human';
}
