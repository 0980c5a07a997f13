import type { Stack } from '../stack.ts';
import { checkStep, type CheckOptions } from './check.ts';
import { checkCommand } from './command.ts';
import { isRequest, type Bearer } from './step.ts';
import { stepsOf } from './steps.ts';
import type { Colors, Scene } from './text.ts';

/** Takes the whole tour and says what held; resolves to the exit code. */
export async function selfCheck(scene: Scene, stack: Stack, colors: Colors): Promise<number> {
  const options: CheckOptions = { places: scene.places, tokenOf: keptTokens(stack) };
  const steps = stepsOf(scene.storeId);
  let failed = 0;
  for (const step of steps) {
    const difference = isRequest(step)
      ? await checkStep(step, options)
      : await checkCommand(step, scene.envFile);
    if (difference !== undefined) failed += 1;
    const mark = difference === undefined ? colors.green('✓') : colors.red('✗');
    console.log(`${mark} ${step.title}${difference === undefined ? '' : `: ${difference}`}`);
  }
  console.log(
    failed === 0 ? `\nAll ${steps.length} steps hold.` : `\n${failed} of ${steps.length} steps failed.`,
  );
  return failed === 0 ? 0 : 1;
}

/** One token each for the whole tour: what happens to a user must meet a token from before. */
function keptTokens({ oidc, zitadel }: Stack): CheckOptions['tokenOf'] {
  const kept = new Map<Bearer, string>([['service', zitadel.token]]);
  return async (bearer) => {
    const token = kept.get(bearer) ?? (await oidc.mintToken(bearer));
    kept.set(bearer, token);
    return token;
  };
}
