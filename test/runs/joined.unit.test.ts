import { describe, expect, it } from 'vitest';
import { joined } from '../../shared/runs/joined.ts';

describe('keys joined into statements', () => {
  it('go alone while none is under way, and together behind one that is, in their order', async () => {
    const carried: (readonly number[])[] = [];
    const ends: (() => void)[] = [];
    const call = joined<number>(async (keys) => {
      carried.push(keys);
      await new Promise<void>((resolve) => void ends.push(resolve));
      return new Set(keys.filter((key) => key % 2 === 1));
    });
    const first = call(1);
    const others = [call(2), call(3), call(4)];
    expect(carried).toEqual([[1]]);
    ends.shift()!();
    expect(await first).toBe(true);
    await expect.poll(() => carried).toEqual([[1], [2, 3, 4]]);
    ends.shift()!();
    expect(await Promise.all(others)).toEqual([false, true, false]);
    void call(5);
    expect(carried).toEqual([[1], [2, 3, 4], [5]]);
  });

  it('reject as their statement did, and so does all that comes behind it: nothing overtakes what is not recorded', async () => {
    let calls = 0;
    const call = joined<number>(async () => {
      calls += 1;
      throw new Error('away');
    });
    const first = call(1);
    const second = call(2);
    await expect(first).rejects.toThrow('away');
    await expect(second).rejects.toThrow('away');
    await expect(call(3)).rejects.toThrow('away');
    expect(calls).toBe(1);
  });
});
