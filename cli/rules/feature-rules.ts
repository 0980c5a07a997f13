import type { FeatureRule } from '../../functions/feature-sync/changes.ts';
import { readFeatureRules } from '../../functions/synced-rules.ts';
import { Failure, missing } from '../failure.ts';
import { readText } from '../files.ts';
import { environment } from '../terminal.ts';
import { readRules, type RulesText } from './source.ts';

export interface TwoFiles {
  readonly previous: readonly FeatureRule[];
  readonly current: readonly FeatureRule[];
}

export interface RulesOptions {
  /** File names; instead of the variables. */
  readonly previous?: string;
  readonly rules?: string;
}

/** Both rules files of a command. Throws Failure with every fault. */
export async function readBoth(options: RulesOptions): Promise<TwoFiles> {
  const texts = [await readPrevious(options.previous), await readRules(options.rules, environment)];
  const [previous = [], current = []] = texts.map(parsed);
  return { previous, current };
}

async function readPrevious(file: string | undefined): Promise<RulesText> {
  const configured = environment['ACCESS_RULES_PREV']?.trim() ?? '';
  if (file === undefined && configured.startsWith('['))
    return { name: 'ACCESS_RULES_PREV', text: configured };
  const name = file ?? configured;
  // Without it every feature would look new, and a rename would pass unseen.
  if (name === '') throw missing('ACCESS_RULES_PREV', 'write the rules that serve now, or [] for none');
  return { name, text: await readText(name) };
}

function parsed({ name, text }: RulesText): readonly FeatureRule[] {
  const read = readFeatureRules(text);
  if (read.ok) return read.rules;
  throw new Failure(read.faults.map((fault) => `${name}:${fault}`).join('\n'));
}
