import { z } from 'zod';
import { runRestore } from '../../cli/rules/sync.ts';
import { runSync } from '../../cli/rules/sync.ts';

/** `sallyport rules sync` and `rules restore` without the other commands, which would only make them start more slowly. */
const [step, run] = z
  .tuple([z.enum(['expand', 'contract', 'both', 'restore']), z.string().optional()])
  .parse([process.argv[2], process.argv[3]]);
const work =
  step === 'restore'
    ? runRestore(run ?? '', { wait: 0 })
    : runSync({ ...(step !== 'both' && { phase: step }), wait: 0 });
work.catch((error: unknown) => {
  console.error(error);
  process.exitCode = 1;
});
