import type { Tuple } from '../../shared/ports/tuples.ts';
import { show, tuple } from './memory.ts';

/** A chain, a split, a dropped feature, and one that no file names: what each path asks for, before and after. */
export const BEFORE = { x: 'a', y: 'b', z: 'gone', w: 'whole', v: 'whole' };
export const AFTER = { x: 'b', y: 'c', w: 'half', v: 'whole' };

export const shown = (tuples: readonly Tuple[]): string[] => tuples.map(show).sort();

export function many(feature: string, from: number, to: number): Tuple[] {
  return Array.from({ length: to - from }, (_, n) => tuple(`user:${from + n} viewer feature:${feature}`));
}

/** `times` 1: more than one page and one write of OpenFGA; 4: more than one step of progress as well. */
export function formerTuples(times = 1): Tuple[] {
  return [
    ...many('a', 0, 130 * times),
    ...many('b', 100 * times, 220 * times),
    ...many('gone', 0, 30 * times),
    ...many('whole', 0, 40 * times),
    tuple('role:r#assignee manager feature:a'),
    tuple('user:7 admin feature:untouched'),
  ];
}

export function latterTuples(times = 1): Tuple[] {
  return [
    ...many('b', 0, 130 * times),
    ...many('c', 100 * times, 220 * times),
    ...many('whole', 0, 40 * times),
    ...many('half', 0, 40 * times),
    tuple('role:r#assignee manager feature:b'),
    tuple('user:7 admin feature:untouched'),
  ];
}

/** What happens between expand and contract, while the former rules still serve. */
export const MEANWHILE = {
  writes: ['user:new viewer feature:a', 'user:new viewer feature:whole', 'user:new viewer feature:gone'].map(
    tuple,
  ),
  deletes: ['user:5 viewer feature:a', 'user:6 viewer feature:whole'].map(tuple),
};

/** What it makes of the end. */
export function withMeanwhile(latter: readonly Tuple[]): Tuple[] {
  const gone = ['user:5 viewer feature:b', 'user:6 viewer feature:whole', 'user:6 viewer feature:half'];
  const come = ['user:new viewer feature:b', 'user:new viewer feature:whole', 'user:new viewer feature:half'];
  return [...latter.filter((each) => !gone.includes(show(each))), ...come.map(tuple)];
}
