import { compileRules } from '../../functions/gateway/match/rules/compile.ts';
import type { CompiledRules } from '../../functions/gateway/match/types.ts';
import { verdict, type SectionResult } from '../result.ts';
import { median } from '../statistics.ts';

const FEW = 10;
const MANY = 10_000;
const MATCHES = 200_000;
const ROUNDS = 9;
const NANOSECONDS_PER_MILLISECOND = 1_000_000;

/** Nanoseconds to find the rule of a path, with few rules and with many of the same depth. */
export async function measureMatcher(): Promise<SectionResult> {
  const few = rules(FEW);
  const many = rules(MANY);
  const times = { few: [] as number[], many: [] as number[], ratio: [] as number[] };
  for (let round = 0; round < ROUNDS; round += 1) {
    const fewNs = nanosecondsPerMatch(few, FEW);
    const manyNs = nanosecondsPerMatch(many, MANY);
    times.few.push(fewNs);
    times.many.push(manyNs);
    times.ratio.push(manyNs / fewNs);
  }
  const rows = [
    [String(FEW), median(times.few).toFixed(0)],
    [String(MANY), median(times.many).toFixed(0)],
  ];
  return {
    section: 'matcher',
    tables: [{ title: 'Matching a path of four segments', columns: ['rules', 'ns/match'], rows }],
    verdicts: [
      // Not 1: thousands of names do not fit the processor's nearest cache, ten do.
      verdict(`matcher: ${MANY} rules, in units of ${FEW}`, median(times.ratio), { atMost: 2 }),
    ],
    notes: [],
  };
}

function rules(count: number): CompiledRules {
  const entries = Array.from({ length: count }, (_, index) => ({
    path: `/api/service-${index}/:id/items`,
    method: 'GET',
    feature: 'authenticated',
  }));
  const compiled = compileRules(JSON.stringify(entries), { targets: new Set(['upstream']) });
  if (!compiled.ok) throw new Error('the rules of the bench do not compile');
  return compiled.rules;
}

function nanosecondsPerMatch(rules: CompiledRules, count: number): number {
  // The same number of distinct paths for both: what differs is only what they are looked up in.
  const step = count / FEW;
  const paths = Array.from({ length: FEW }, (_, index) => [
    'api',
    `service-${Math.floor(index * step)}`,
    '42',
    'items',
  ]);
  let found = 0;
  const began = performance.now();
  for (let at = 0; at < MATCHES; at += 1) {
    if (rules.match('GET', paths[at % FEW] ?? []) !== undefined) found += 1;
  }
  const took = performance.now() - began;
  if (found !== MATCHES) throw new Error('a path of the bench matched no rule');
  return (took * NANOSECONDS_PER_MILLISECOND) / MATCHES;
}
