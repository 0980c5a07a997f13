import { VARIABLES } from '../../functions/catalogue.ts';
import { environment } from '../terminal.ts';

/** Of libpq: they would lead to another server or database than the one that is meant. */
const LEADING = /^PG(?:HOST|HOSTADDR|PORT|DATABASE|USER|PASSWORD|SERVICE|OPTIONS|APPNAME|CLIENTENCODING)$/;
/** Ours whose names hold the name of an issuer or a target. */
const NAMED = /^(?:ISSUER|TARGET)_/;

/** The variables of a child: those of this process without ours, which hold secrets that no child needs, and `more`. */
export function childEnvironment(more: Readonly<Record<string, string>> = {}): Record<string, string> {
  const passed = Object.entries(environment).filter(
    (entry): entry is [string, string] =>
      entry[1] !== undefined && !VARIABLES.has(entry[0]) && !LEADING.test(entry[0]) && !NAMED.test(entry[0]),
  );
  return { ...Object.fromEntries(passed), ...more };
}
