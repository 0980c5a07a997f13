import { UnusableModel } from '../shared/ports/authorization-models.ts';
import type { Config, ModelFile, RulesSource } from '../shared/configuration/config.ts';
import { parseEnvironment } from '../shared/configuration/environment.ts';
import type { NamedTexts } from '../shared/configuration/texts.ts';
import type { Platform } from '../shared/ports/platform.ts';
import { whyUnreadable } from '../shared/system-errors.ts';
import type { Fault, RawEnvironment } from '../shared/configuration/variables.ts';
import { compileRules } from './gateway/match/rules/compile.ts';
import { place } from './gateway/match/store.ts';
import { readJson } from '../shared/json.ts';
import { holdBy, readModel, type HeldModel } from './gateway/match/rules/model.ts';
import type { Known } from './gateway/match/rules/rule.ts';
import { grantsFile } from './webhooks/apply/grants.ts';

export type Opened<T> =
  { readonly ok: true; readonly value: T } | { readonly ok: false; readonly faults: readonly string[] };

type Files = Pick<Platform, 'readText' | 'parseModel' | 'runtime'>;

/**
 * Opens a bundle from raw variables, or lists every fault of them and of the texts they name. Those are compiled by
 * `open` alone when all goes well: compiling is most of a start, and is done again only to find what is wrong.
 */
export function openConfigured<T>(
  raw: RawEnvironment,
  files: Files,
  open: (config: Config, warnings: readonly Fault[]) => T,
): Opened<T> {
  const parsed = parseEnvironment(raw, files.runtime);
  const { texts } = parsed;
  if (!parsed.ok) return unusable([...parsed.faults, ...textFaults(texts, files)]);
  try {
    return { ok: true, value: open(parsed.config, parsed.warnings) };
  } catch (error) {
    const faults = textFaults(texts, files);
    if (faults.length === 0) throw error;
    return unusable(faults);
  }
}

function unusable(faults: readonly Fault[]): Opened<never> {
  return { ok: false, faults: faults.map(({ variable, problem }) => `${variable} ${problem}`) };
}

function textFaults(texts: NamedTexts, files: Files): Fault[] {
  const { model, faults } = modelFaults(texts.model, files);
  const known = { targets: texts.targets, ...(model && { model }) };
  return [
    ...faults,
    ...faultsIn('ACCESS_RULES', texts.rules, files, (text) => rulesFaults(text, known)),
    ...faultsIn('DEFAULT_GRANTS', texts.grants, files, grantsFaults),
  ];
}

function faultsIn(
  variable: string,
  source: RulesSource | null,
  { readText }: Files,
  check: (text: string) => readonly string[],
): Fault[] {
  if (source === null) return [];
  let text: string;
  try {
    text = source.kind === 'inline' ? source.json : readText(source.path);
  } catch (error) {
    const what =
      source.kind === 'file' ? `names ${JSON.stringify(source.path.slice(0, 200))}, which cannot` : 'cannot';
    return [{ variable, problem: `${what} be read: ${whyUnreadable(error)}` }];
  }
  return check(text).map((problem) => ({ variable, problem }));
}

function modelFaults(
  file: ModelFile | null,
  files: Files,
): { readonly model?: HeldModel | undefined; readonly faults: readonly Fault[] } {
  try {
    return { model: holdBy(readModel(file, files), files), faults: [] };
  } catch (error) {
    if (!(error instanceof UnusableModel)) throw error;
    return { faults: [{ variable: 'OPENFGA_MODEL', problem: error.message }] };
  }
}

function rulesFaults(text: string, known: Known): string[] {
  const compilation = compileRules(text, known);
  if (compilation.ok) return [];
  return compilation.findings.filter(({ severity }) => severity === 'error').map(place);
}

function grantsFaults(text: string): string[] {
  const read = readJson(text);
  if (!read.ok) return [place({ ...read.position, message: `not JSON: ${read.problem}` })];
  const { json } = read;
  if (!Array.isArray(json.value))
    return [place({ ...json.locate([]), message: 'default grants are a JSON array of grants' })];
  const issues = grantsFile.safeParse(json.value).error?.issues ?? [];
  return issues.map(({ path, message }) => {
    const steps = path.map((step) => (typeof step === 'number' ? step : String(step)));
    const field = steps.slice(1).join('.');
    return place({ ...json.locate(steps), message: field === '' ? message : `${field}: ${message}` });
  });
}
