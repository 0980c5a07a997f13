import { askableOf, type AuthorizationModels } from '../../../shared/ports/authorization-models.ts';
import { RelationsRefused } from '../../../shared/errors.ts';
import type { Clock } from '../../../shared/ports/runtime.ts';
import type { Log } from '../../../shared/ports/log.ts';
import type { Look, ReadinessCheck } from '../../../shared/edge/readiness.ts';
import { lackOf } from '../match/rules/model.ts';
import type { CompiledRules } from '../match/types.ts';

export interface ModelCheckDeps {
  readonly models: Pick<AuthorizationModels, 'served'>;
  readonly rules: () => CompiledRules;
  readonly clock: Clock;
  readonly log: Log;
}

/** Probes come often, and a model changes seldom. */
const KEPT_MS = 5_000;

/**
 * Checks the rules in force against the model that OpenFGA uses. Never needed: a rule that can only be answered with
 * 500 concerns its own callers, and no other instance would serve them better.
 */
export function modelCheck({ models, rules, clock, log }: ModelCheckDeps): ReadinessCheck {
  let kept: { readonly of: CompiledRules; readonly until: number; readonly look: Look } | undefined;
  let reported = '';

  const compare = async (of: CompiledRules): Promise<Look> => {
    const lacking = await lackingIn(of, models);
    if (lacking.length > 0 && lacking.join() !== reported)
      log.error('access rules ask what the model of OpenFGA lacks', { rules: lacking });
    reported = lacking.join();
    return lacking.length === 0
      ? { up: true, state: 'fits' }
      : { up: false, state: 'lacks what rules ask', rules: lacking };
  };

  return {
    name: 'authorization_model',
    check: 'rules-model',
    needed: false,
    async look() {
      const of = rules();
      if (kept?.of === of && clock.now() < kept.until) return kept.look;
      try {
        const look = await compare(of);
        kept = { of, until: clock.now() + KEPT_MS, look };
        return look;
      } catch (error) {
        if (!(error instanceof RelationsRefused)) throw error;
        return { up: false, state: 'refused', last_error: error.message };
      }
    },
  };
}

/** One line per rule that can only be refused. */
async function lackingIn({ rules }: CompiledRules, { served }: ModelCheckDeps['models']): Promise<string[]> {
  const checked = rules.flatMap(({ access, ...rule }) =>
    access.kind === 'relation' ? [{ access, ...rule }] : [],
  );
  if (checked.length === 0) return [];
  const found = await served();
  const name = found === undefined ? 'the store, without a model,' : `model ${found.id}`;
  const held = { name, askable: found === undefined ? new Map<string, never>() : askableOf(found.model) };
  return checked.flatMap(({ access, index, path, methods }) => {
    const lack = lackOf(access, held);
    return lack === undefined ? [] : [`/${index} (${[methods].flat().join(', ')} ${path}): ${lack.message}`];
  });
}
