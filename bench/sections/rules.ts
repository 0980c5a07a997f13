import { compileRules } from '../../functions/gateway/match/rules/compile.ts';
import type { CompiledRules } from '../../functions/gateway/match/types.ts';
import { cells, ratios, verdict, type SectionResult } from '../figures.ts';

const FEW = 10;
const MANY = 10_000;
const MATCHES = 1_000_000;
const ROUNDS = 9;
const NANOSECONDS_PER_MICROSECOND = 1_000;

/** Nanoseconds of processor time to find the rule of a path, with few rules and with many of the same depth. */
export function measureMatcher(): SectionResult {
  const few = rules(FEW);
  const many = rules(MANY);
  const times = { few: [] as number[], many: [] as number[] };
  for (let round = 0; round < ROUNDS; round += 1) {
    times.few.push(nanosecondsPerMatch(few, FEW));
    times.many.push(nanosecondsPerMatch(many, MANY));
  }
  const rows = [
    [String(FEW), ...cells(times.few, 0)],
    [String(MANY), ...cells(times.many, 0)],
  ];
  return {
    section: 'rules',
    tables: [{ title: 'Matching a path of four segments', columns: ['rules', 'ns/match', 'from–to'], rows }],
    verdicts: [
      verdict(`time of a match: ${MANY} rules : ${FEW}`, ratios(times.many, times.few), { atMost: 1.1 }),
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
  const began = process.cpuUsage();
  for (let at = 0; at < MATCHES; at += 1) {
    if (rules.match('GET', paths[at % FEW] ?? []) !== undefined) found += 1;
  }
  const { user, system } = process.cpuUsage(began);
  if (found !== MATCHES) throw new Error('a path of the bench matched no rule');
  return ((user + system) * NANOSECONDS_PER_MICROSECOND) / MATCHES;
}
