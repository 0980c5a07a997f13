import { generateKeys } from '../../cli/keys.ts';
import type { Runtime } from '../../shared/configuration/slice.ts';
import { parseEnvironment, type Config } from '../../functions/configuration.ts';

/** The least that a configuration needs, and an issuer. */
export const USABLE = {
  UPSTREAM_URL: 'https://api.example.org/base/',
  OPENFGA_URL: 'https://fga.example.org',
  OPENFGA_STORE_ID: '01J00000000000000000000000',
  ZITADEL_ISSUER_URL: 'https://auth.example.org',
  ZITADEL_AUDIENCE: 'api, web',
};
export const ASSERTION_KEYS = JSON.stringify(await generateKeys());

export function faultsOf(changes: Record<string, unknown>, runtime: Runtime = 'node'): string[] {
  const parsed = parseEnvironment({ ...USABLE, ...changes }, runtime);
  return parsed.ok ? [] : parsed.faults.map(({ variable }) => variable);
}

export function configOf(changes: Record<string, unknown> = {}, runtime: Runtime = 'node'): Config {
  const parsed = parseEnvironment({ ...USABLE, ...changes }, runtime);
  if (!parsed.ok) throw new Error(JSON.stringify(parsed.faults));
  return parsed.config;
}
