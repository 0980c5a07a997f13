import type { Bearer, Places, RequestStep } from './step.ts';

/** The step as a line for a POSIX shell; tokens come from the variables that `tokenLine` sets. */
export function curlLine(step: RequestStep, places: Places): string {
  const parts = ['curl -i'];
  if (step.path.includes('..')) parts.push('--path-as-is');
  if (step.method !== undefined) parts.push(`-X ${step.method}`);
  if (step.as !== undefined) parts.push(`-H "Authorization: Bearer $${variableOf(step.as)}"`);
  for (const [name, value] of Object.entries(step.headers ?? {})) parts.push(`-H '${name}: ${value}'`);
  if (step.body !== undefined)
    parts.push(`-H 'Content-Type: application/json' -d '${JSON.stringify(step.body)}'`);
  parts.push(`'${places[step.at ?? 'gateway']}${step.path}'`);
  return parts.join(' ');
}

export function tokenLine(user: Bearer, issuer: string): string {
  return `${variableOf(user)}=$(curl -s -X POST '${issuer}/demo/token?user=${user}')`;
}

/** The service account has no sign-in: its token was made when the demo started. */
export function serviceTokenLine(token: string): string {
  return `${variableOf('service')}=${token}`;
}

function variableOf(bearer: Bearer): string {
  return bearer.toUpperCase();
}
