import { once } from 'node:events';
import { text } from 'node:stream/consumers';
import { describe, expect, it } from 'vitest';
import { spawnSallyport } from '../support/sallyport.ts';

describe('a command whose output nobody reads', () => {
  it.each(['--help', 'rules check --json', 'rules explain GET /nowhere', 'keys generate'])(
    '%s ends quietly, as other programs before `| head -1` do',
    async (line) => {
      const child = spawnSallyport({}, ...line.split(' '));
      child.stdout!.destroy();
      const [stderr] = await Promise.all([text(child.stderr!), once(child, 'close')]);
      expect([child.exitCode, stderr]).toEqual([141, '']);
    },
  );

  it('goes on to its result when only its notes have no reader', async () => {
    const child = spawnSallyport({ ACCESS_RULES: 'nowhere.json' }, 'rules', 'check');
    child.stderr!.destroy();
    await once(child, 'close');
    expect(child.exitCode).toBe(1);
  });
});
