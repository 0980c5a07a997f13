import { compileRules, targetsNamedIn } from '../../functions/gateway/match/rules/compile.ts';
import { GATEWAY } from '../../functions/gateway/slice.ts';
import { green, NotSetUp, red, worst, type Finding } from '../../shared/checks/check.ts';
import { readRules } from '../rules/source.ts';
import { environment } from '../terminal.ts';
import { demand, EXCHANGE_MS, partOf, whyUnreached, type DoctorGround } from './ground.ts';

/** Any answer counts, also a refusal. */
export async function targets({ platform }: DoctorGround): Promise<Finding> {
  demand('UPSTREAM_URL');
  const config = partOf(GATEWAY.slice);
  const { text } = await readRules(undefined, environment);
  const compiled = compileRules(text, { targets: targetsNamedIn(text) });
  if (!compiled.ok) throw new NotSetUp('the access rules cannot be used', 'sallyport rules check');
  const used = new Set(compiled.rules.rules.map(({ target }) => target));
  const found = Object.entries(config.targets).flatMap(([name, base]) =>
    base === undefined || !used.has(name) ? [] : [answers(name, base, platform.fetch)],
  );
  return worst(await Promise.all(found), 'no rule leads to a target');
}

async function answers(
  name: string,
  base: string,
  fetch: DoctorGround['platform']['fetch'],
): Promise<Finding> {
  const variable =
    name === 'upstream'
      ? 'UPSTREAM_URL'
      : name === 'openfga'
        ? 'OPENFGA_URL'
        : name === 'zitadel'
          ? 'ZITADEL_API_URL'
          : `TARGET_${name.toUpperCase()}_URL`;
  try {
    const answer = await fetch(base, { method: 'HEAD', signal: AbortSignal.timeout(EXCHANGE_MS) });
    await answer.body?.cancel();
    return green('every target that a rule names answers');
  } catch (error) {
    return red(`target ${name} (${base}): ${whyUnreached(error)}`, `start it, or change ${variable}`);
  }
}
