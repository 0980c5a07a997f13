import { mkdir, writeFile } from 'node:fs/promises';
import { cpus } from 'node:os';
import { Contenders } from './contenders.ts';
import type { SectionResult } from './figures.ts';
import { openGround } from './ground.ts';
import { APART, parseOptions, type Options, type Part } from './options.ts';
import { path } from './programs.ts';
import { asMarkdown, asText } from './report.ts';
import { measureAllocation } from './sections/allocation.ts';
import { measureCrossing } from './sections/crossing.ts';
import { measureFigures } from './sections/figures.ts';
import { measureLatency } from './sections/latency.ts';
import { measureLifecycle } from './sections/lifecycle.ts';
import { measureMail } from './sections/mail.ts';
import { measureMemory } from './sections/memory.ts';
import { measureOperations } from './sections/operations.ts';
import { measureMatcher } from './sections/rules.ts';
import { measureSize } from './sections/size.ts';
import { isContest, measureThroughput } from './sections/throughput.ts';

async function measureGateway(options: Options): Promise<SectionResult[]> {
  const ground = await openGround(options);
  const contenders = new Contenders(ground, options);
  const results: SectionResult[] = [];
  const measure = async (part: Part, take: () => SectionResult | Promise<SectionResult>): Promise<void> => {
    if (!options.parts.includes(part)) return;
    console.error(`measuring: ${part}`);
    results.push(await take());
  };
  try {
    const contests = options.parts.filter(isContest);
    if (contests.length > 0) {
      console.error(`measuring: ${contests.join(', ')}`);
      results.push(await measureThroughput(contests, ground, contenders, options));
    }
    await measure('latency', () => measureLatency(ground, contenders, options));
    await measure('allocation', () => measureAllocation(ground, contenders, options));
    await measure('rules', measureMatcher);
    await measure('memory', () => measureMemory(ground, options));
    await measure('size', () => measureSize(ground, options));
  } finally {
    await ground.close();
  }
  return results;
}

async function measureAll(options: Options): Promise<SectionResult[]> {
  const gateway = options.parts.filter((part) => !APART.includes(part));
  const results = gateway.length > 0 ? await measureGateway(options) : [];
  if (options.parts.includes('lifecycle')) results.push(await measureLifecycle(options));
  if (options.parts.includes('crossing')) results.push(await measureCrossing(options));
  if (options.parts.includes('mail')) results.push(await measureMail(options));
  if (options.parts.includes('figures')) results.push(await measureFigures(options));
  if (options.parts.includes('operations')) results.push(await measureOperations(options));
  return results;
}

async function writeJson(results: readonly SectionResult[], options: Options): Promise<void> {
  const { parts, beside, seconds, rounds, minutes, tuples, people, mails, users, paced } = options;
  const made = {
    at: new Date().toISOString(),
    node: process.version,
    cores: cpus().length,
    settings: { parts, beside, seconds, rounds, minutes, tuples, people, mails, users, paced },
    results,
  };
  const [first] = parts;
  const name = parts.length === 1 && first !== undefined && APART.includes(first) ? first : 'latest';
  await mkdir(path('bench/results'), { recursive: true });
  await writeFile(path(`bench/results/${name}.json`), `${JSON.stringify(made, null, 2)}\n`);
}

// The exit that ends the children is the same when someone interrupts.
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => process.exit(130));

const options = parseOptions(process.argv.slice(2));
const results = await measureAll(options);
if (options.json) await writeJson(results, options);
console.log(options.markdown ? asMarkdown(results) : asText(results));
