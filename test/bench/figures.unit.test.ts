import { describe, expect, it } from 'vitest';
import { ratiosTable, verdictsOf, type Comparison, type Turn, type Turns } from '../../bench/contest.ts';
import { median, slope, verdict } from '../../bench/figures.ts';
import { asMarkdown, asText } from '../../bench/report.ts';
import { weightKiB } from '../../bench/worker-bundle.ts';

const turn = (requestsPerSecond: number): Turn => ({ requestsPerSecond, p50Ms: 1, p99Ms: 2, cpuMs: 0.1 });

const turns: Turns = new Map([
  ['product', [turn(50), turn(5), turn(45)]],
  ['dispatch', [turn(100), turn(10), turn(100)]],
]);

const target: Comparison = {
  ours: 'product',
  of: 'dispatch',
  by: 'requestsPerSecond',
  goal: { atLeast: 0.5 },
};

describe('the figures of the bench', () => {
  it('compare servers within a round, so that a slow spell of the machine cancels out', () => {
    const [made] = verdictsOf(turns, [target]);
    expect(made).toMatchObject({ measured: 0.5, spread: [0.45, 0.5], cpu: [0.1, 0.1], met: true });
  });

  it('hold no target against a server that could not take part', () => {
    const absent: Comparison = { ...target, of: 'haproxy1' };
    expect(verdictsOf(turns, [absent])).toEqual([]);
    expect(ratiosTable('', turns, ['cpuMs'], [absent]).rows).toEqual([]);
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
    expect(asText([result])).toContain('missed');
    expect(asMarkdown([result])).toContain('| fast enough | >= 0.85 | 0.50 |  |  | missed |');
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
