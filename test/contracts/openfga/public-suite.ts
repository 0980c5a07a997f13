import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { parse } from 'yaml';
import * as z from 'zod';
import { modelFrom, StoreClient, type Fact } from './client.ts';

const MODULE = 'github.com/openfga/openfga@v1.18.1';
const FILE = 'assets/tests/consolidated_1_1_tests.yaml';

const tuple = z
  .object({ user: z.string(), relation: z.string(), object: z.string() })
  .transform(({ user, relation, object }): Fact => [user, relation, object]);
const tuples = z
  .array(tuple)
  .nullish()
  .transform((facts) => facts ?? []);

const stage = z.object({
  model: z.string(),
  tuples,
  checkAssertions: z
    .array(
      z.object({
        tuple,
        contextualTuples: tuples,
        expectation: z.boolean().default(false),
        errorCode: z.number().optional(),
      }),
    )
    .default([])
    // The gateway brings no tuples of its own.
    .transform((assertions) => assertions.filter(({ contextualTuples }) => contextualTuples.length === 0)),
});

const suite = z.object({ tests: z.array(z.object({ name: z.string(), stages: z.array(stage) })) });

export type SuiteCase = z.output<typeof suite>['tests'][number];

/** The names of the error numbers the suite expects. */
const CODES: Readonly<Record<number, string>> = {
  2000: 'validation_error',
  2002: 'authorization_model_resolution_too_complex',
  2021: 'type_not_found',
  2022: 'relation_not_found',
};

const answered = z.union([
  z.object({ allowed: z.boolean() }).transform(({ allowed }) => allowed),
  z.object({ code: z.string() }).transform(({ code }) => code),
]);

/** How many checks were made and which of them did not hold. */
export async function runCase(url: string, { stages }: SuiteCase) {
  const failures: string[] = [];
  let count = 0;
  const store = await StoreClient.create(url, 'public-suite');
  for (const { model, tuples: facts, checkAssertions } of stages) {
    await store.writeModel(modelFrom(model));
    await store.writeAll(facts);
    for (const { tuple: fact, expectation, errorCode } of checkAssertions) {
      const wanted = errorCode === undefined ? expectation : CODES[errorCode];
      const got = answered.parse((await store.check(fact)).body);
      count += 1;
      if (got !== wanted) failures.push(`${fact.join(' ')}: expected ${wanted}, got ${got}`);
    }
  }
  return { count, failures };
}

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
