import type { Step } from './steps.ts';

/** The step as a line for a POSIX shell; tokens come from the variables that `tokenLine` sets. */
export function curlLine(step: Step, gatewayUrl: string): string {
  const parts = ['curl -i'];
  if (step.path.includes('..')) parts.push('--path-as-is');
  if (step.method !== undefined) parts.push(`-X ${step.method}`);
  if (step.as !== undefined) parts.push(`-H "Authorization: Bearer $${variableOf(step.as)}"`);
  for (const [name, value] of Object.entries(step.headers ?? {})) parts.push(`-H '${name}: ${value}'`);
  parts.push(`'${gatewayUrl}${step.path}'`);
  return parts.join(' ');
}

export function tokenLine(user: string, issuer: string): string {
  return `${variableOf(user)}=$(curl -s -X POST '${issuer}/demo/token?user=${user}')`;
}

function variableOf(user: string): string {
  return user.toUpperCase();
}
