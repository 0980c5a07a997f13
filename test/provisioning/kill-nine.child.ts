import { z } from 'zod';
import { runProvision } from '../../cli/users/provision.ts';
import { runReconcile } from '../../cli/users/reconcile.ts';
import { runRollback } from '../../cli/users/rollback.ts';

/** Commands of `sallyport users` without the others, which would only make them start more slowly. */
const [verb, run] = z
  .tuple([z.enum(['provision', 'resume', 'rollback', 'reconcile']), z.string().optional()])
  .parse([process.argv[2], process.argv[3]]);
const COMMANDS = {
  provision: () => runProvision(undefined, { passwords: true }),
  resume: () => runProvision(undefined, { passwords: true, ...(run !== undefined && { resume: run }) }),
  rollback: () => runRollback(run ?? '', {}),
  reconcile: () => runReconcile({ fix: true }),
};
COMMANDS[verb]().catch((error: unknown) => {
  console.error(error);
  process.exitCode = 1;
});
