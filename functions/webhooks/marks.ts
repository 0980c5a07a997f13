import type { Clock, Revocations } from '../../shared/ports.ts';
import type { Identities, Identity, IdentityState } from './identities.ts';

/** A suspended or removed user gets no new token, so the mark only has to outlive the old ones. */
export const MARK_SECONDS = 30 * 24 * 3600;

const PAGE = 200;
/** A state that changes more often than this while it is published belongs to whoever changes it. */
const MOST_ROUNDS = 5;

export interface MarksDeps {
  readonly identities: Identities;
  readonly revocations: Revocations;
  readonly clock: Clock;
  readonly callerOf: (subject: string) => string;
  /** Drops what this instance remembers of the user. */
  readonly forget: (subject: string) => void;
}

export interface Marks {
  /** Tells every gateway the user's state. Throws as `Revocations` and `Database`; again is harmless. */
  publish(subject: string): Promise<void>;
  /** Tells again what was told in the last 30 days: the store may have lost it. Answers how many users. */
  remark(): Promise<number>;
}

export function createMarks(deps: MarksDeps): Marks {
  return {
    publish: async (subject) => publish(await deps.identities.states([subject]), deps),
    async remark() {
      const since = new Date(deps.clock.now() - MARK_SECONDS * 1000);
      let count = 0;
      let after = '';
      for (;;) {
        const page = await deps.identities.changedSince(since, after, PAGE);
        await publish(page, deps);
        count += page.length;
        const last = page.at(-1);
        if (last === undefined || page.length < PAGE) return count;
        after = last.subject;
      }
    },
  };
}

/**
 * Between reading a state and telling it somebody else may change and tell it, and what is told last would be the older
 * one. So the state is read again afterwards, and told again where it changed.
 */
async function publish(identities: readonly Identity[], deps: MarksDeps): Promise<void> {
  let current = identities;
  for (let round = 0; round < MOST_ROUNDS && current.length > 0; round++) {
    await Promise.all(current.map((identity) => tell(identity, deps)));
    const told = new Map(current.map(({ subject, state }): [string, IdentityState] => [subject, state]));
    const now = await deps.identities.states([...told.keys()]);
    current = now.filter(({ subject, state }) => told.get(subject) !== state);
  }
}

async function tell(
  { subject, state }: Identity,
  { revocations, callerOf, forget }: MarksDeps,
): Promise<void> {
  const caller = callerOf(subject);
  if (state === 'active') await revocations.restore(caller);
  else await revocations.revoke(caller, MARK_SECONDS);
  forget(subject);
}
