import { describe, expect, it } from 'vitest';
import { Refreshed } from '../../shared/caches/refreshed.ts';
import { eachAlone } from '../../shared/caches/in-flight.ts';
import { providerDeps } from '../support/provider-deps.ts';

const POLICY = { softMs: 10_000, hardMs: 20_000, staleMs: 60_000 };
const noFetch = () => Promise.reject(new Error('no network here'));

describe('a value renewed by several requests at once', () => {
  it('keeps the answer to the younger question when answers overtake each other', async () => {
    const deps = providerDeps(noFetch, eachAlone);
    const answers: ((value: string) => void)[] = [];
    const value = new Refreshed(() => new Promise<string>((done) => answers.push(done)), POLICY, deps);
    const older = value.reload();
    deps.clock.advance(1);
    const younger = value.reload();
    answers[1]?.('younger');
    await younger;
    answers[0]?.('older');
    await older;
    expect(value.get()).toBe('younger');
  });

  it('counts its age from the question, not from the answer', async () => {
    const deps = providerDeps(noFetch);
    const slow = async (): Promise<string> => {
      deps.clock.advance(3);
      return 'late';
    };
    const value = new Refreshed(slow, POLICY, deps);
    await value.get();
    expect(value.state()).toEqual({ state: 'fresh', ageSeconds: 3 });
  });
});

describe('a failed renewal', () => {
  it('is logged with its reason, and forgotten when the next one succeeds', async () => {
    const deps = providerDeps(noFetch);
    let fails = true;
    const load = async (): Promise<string> => {
      if (fails) throw new TypeError('secret detail');
      return 'value';
    };
    const value = new Refreshed(load, POLICY, deps);
    await expect(value.reload()).rejects.toMatchObject({ name: 'ProviderUnavailable' });
    expect(deps.logged.join()).toContain('unusable answer');
    expect(deps.logged.join()).not.toContain('secret detail');
    fails = false;
    deps.clock.advance(5);
    await value.reload();
    expect(value.state()).toEqual({ state: 'fresh', ageSeconds: 0 });
  });
});
