import { expect, it } from 'vitest';
import type { Archive } from '../../functions/feature-sync/archive.ts';
import { rememberedArchive } from '../../functions/feature-sync/archive.ts';
import { tuple } from './memory.ts';

function counting(): { readonly archive: Archive; readonly loads: () => number } {
  let loads = 0;
  const archive: Archive = {
    add: () => Promise.resolve(),
    forget: () => Promise.resolve(),
    load: (_run, features) => {
      loads += 1;
      return Promise.resolve(new Map(features.map((feature) => [feature, []])));
    },
  };
  return { archive, loads: () => loads };
}

it('loads a run once, and again after each change of it', async () => {
  const { archive, loads } = counting();
  const remembered = rememberedArchive(archive);
  const first = await remembered.load('run', ['feature:a']);
  expect(await remembered.load('run', ['feature:a'])).toBe(first);
  expect(loads()).toBe(1);
  await remembered.add('run', [tuple('user:1 viewer feature:a')]);
  await remembered.load('run', ['feature:a']);
  await remembered.forget('run', [tuple('user:1 viewer feature:a')]);
  await remembered.load('run', ['feature:a']);
  expect(loads()).toBe(3);
});

it('answers another run or other features from the archive itself', async () => {
  const { archive, loads } = counting();
  const remembered = rememberedArchive(archive);
  await remembered.load('run', ['feature:a']);
  expect([...(await remembered.load('run', ['feature:a', 'feature:b'])).keys()]).toHaveLength(2);
  await remembered.load('other', ['feature:a', 'feature:b']);
  expect(loads()).toBe(3);
});

it('forgets also after a change that failed, which may have happened', async () => {
  const { archive, loads } = counting();
  const remembered = rememberedArchive({ ...archive, add: () => Promise.reject(new Error('away')) });
  await remembered.load('run', ['feature:a']);
  await expect(remembered.add('run', [])).rejects.toThrow('away');
  await remembered.load('run', ['feature:a']);
  expect(loads()).toBe(2);
});
