import { colors } from '../../terminal.ts';
import type { GateLine } from './gate.ts';

export function linesOf(gate: readonly GateLine[]): string[] {
  return gate.flatMap(({ ok, missing, says, examples }) => [
    `${ok ? colors.green('ok     ') : colors.red('missing')} ${says}`,
    ...(ok ? [] : examples.map((example) => `          ${example}`)),
    ...(!ok && missing > examples.length && examples.length > 0
      ? [`          and ${missing - examples.length} more`]
      : []),
  ]);
}
