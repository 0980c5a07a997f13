import type { Command } from 'commander';
import { withExamples } from './help.ts';
import { registerConfig } from './zitadel/config.ts';
import { registerFirstInstance } from './zitadel/first-instance.ts';
import { registerImport } from './zitadel/import.ts';
import { registerLoginNames } from './zitadel/login-names.ts';
import { registerSetup } from './zitadel/setup.ts';
import { registerTokens } from './zitadel/tokens.ts';
import { registerUsers } from './zitadel/users.ts';
import { registerVerify } from './zitadel/verify.ts';

/** Registers of the parts, one line each; a part loads its work when it is called. */
const PARTS: readonly ((zitadel: Command) => void)[] = [
  registerConfig,
  registerFirstInstance,
  registerImport,
  registerLoginNames,
  registerSetup,
  registerTokens,
  registerUsers,
  registerVerify,
];

export function registerZitadel(program: Command): void {
  const zitadel = withExamples(
    program
      .command('zitadel')
      .description(
        'Set up, import, verify and look after a Zitadel; who may sign in there, and by which name.',
      ),
    [
      ['sallyport zitadel first-instance check compose.yaml', 'before the first start'],
      ['sallyport zitadel setup --dry-run', 'what a set-up would make and change'],
    ],
  );
  for (const register of PARTS) register(zitadel);
}
