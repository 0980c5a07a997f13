import fc from 'fast-check';
import { expect, it } from 'vitest';
import type { CompiledRules } from '../../../functions/gateway/match/types.ts';
import { open } from './support.ts';

const word = fc.constantFrom('a', 'b', '__proto__');
const segment = fc.oneof(word, fc.constant(':p'));
const paths = fc
  .tuple(fc.array(segment, { maxLength: 3 }), fc.constantFrom('', '/', '/*rest'))
  .map(
    ([parts, tail]) => parts.map((part, at) => `/${part === ':p' ? `:p${at}` : part}`).join('') + tail || '/',
  );
const rulesLines = fc
  .uniqueArray(fc.tuple(fc.constantFrom('GET', 'PUT', '*'), paths), {
    selector: ([method, path]) => `${method} ${path}`,
    maxLength: 12,
  })
  .map((rules) => rules.map(([method, path]) => `${method} ${path}`));
const request = fc.record({
  method: fc.constantFrom('GET', 'PUT', 'DELETE'),
  segments: fc
    .tuple(fc.array(fc.oneof(word, fc.constant('z')), { maxLength: 4 }), fc.boolean())
    .map(([parts, slash]) => (slash || parts.length === 0 ? [...parts, ''] : parts)),
});

/** The contract read word by word, over a list of lines: slow, and nothing like a trie. */
function reference(
  lines: readonly string[],
  method: string,
  segments: readonly string[],
): string | undefined {
  const path = `/${segments.join('/')}`;
  const fitting = lines.filter((line) => {
    const [ruled = '', pattern = ''] = line.split(' ');
    const source = pattern.replaceAll(/:\w+/g, '[^/]+').replace(/\*\w+$/, '.*');
    return (ruled === '*' || ruled === method) && new RegExp(`^${source}$`).test(path);
  });
  const rank = (line: string) => {
    const [ruled = '', pattern = ''] = line.split(' ');
    const kinds = pattern
      .slice(1)
      .split('/')
      .map((part) => (part.startsWith('*') ? 'c' : part.startsWith(':') ? 'b' : 'a'));
    return `${kinds.join('')} ${ruled === '*' ? 'b' : 'a'}`;
  };
  return fitting.toSorted((one, other) => (rank(one) < rank(other) ? -1 : 1))[0];
}

function lineOf(rules: CompiledRules, method: string, segments: readonly string[]): string | undefined {
  const rule = rules.match(method, segments)?.rule;
  return rule && `${rule.methods === '*' ? '*' : rule.methods.join()} ${rule.path}`;
}

it('the trie decides as the contract read literally, for any rules and requests', () => {
  fc.assert(
    fc.property(rulesLines, fc.array(request, { minLength: 1, maxLength: 10 }), (lines, requests) => {
      const rules = open(...lines);
      for (const { method, segments } of requests) {
        expect(lineOf(rules, method, segments)).toBe(reference(lines, method, segments));
      }
    }),
    { numRuns: 500 },
  );
});

it('a lookup reads no more segments than the rules are deep', () => {
  const rules = open(
    'GET /:a/:b/:c',
    'GET /x/*rest',
    ...Array.from({ length: 500 }, (_, n) => `GET /r${n}/y`),
  );
  let reads = 0;
  const segments = new Proxy(
    Array.from({ length: 10_000 }, () => 'y'),
    { get: (target, key) => (/^\d+$/.test(String(key)) && reads++, Reflect.get(target, key) as unknown) },
  );
  expect(rules.match('GET', segments)).toBeUndefined();
  expect(reads).toBeLessThanOrEqual(4);
});
