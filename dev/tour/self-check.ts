import * as z from 'zod';
import type { Stack } from '../stack.ts';
import { checkStep, type CheckOptions } from './check.ts';
import { checkCommand } from './command.ts';
import type { Ending } from '../ending.ts';
import { GRACE_SIGNS_IN } from './doors.ts';
import { inRun, isCommand, RUN, userOf, type Bearer } from './step.ts';
import { stepsOf } from './steps.ts';
import type { Colors, Scene } from './text.ts';

/** Takes the whole tour and says what held; resolves to the exit code, after a signal to that of the signal. */
export async function selfCheck(scene: Scene, stack: Stack, colors: Colors, ending: Ending): Promise<number> {
  const run = String(Date.now());
  const options: CheckOptions = {
    places: scene.places,
    tokenOf: keptTokens(stack, scene.places.gateway, run),
  };
  const steps = stepsOf(scene).map((step) => inRun(step, run));
  let failed = 0;
  for (const step of steps) {
    const code = ending.code();
    if (code !== undefined) return code;
    const difference = isCommand(step)
      ? await checkCommand(step, scene.envFile)
      : await checkStep(step, options);
    if (difference !== undefined) failed += 1;
    const mark = difference === undefined ? colors.green('✓') : colors.red('✗');
    console.log(`${mark} ${step.title}${difference === undefined ? '' : `: ${difference}`}`);
  }
  console.log(
    failed === 0 ? `\nAll ${steps.length} steps hold.` : `\n${failed} of ${steps.length} steps failed.`,
  );
  return failed === 0 ? 0 : 1;
}

/** One token each, until a step wants another: what happens to a user must meet a token from before. */
function keptTokens({ oidc, zitadel }: Stack, gateway: string, run: string): CheckOptions['tokenOf'] {
  const kept = new Map<Bearer, string>([['service', zitadel.token]]);
  return async (bearer, anew) => {
    const known = anew ? undefined : kept.get(bearer);
    const made = (): Promise<string> =>
      bearer === 'grace' ? sessionToken(gateway) : oidc.mintToken(userOf(bearer).replaceAll(RUN, run));
    const token = known ?? (await made());
    kept.set(bearer, token);
    return token;
  };
}

const SignedIn = z.object({ access_token: z.string() });

async function sessionToken(gateway: string): Promise<string> {
  const answer = await fetch(gateway + GRACE_SIGNS_IN.path, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(GRACE_SIGNS_IN.body),
  });
  return SignedIn.parse(await answer.json()).access_token;
}
