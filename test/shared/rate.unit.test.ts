import { describe, expect, it } from 'vitest';
import { grainMs, parseRate } from '../../shared/counting/rate.ts';

describe('a rate is written as requests per window', () => {
  it.each([
    ['100/60s', 100, 60_000],
    ['5/1m', 5, 60_000],
    ['1000/24h', 1_000, 86_400_000],
    ['1000000/1s', 1_000_000, 1_000],
  ])('%s is %i in %i ms', (text, limit, windowMs) => {
    expect(parseRate(text, 'default')).toEqual({ name: 'default', limit, windowMs });
  });

  it.each([
    '',
    '100',
    '100/60',
    '100/s',
    '0/60s',
    '100/0s',
    '-1/60s',
    '1.5/60s',
    '1e2/60s',
    ' 100/60s',
    '100/60s ',
    '100/60S',
    '100/1d',
    '1000001/1s',
    '9999999/1s',
    '100/25h',
    '100/60s,5/1s',
    '１００/60s',
  ])('%j is none', (text) => {
    expect(parseRate(text, 'default')).toBeUndefined();
  });
});

it('up to 20 requests leave a window one by one, more by a twentieth of it', () => {
  expect(grainMs({ name: 'x', limit: 20, windowMs: 60_000 })).toBe(0);
  expect(grainMs({ name: 'x', limit: 21, windowMs: 60_000 })).toBe(3_000);
});
