import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { parse } from 'yaml';
import * as z from 'zod';

const MODULE = 'github.com/openfga/openfga@v1.18.1';
const FILE = 'assets/tests/consolidated_1_1_tests.yaml';

const tuple = z.object({ user: z.string(), relation: z.string(), object: z.string() });

/** Only a fault expected: the OpenFGA error number. Only an answer expected: no number. */
const expected = { contextualTuples: z.array(tuple).default([]), errorCode: z.number().optional() };

const stage = z.object({
  model: z.string(),
  tuples: z
    .array(tuple)
    .nullish()
    .transform((tuples) => tuples ?? []),
  checkAssertions: z
    .array(z.object({ ...expected, tuple, expectation: z.boolean().default(false) }))
    .default([]),
  listObjectsAssertions: z
    .array(
      z.object({
        ...expected,
        request: z.object({ user: z.string(), type: z.string(), relation: z.string() }),
        expectation: z
          .array(z.string())
          .nullish()
          .transform((objects) => objects ?? []),
      }),
    )
    .default([]),
  listUsersAssertions: z
    .array(
      z.object({
        ...expected,
        request: z.object({ object: z.string(), relation: z.string(), filters: z.array(z.string()) }),
        expectation: z
          .array(z.string())
          .nullish()
          .transform((users) => users ?? []),
      }),
    )
    .default([]),
});

const suite = z.object({ tests: z.array(z.object({ name: z.string(), stages: z.array(stage) })) });

export type Stage = z.output<typeof stage>;
export type SuiteCase = z.output<typeof suite>['tests'][number];

/** OpenFGA's own suite from OPENFGA_SUITE or the Go module cache; with REQUIRE_SERVICES=1 its absence is a failure. */
export function loadPublicSuite(): readonly SuiteCase[] | undefined {
  const file = process.env['OPENFGA_SUITE'] ?? join(goModuleCache(), MODULE, FILE);
  if (existsSync(file)) return suite.parse(parse(readFileSync(file, 'utf8'))).tests;
  if (process.env['REQUIRE_SERVICES'] === '1')
    throw new Error(`REQUIRE_SERVICES=1: no test suite at ${file}`);
  return undefined;
}

function goModuleCache(): string {
  try {
    const folder = execFileSync('go', ['env', 'GOMODCACHE'], { encoding: 'utf8' }).trim();
    if (folder !== '') return folder;
  } catch {
    // Without Go on the path its usual place may still be there.
  }
  return join(homedir(), 'go', 'pkg', 'mod');
}
