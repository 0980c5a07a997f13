import { describe, expect, it } from 'vitest';
import { throughputRatio, type Turn } from '../../bench/contest.ts';
import { asMarkdown, asText } from '../../bench/report.ts';
import { verdict } from '../../bench/result.ts';
import { median, slope } from '../../bench/statistics.ts';
import { weightKiB } from '../../bench/worker-bundle.ts';

const turn = (requestsPerSecond: number): Turn => ({ requestsPerSecond, p50Ms: 1, p99Ms: 2, processorUs: 3 });

describe('the figures of the bench', () => {
  it('compare servers within a round, so that a slow spell of the machine cancels out', () => {
    const turns = new Map([
      ['ours', [turn(50), turn(5), turn(45)]],
      ['theirs', [turn(100), turn(10), turn(100)]],
    ]);
    expect(throughputRatio(turns, 'ours', 'theirs')).toBe(0.5);
  });

  it('take the middle of an even number of values too, in any order', () => {
    expect(median([9, 1, 4, 2])).toBe(3);
    expect(median([])).toBeNaN();
  });

  it('tell steady growth from none', () => {
    expect(slope([10, 12, 14, 16])).toBe(2);
    expect(slope([10, 12, 10, 12, 10])).toBe(0);
  });

  it('meet a target on its very edge and miss it beyond', () => {
    expect(verdict('a', 0.85, { atLeast: 0.85 }).met).toBe(true);
    expect(verdict('a', 0.849, { atLeast: 0.85 }).met).toBe(false);
    expect(verdict('a', 1.01, { atMost: 1 }, 'ms').met).toBe(false);
  });

  it('say a miss in both forms of the report', () => {
    const result = {
      section: 's',
      tables: [],
      notes: [],
      verdicts: [verdict('fast enough', 0.5, { atLeast: 0.85 })],
    };
    expect(asText([result])).toContain('MISSED');
    expect(asMarkdown([result])).toContain('| fast enough | >= 0.85 | 0.50 | MISSED |');
  });

  it('count for a package what only it brings along, and not what others need too', () => {
    const file = (bytesInOutput: number) => ({ bytesInOutput });
    const imports = (...paths: string[]) => ({
      imports: paths.map((path) => ({ path, kind: 'import-statement' })),
    });
    const metafile = {
      inputs: {
        main: imports('sdk', 'shared'),
        sdk: imports('http', 'shared'),
        http: imports(),
        shared: imports(),
      },
      outputs: { out: { inputs: { main: file(1), sdk: file(1024), http: file(1024), shared: file(7) } } },
    };
    expect(weightKiB(metafile, 'sdk')).toBe(2);
  });
});
