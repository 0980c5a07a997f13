import { describe, expect, it } from 'vitest';
import * as code from './architecture/code-rules.ts';
import * as imports from './architecture/import-rules.ts';
import type { Rule } from './architecture/import-rules.ts';
import { parse, readSources } from './architecture/source.ts';

const project = readSources('functions', 'shared', 'cli', 'dev', 'bench', 'scripts', 'test');
const product = project.filter(({ path }) => /^(?:functions|shared|cli)\//.test(path));

/** A rule of docs/architecture.md, and the smallest files that break it. */
type Row = readonly [promise: string, rule: Rule, broken: Readonly<Record<string, string>>];

const RULES: readonly Row[] = [
  [
    'a function imports neither another function nor the map above it',
    imports.functionsKnowNoOther,
    { 'functions/status/function.ts': "import { cors } from '../gateway/cors.ts';" },
  ],
  [
    'shared/ imports no function',
    imports.sharedKnowsNoFunction,
    { 'shared/deps.ts': "import type { App } from '../functions/app.ts';" },
  ],
  [
    'what runs in production imports neither test/, dev/ nor bench/, and functions/ and shared/ not cli/',
    imports.productKnowsNoTools,
    { 'functions/node.ts': "const stack = await import('../dev/stack.ts');" },
  ],
  [
    'dev/, bench/ and scripts/ import neither test/ nor cli/',
    imports.toolsKnowNoTest,
    { 'dev/demo.ts': "export { main } from '../cli/main.ts';" },
  ],
  [
    'only a composition root imports adapters',
    imports.adaptersAreWiredInOnePlace,
    { 'functions/app.ts': "import { createPlatform } from '#platform';" },
  ],
  [
    'vendor SDKs appear in adapters only',
    imports.vendorsStayInAdapters,
    { 'functions/gateway/limit/limit.ts': "import { Redis } from '@upstash/redis/cloudflare';" },
  ],
  [
    'an adapter speaks to one vendor',
    imports.oneVendorPerAdapter,
    { 'shared/adapters/both.ts': "import pg from 'pg'; import { Pool } from 'undici';" },
  ],
  [
    'no module needs itself',
    imports.noCycles,
    { 'shared/a.ts': "import { b } from './b.ts';", 'shared/b.ts': "import { a } from './a.ts';" },
  ],
  [
    'the Worker reaches nothing that only Node has',
    imports.workersReachNoNode,
    {
      'functions/index.ts': "import { log } from '../shared/log.ts';",
      'shared/log.ts': "import { writeSync } from 'node:fs';",
    },
  ],
  [
    'a function takes of the ports those that it names',
    code.functionsNameTheirPorts,
    { 'functions/webhooks/function.ts': 'export function createWebhooks(deps: Deps) {}' },
  ],
  [
    'the time of day comes from the clock port',
    code.timeComesFromTheClock,
    { 'functions/gateway/limit/limit.ts': 'const now = Date.now();' },
  ],
  [
    'durations are taken in the journey of a request and in the frame of own routes',
    code.durationsAreTakenInTheFrame,
    { 'functions/gateway/limit/limit.ts': 'const now = performance.now();' },
  ],
  [
    'randomness comes from its port',
    code.randomnessComesFromThePort,
    { 'functions/gateway/read/request.ts': "import { randomUUID } from 'node:crypto';" },
  ],
  [
    'outgoing fetch is an argument',
    code.fetchComesFromThePort,
    { 'shared/keys/discovery.ts': 'export const load = (url: string) => fetch(url);' },
  ],
  [
    'raw variables are read by the entries alone',
    code.rawVariablesAreReadOnce,
    { 'shared/adapters/log-json.ts': "const level = process.env['LOG_LEVEL'];" },
  ],
  [
    'module scope holds values, never a promise',
    code.modulesHoldNoPromise,
    { 'shared/keys/key-set.ts': 'const keys = await load();' },
  ],
  [
    'types are neither waved through nor asserted away',
    code.typesAreNotWaved,
    { 'dev/seed.ts': 'const it = (answer as any).id!;' },
  ],
  [
    'no check of the compiler or the linter is switched off',
    code.checksStayOn,
    { 'functions/app.ts': '// @ts-expect-error later' },
  ],
  [
    'each proof is made in one file',
    code.proofsHaveOneMaker,
    {
      'functions/gateway/read/path.ts': "const judged = prove<'judged'>();",
      'functions/gateway/pipeline.ts': "const judged = prove<'judged'>();",
    },
  ],
  ['a file over 250 lines says why', code.longFilesSayWhy, { 'shared/long.ts': 'export {};\n'.repeat(251) }],
];

describe('the architecture', () => {
  it.each(RULES)('%s', (_promise, rule) => {
    expect(rule(rule === code.checksStayOn ? product : project)).toEqual([]);
  });

  it.each(RULES)('is watched: %s', (_promise, rule, broken) => {
    const sources = Object.entries(broken).map(([path, text]) => parse(path, text));
    expect(rule(sources)).not.toEqual([]);
  });

  it('knows the ports that are handed in from the globals of the same name', () => {
    const port = parse('shared/keys/x.ts', 'export const get = ({ fetch }: Deps) => fetch("/");');
    expect(code.fetchComesFromThePort([port])).toEqual([]);
  });
});
