import { readFileSync } from 'node:fs';
import { holdBy, modelFile, readModel, type HeldModel } from '../../functions/gateway/match/rules/model.ts';
import { UnusableModel, askableOf } from '../../shared/ports/authorization-models.ts';
import { RULES_FILE, targetsIn } from '../../functions/gateway/slice.ts';
import { writtenIn } from '../../shared/configuration/slice.ts';
import { textSource } from '../../shared/configuration/values.ts';
import { openModels, parseModel } from '../deps.ts';
import { Failure } from '../failure.ts';
import { missing } from '../variables.ts';
import { orFailure, storeSettings } from '../fga/connect.ts';
import { readText } from '../input.ts';
import type { FeatureRule } from '../../functions/feature-sync/changes.ts';
import { readFeatureRules } from '../../functions/synced-rules.ts';
import { environment } from '../terminal.ts';

type Environment = Readonly<Record<string, string | undefined>>;

export interface RulesText {
  /** File name, or the variable that holds the rules. */
  readonly name: string;
  readonly text: string;
}

export interface KnownTargets {
  readonly targets: ReadonlySet<string>;
  /** True when no variable configures targets, so that the usual ones are assumed. */
  readonly assumed: boolean;
}

/** The rules of a command: the given file, or those that the gateway would load. */
export async function readRules(file: string | undefined, env: Environment): Promise<RulesText> {
  const configured = env['ACCESS_RULES']?.trim() ?? '';
  const source =
    file === undefined ? textSource(configured || RULES_FILE) : ({ kind: 'file', path: file } as const);
  if (source.kind === 'inline') return { name: 'ACCESS_RULES', text: source.json };
  return { name: source.path, text: await readText(source.path) };
}

/** The model that the gateway would check rules against at start. Throws Failure. */
export function configuredModel(env: Environment): HeldModel | undefined {
  const files = { readText: (path: string) => readFileSync(path, 'utf8'), parseModel };
  try {
    return holdBy(readModel(modelFile(env['OPENFGA_MODEL']?.trim() || undefined), files), files);
  } catch (error) {
    if (error instanceof UnusableModel) throw new Failure(`OPENFGA_MODEL ${error.message}`, { cause: error });
    throw error;
  }
}

/** The model that the configured OpenFGA uses. Throws Failure. */
export async function storedModel(): Promise<HeldModel> {
  const settings = storeSettings();
  const served = await orFailure(openModels(settings).served());
  if (served === undefined)
    throw new Failure(`store ${settings.storeId} has no model: \`sallyport fga bootstrap\` writes one`);
  return { name: `model ${served.id} of store ${settings.storeId}`, askable: askableOf(served.model) };
}

/** The targets that rules may name, from the variables the gateway reads. */
export function knownTargets(env: Environment): KnownTargets {
  const isSet = (name: string) => (env[name] ?? '').trim() !== '';
  const named = Object.keys(targetsIn(writtenIn(env)).targets);
  if (isSet('ZITADEL_API_URL') || isSet('ZITADEL_ISSUER_URL')) named.push('zitadel');
  if (isSet('OPENFGA_URL')) named.push('openfga');
  if (named.length === 0) return { targets: new Set(['upstream', 'zitadel', 'openfga']), assumed: true };
  return { targets: new Set(['upstream', ...named]), assumed: false };
}

export interface TwoFiles {
  readonly previous: readonly FeatureRule[];
  readonly current: readonly FeatureRule[];
}

export interface RulesOptions {
  /** File names, in place of the variables. */
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
  // Without it every feature would look new, and a rename would go unnoticed.
  if (name === '') throw missing('ACCESS_RULES_PREV', 'write the rules that serve now, or [] for none');
  return { name, text: await readText(name) };
}

function parsed({ name, text }: RulesText): readonly FeatureRule[] {
  const read = readFeatureRules(text);
  if (read.ok) return read.rules;
  throw new Failure(read.faults.map((fault) => `${name}:${fault}`).join('\n'));
}
