import { defineConfig } from 'vitest/config';

/** unit: no socket, no process; the inner loop. The others start servers, so their files run one after another. */
export default defineConfig({
  test: {
    testTimeout: 20_000,
    hookTimeout: 120_000,
    projects: [
      { extends: true, test: { name: 'unit', include: ['test/**/*.unit.test.ts'] } },
      { extends: true, test: { name: 'contracts', include: ['test/contracts/**/*.test.ts'] } },
      {
        extends: true,
        test: {
          name: 'system',
          include: ['test/**/*.test.ts'],
          exclude: ['test/**/*.unit.test.ts', 'test/contracts/**', 'node_modules/**'],
        },
      },
    ],
  },
});
