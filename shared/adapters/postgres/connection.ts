import type { ClientBase } from 'pg';
import * as z from 'zod';
import { settingsStatement } from '../../database/driver.ts';

/**
 * Sets up a new connection. Returns false when a pooler answers in the server's place: then only settings that poolers keep
 * per client are set, and the others belong into each transaction.
 */
export async function setUp(client: ClientBase, statementTimeoutMs: number): Promise<boolean> {
  const direct = await isDirect(client);
  await client.query(settingsStatement(direct ? 'session' : 'pooled session', statementTimeoutMs));
  return direct;
}

/** A pooler invents the process id that it sends at the start of a connection: it differs from the server's own. */
export async function isDirect(client: ClientBase): Promise<boolean> {
  const announced = processId(client);
  if (announced === 0) return true;
  // Without a parameter it is one message, which a pooler cannot split.
  const { rows } = await client.query<Record<string, unknown>>('select pg_backend_pid() as pid');
  return Backend.safeParse(rows[0]).data?.pid === announced;
}

const Backend = z.object({ pid: z.coerce.number() });

const Connected = z.object({ processID: z.number().int() });

/** From the server's BackendKeyData message; 0 when it sent none. The driver's types omit the field. */
export function processId(client: ClientBase): number {
  return Connected.safeParse(client).data?.processID ?? 0;
}
