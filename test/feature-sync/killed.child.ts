import { z } from 'zod';
import { runSync } from '../../cli/rules/sync.ts';

/** `sallyport rules sync` without the other commands, which would only make it start more slowly. */
const phase = z.enum(['expand', 'contract', 'both']).parse(process.argv[2]);
runSync({ ...(phase !== 'both' && { phase }), wait: 0 }).catch((error: unknown) => {
  console.error(error);
  process.exitCode = 1;
});
