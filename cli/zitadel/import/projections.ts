import { pause } from '../../../shared/ports/runtime.ts';
import { note } from '../../terminal.ts';
import { withZitadelDatabase } from '../database/open.ts';
import { eventTypes, projectionsBehind } from '../verify/projections.ts';
import type { Run } from './run.ts';

const LOOK_MS = 2_000;
const SHOWN = 5;
/** Of one statement: a pass over a large event store. */
const STATEMENT_TIMEOUT_MS = 30 * 60_000;

/** Waits until every projection has reduced the newest event of its types. Those that have not in time are named, and go on. */
export async function projections({
  server,
  waitMs,
  signal,
}: Run): Promise<Readonly<Record<string, unknown>>> {
  const until = Date.now() + waitMs;
  for (;;) {
    const behind = await namesBehind(server.url);
    if (behind.length === 0) return { says: 'none is behind its events' };
    const shown = behind.slice(0, SHOWN).join(', ');
    if (Date.now() > until) {
      const warning = `${behind.length} are behind their events: ${shown}; \`sallyport zitadel verify\` looks again`;
      note(`  warning: ${warning}`);
      return { says: warning, warning: true };
    }
    note(`  behind: ${shown}`);
    await pause(LOOK_MS, signal);
    signal.throwIfAborted();
  }
}

function namesBehind(url: string): Promise<readonly string[]> {
  return withZitadelDatabase({ database: url, statementTimeoutMs: STATEMENT_TIMEOUT_MS }, async (zitadel) => {
    const instances = zitadel.instances.map(({ id }) => id);
    const behind = await projectionsBehind(zitadel, instances, await eventTypes(zitadel, instances));
    return behind.map(({ what }) => what);
  });
}
