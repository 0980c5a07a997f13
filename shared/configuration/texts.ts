import type { ModelFile, RulesSource, Runtime } from './config.ts';
import { targetNamedBy, type Fault, type SoundVariables, type Written } from './variables.ts';

/**
 * The texts that variables hold or name, to be checked by the functions that use them: present whatever is wrong with other
 * variables, so that all faults of a configuration are found together. Null is what this configuration does not read.
 */
export interface NamedTexts {
  readonly rules: RulesSource | null;
  readonly grants: RulesSource | null;
  readonly model: ModelFile | null;
  /** What rules may name as their target. */
  readonly targets: ReadonlySet<string>;
}

export function namedTexts(
  v: SoundVariables,
  written: Written,
  faults: readonly Fault[],
  runtime: Runtime,
): NamedTexts {
  // A Worker always has its default file; on Node it is read for webhooks alone.
  const granting =
    runtime === 'workers' ||
    (written['DATABASE_URL'] !== undefined && written['ZITADEL_ISSUER_URL'] !== undefined);
  return {
    rules: sourceOf(v.ACCESS_RULES),
    // Written text has to hold, read or not; the default file may be absent where nobody would read it.
    grants: granting || written['DEFAULT_GRANTS'] !== undefined ? sourceOf(v.DEFAULT_GRANTS) : null,
    model: modelFile(v.OPENFGA_MODEL),
    targets: targetNames(written, faults),
  };
}

/** Those that a faulty or missing variable would configure are among them: their rules have no fault of their own. */
function targetNames(written: Written, faults: readonly Fault[]): ReadonlySet<string> {
  const names = [...Object.keys(written), ...faults.map(({ variable }) => variable)];
  const zitadel = names.some((name) => name === 'ZITADEL_API_URL' || name === 'ZITADEL_ISSUER_URL');
  const named = names.flatMap((name) => targetNamedBy(name) ?? []);
  return new Set(['upstream', 'openfga', ...(zitadel ? ['zitadel'] : []), ...named]);
}

function sourceOf(text: string | undefined): RulesSource | null {
  return text === undefined ? null : rulesSource(text);
}

/** OPENFGA_MODEL */
export function modelFile(text: string | undefined): ModelFile | null {
  if (text === undefined) return { path: 'config/model.fga', optional: true };
  return text === 'off' ? null : { path: text, optional: false };
}

/** JSON of any kind is taken for the text itself: for an object the fault is then that a list is wanted, not that no such file is there. */
export function rulesSource(text: string): RulesSource {
  return /^\s*[[{"]/.test(text) ? { kind: 'inline', json: text } : { kind: 'file', path: text };
}
