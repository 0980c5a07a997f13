import type { Run } from './run.ts';

export async function projections(run: Run): Promise<Readonly<Record<string, unknown>>> {
  void run;
  return {};
}
