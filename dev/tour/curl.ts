import { formOf, formUrl, startUrl } from './browser.ts';
import { GRACE_SIGNS_IN } from './doors.ts';
import { RUN, userOf, type Bearer, type Places, type RequestStep, type SignInStep } from './step.ts';

/** The step as a line for a POSIX shell; tokens come from the variables that `tokenLine` sets. */
export function curlLine(step: RequestStep, places: Places): string {
  const parts = ['curl -i'];
  if (step.path.includes('..')) parts.push('--path-as-is');
  if (step.method !== undefined) parts.push(`-X ${step.method}`);
  if (step.as !== undefined) parts.push(`-H "Authorization: Bearer $${variableOf(step.as)}"`);
  for (const [name, value] of Object.entries(step.headers ?? {}))
    parts.push(`-H ${quoted(`${name}: ${value}`)}`);
  if (step.body !== undefined)
    parts.push(`-H 'Content-Type: application/json' -d ${quoted(JSON.stringify(step.body))}`);
  parts.push(quoted(`${places[step.at ?? 'gateway']}${step.path}`));
  return parts.join(' ');
}

export function tokenLine(user: Bearer, issuer: string, { gateway }: Pick<Places, 'gateway'>): string {
  if (user === 'grace') return sessionLine(gateway);
  return `${variableOf(user)}=$(curl -s -X POST ${quoted(`${issuer}/demo/token?user=${userOf(user)}`)})`;
}

function sessionLine(gateway: string): string {
  const { path, body } = GRACE_SIGNS_IN;
  const answer = `curl -s -H 'Content-Type: application/json' -d ${quoted(JSON.stringify(body))} ${quoted(gateway + path)}`;
  return `GRACE=$(${answer} | sed -E 's/.*"access_token":"([^"]+)".*/\\1/')`;
}

/** Of a page, what a terminal can show. */
export const HEADING = `grep -o '<h1[^>]*>[^<]*'`;

/** A sign-in through the pages of the provider, as a browser does it. */
export function signInLines(step: SignInStep, places: Places): string[] {
  const curl = 'curl -sL -b "$JAR" -c "$JAR"';
  const begin = `${curl} -o /dev/null -w '%{url_effective}' ${quoted(startUrl(step, places))}`;
  const fields = Object.entries(formOf(step)).map((pair) => `-d ${quoted(pair.join('='))}`);
  const to = formUrl(step, places);
  return [
    'JAR=$(mktemp)',
    `PAGE=$(${begin})`,
    `${curl} ${fields.join(' ')} ${to === null ? '"$PAGE"' : quoted(to)}${step.page === true ? ` | ${HEADING}` : ''}; rm "$JAR"`,
  ];
}

/** The service account has no sign-in: its token was made when the demo started. */
export function serviceTokenLine(token: string): string {
  return `${variableOf('service')}=${token}`;
}

/** Names that no run before has used, in any POSIX shell. */
export const RUN_LINE = `${RUN.slice(1)}=$(date +%s)`;

/** In single quotes, but for the name of the run, which the shell fills in. */
function quoted(text: string): string {
  return `'${text.replaceAll(RUN, `'${RUN}'`)}'`.replace(/''$/, '');
}

function variableOf(bearer: Bearer): string {
  return bearer.toUpperCase();
}
