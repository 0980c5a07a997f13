import { defineConfig } from 'vitest/config';
import { LongestFirst } from './test/support/longest-first.ts';

const USES_HYPERDRIVE = /test\/(webhooks\/hyperdrive|contracts\/database-workerd)\.test\.ts$/;

/**
 * unit: no socket, no process; the inner loop. The others start servers and wait for them, so four of their files run at a time on two
 * cores; no test has a limit that load can reach. Each project has processes of its own, and each of these imports all it needs once.
 */
export default defineConfig({
  test: {
    // No file mocks a module or leaves a global changed: one process for many files imports what they share once.
    isolate: false,
    sequence: { sequencer: LongestFirst },
    // Watchdogs: what a loaded machine makes slow does not fail. No test sets a shorter one.
    testTimeout: 600_000,
    hookTimeout: 600_000,
    expect: { poll: { timeout: 600_000, interval: 20 } },
    reporters: ['default', './test/support/closing-line.ts'],
    // wrangler's stand-in of Hyperdrive runs inside the test's process and listens to no error of its sockets: one that
    // Postgres resets while it closes would fail a run whose tests all passed. Let through in the files that start it.
    onUnhandledError: (error) =>
      !('code' in error && error['code'] === 'ECONNRESET' && error['syscall'] === 'read') ||
      !USES_HYPERDRIVE.test(String(error['VITEST_TEST_PATH'])),
    projects: [
      {
        extends: true,
        test: {
          name: 'unit',
          include: ['test/**/*.unit.test.ts'],
          maxWorkers: 2,
          sequence: { groupOrder: 0 },
        },
      },
      {
        extends: true,
        test: {
          name: 'contracts',
          include: ['test/contracts/**/*.test.ts'],
          maxWorkers: 4,
          sequence: { groupOrder: 1 },
        },
      },
      {
        extends: true,
        test: {
          name: 'system',
          include: ['test/**/*.test.ts'],
          exclude: ['test/**/*.unit.test.ts', 'test/contracts/**', 'node_modules/**'],
          maxWorkers: 4,
          sequence: { groupOrder: 1 },
        },
      },
    ],
  },
});
