import type { Run } from './run.ts';

export async function projections(_run: Run): Promise<Readonly<Record<string, unknown>>> {
  return {};
}
