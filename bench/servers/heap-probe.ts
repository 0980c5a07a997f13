/**
 * Loaded by `node --import` before a program whose heap is measured: answers `collect` and `read` over the channel to
 * the parent with what the heap holds and how many collections there were since. Needs --expose-gc.
 */
import { PerformanceObserver } from 'node:perf_hooks';
import { getHeapStatistics } from 'node:v8';

let collections = 0;
new PerformanceObserver((list) => {
  collections += list.getEntries().length;
}).observe({ entryTypes: ['gc'] });

function answer(): void {
  const { used_heap_size: heapBytes, external_memory: externalBytes } = getHeapStatistics();
  process.send?.({ heapBytes, externalBytes, collections });
}

process.on('message', (question) => {
  if (question === 'collect') globalThis.gc?.();
  // Collections are reported a turn of the event loop later.
  setTimeout(() => {
    if (question === 'collect') collections = 0;
    answer();
  }, 50);
});
// The channel alone keeps no program alive.
process.channel?.unref();
