import * as z from 'zod';
import type { Runtime } from './config.ts';
import { postgresUrl, type Fault, type RawEnvironment } from './variables.ts';

/** The one binding that is configuration: where the pool of Hyperdrive is reached, by a URL that holds inside workerd only. */
const Hyperdrive = z.object({ connectionString: postgresUrl });

export interface Bindings {
  /** Undefined without the binding, and on Node, which has none. */
  readonly hyperdriveUrl: string | undefined;
  readonly faults: readonly Fault[];
}

/** What a Worker is handed beside text: objects that the runtime made, checked before anything uses them. */
export function readBindings(raw: RawEnvironment, runtime: Runtime): Bindings {
  const { HYPERDRIVE } = raw;
  if (runtime === 'node' || HYPERDRIVE === undefined) return { hyperdriveUrl: undefined, faults: [] };
  const parsed = Hyperdrive.safeParse(HYPERDRIVE);
  if (parsed.success) return { hyperdriveUrl: parsed.data.connectionString, faults: [] };
  const problem =
    'is no Hyperdrive of a Postgres: bind one as [[hyperdrive]] in wrangler.toml, or leave it out';
  return { hyperdriveUrl: undefined, faults: [{ variable: 'HYPERDRIVE', problem }] };
}
