import { MARK_SECONDS, type MarkSource, type VisitMark } from '../../../shared/identity/marks.ts';
import type { Clock } from '../../../shared/ports/runtime.ts';
import type { Mark, Revocations } from '../../../shared/ports/revocations.ts';
import type { Identities, Identity } from '../../../shared/identity/identities.ts';

const PAGE = 200;

export interface MarksDeps {
  readonly identities: Identities;
  readonly revocations: Revocations;
  readonly clock: Clock;
  readonly callerOf: (subject: string) => string;
  /** Drops this instance's cache entries of the user. */
  readonly forget: (subject: string) => void;
}

export interface Marks extends MarkSource {
  /** Publishes the user's state to every gateway. Throws as `Revocations` and `Database`; idempotent. */
  publish(subject: string): Promise<void>;
  /** Publishes the states of the last 30 days again: the store may have lost them. Returns the number of users. */
  remark(): Promise<number>;
}

/** The mirror is the durable source. A newer state may be published between reading and publishing one: the version decides. */
export function createMarks(deps: MarksDeps): Marks {
  const { identities, revocations, clock, callerOf, forget } = deps;
  const publish = (identity: Identity): Promise<void> =>
    revocations.mark(callerOf(identity.subject), markOf(identity), MARK_SECONDS);
  const prefix = callerOf('');
  return {
    async publish(subject) {
      await all(await identities.states([subject]), publish);
      forget(subject);
    },
    remark() {
      const since = new Date(clock.now() - MARK_SECONDS * 1_000);
      return eachChanged(identities, since, async (identity) => {
        await publish(identity);
        forget(identity.subject);
      });
    },
    async since(timeMs, visit: VisitMark) {
      await eachChanged(identities, new Date(timeMs), (identity) =>
        visit(callerOf(identity.subject), markOf(identity)),
      );
    },
    async of(caller) {
      if (!caller.startsWith(prefix)) return undefined;
      const [identity] = await identities.states([caller.slice(prefix.length)]);
      return identity === undefined || identity.version === null ? undefined : markOf(identity);
    },
  };
}

async function eachChanged(
  identities: Identities,
  since: Date,
  work: (identity: Identity) => Promise<void>,
): Promise<number> {
  let count = 0;
  let after = '';
  for (;;) {
    const page = await identities.changedSince(since, after, PAGE);
    await all(page, work);
    count += page.length;
    const last = page.at(-1);
    if (last === undefined || page.length < PAGE) return count;
    after = last.subject;
  }
}

/** Settles all first, so that no rejection goes unhandled. */
async function all(page: readonly Identity[], work: (identity: Identity) => Promise<void>): Promise<void> {
  const working = page.map(work);
  await Promise.allSettled(working);
  await Promise.all(working);
}

function markOf({ state, version, tokensNotBefore }: Identity): Mark {
  return {
    version: version ?? Number.MIN_SAFE_INTEGER,
    notBefore: state === 'active' ? (tokensNotBefore?.getTime() ?? 0) : Infinity,
  };
}
