import type { Archive } from './archive.ts';
import type { Snapshot } from './snapshot.ts';

/**
 * The archive for one process that holds the lease: nobody else changes it meanwhile, so what was loaded is loaded
 * again only after a change of its own.
 */
export function rememberedArchive(archive: Archive): Archive {
  let known: { readonly key: string; readonly snapshot: Snapshot } | undefined;
  return {
    async add(runId, tuples, onRows) {
      known = undefined;
      await archive.add(runId, tuples, onRows);
    },
    async forget(runId, tuples) {
      known = undefined;
      await archive.forget(runId, tuples);
    },
    async load(runId, features) {
      const key = JSON.stringify([runId, features]);
      if (known?.key === key) return known.snapshot;
      const snapshot = await archive.load(runId, features);
      known = { key, snapshot };
      return snapshot;
    },
  };
}
