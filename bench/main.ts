import { mkdir, writeFile } from 'node:fs/promises';
import { cpus } from 'node:os';
import { path } from './bundles.ts';
import { openGround, type Ground } from './ground.ts';
import { measureLifecycle } from './lifecycle/index.ts';
import { parseOptions, SECTIONS, type Options, type SectionName } from './options.ts';
import { asMarkdown, asText } from './report.ts';
import type { SectionResult } from './result.ts';
import { measureMatcher } from './sections/matcher.ts';
import { measureMemory } from './sections/memory.ts';
import { measureNode } from './sections/node.ts';
import { measureSize } from './sections/size.ts';
import { measureWorkerd } from './sections/workerd.ts';

const MEASURE: Readonly<Record<SectionName, (ground: Ground, options: Options) => Promise<SectionResult>>> = {
  node: measureNode,
  workerd: measureWorkerd,
  matcher: measureMatcher,
  memory: measureMemory,
  size: measureSize,
};

async function measureAll(options: Options): Promise<SectionResult[]> {
  const ground = await openGround();
  const results: SectionResult[] = [];
  try {
    for (const section of options.only === undefined ? SECTIONS : [options.only]) {
      console.error(`measuring: ${section}`);
      results.push(await MEASURE[section](ground, options));
    }
  } finally {
    await ground.close();
  }
  return results;
}

async function writeJson(results: readonly SectionResult[], options: Options): Promise<void> {
  const { part, seconds, rounds, minutes, tuples } = options;
  const settings = part === undefined ? { seconds, rounds, minutes } : { rounds, tuples };
  const made = {
    at: new Date().toISOString(),
    node: process.version,
    cores: cpus().length,
    settings,
    results,
  };
  await mkdir(path('bench/results'), { recursive: true });
  await writeFile(path(`bench/results/${part ?? 'latest'}.json`), `${JSON.stringify(made, null, 2)}\n`);
}

// The exit that ends the children is the same when someone interrupts.
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => process.exit(130));

const options = parseOptions(process.argv.slice(2));
const results = options.part === undefined ? await measureAll(options) : [await measureLifecycle(options)];
if (options.json) await writeJson(results, options);
console.log(options.markdown ? asMarkdown(results) : asText(results));
