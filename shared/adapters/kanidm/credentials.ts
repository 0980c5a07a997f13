import * as z from 'zod';
import type { Directory, Failure } from '../../ports/directory.ts';
import type { Caller } from '../provider-call.ts';
import { pathOf } from './changes.ts';
import { ask, asFailure, READ_MS, WRITE_MS } from './client.ts';

const Intent = z.object({ token: z.string().min(1), expiry_time: z.number() });
const Status = z.object({ creds: z.array(z.object({ type_: z.unknown() })) });

const YIELD_REMEDY =
  'a synced person sets no credential of their own until the sync account yields that: as admin, PUT ["primary_credential","passkeys"] to /v1/sync_account/NAME/_attr/sync_yield_authority';

/** `origin`: where browsers reach Kanidm's pages. Kanidm keeps the life of a link between 5 minutes and a day. */
export function kanidmCredentials(caller: Caller, origin: string): Pick<Directory, 'invite' | 'credentials'> {
  return {
    async invite(id, ttlSeconds) {
      const path = `${pathOf(id)}/_credential/_update_intent/${Math.max(1, Math.floor(ttlSeconds))}`;
      const answer = await ask(caller, { method: 'GET', path, timeoutMs: WRITE_MS });
      if (answer.outcome === 'absent') return { outcome: 'absent' };
      if (answer.outcome !== 'ok') return ofSynced(asFailure(answer));
      const intent = Intent.safeParse(answer.body).data;
      if (intent === undefined) return { outcome: 'failed', reason: 'not the shape of a reset intent' };
      const url = `${origin}/ui/reset?token=${encodeURIComponent(intent.token)}`;
      return { outcome: 'link', url, expiresAt: new Date(intent.expiry_time * 1_000) };
    },
    async credentials(id) {
      const path = `${pathOf(id)}/_credential/_status`;
      const answer = await ask(caller, { method: 'GET', path, timeoutMs: READ_MS });
      if (answer.outcome === 'absent') return { outcome: 'absent' };
      if (answer.outcome !== 'ok') return asFailure(answer);
      const creds = Status.safeParse(answer.body).data?.creds ?? [];
      return { outcome: 'known', kinds: creds.map(({ type_ }) => kindOf(type_)) };
    },
  };
}

function ofSynced(failure: Failure): Failure {
  const owned = failure.outcome === 'denied' && failure.reason.includes('notauthorised');
  return owned ? { ...failure, remedy: YIELD_REMEDY } : failure;
}

/** A word, or an object whose one key is it. */
function kindOf(type: unknown): string {
  if (typeof type === 'string') return type;
  return typeof type === 'object' && type !== null ? (Object.keys(type)[0] ?? 'unknown') : 'unknown';
}
