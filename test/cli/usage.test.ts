import { describe, expect, it } from 'vitest';
import { sallyport } from '../support/sallyport.ts';

const ID = '00000000-0000-4000-8000-000000000000';

describe('a command that was called wrongly', () => {
  it.each([
    ['webhooks retry', 'name one event, or say --dead'],
    [`webhooks retry --dead ${ID}`, 'name one event, or say --dead'],
    ['webhooks retry nope', 'Write the id of an event'],
    ['webhooks show nope', 'Write the id of an event'],
    ['webhooks replay', '--user, --type or --since'],
    ['webhooks replay --since yesterday', '12h'],
    ['webhooks list --limit 0', 'from 1 to'],
    ['rules restore nope', 'Write the id of a run'],
    ['rules explain GET', "missing required argument 'path'"],
    ['fga tuples export --resume', '--resume needs a file'],
    ['fga tuples export - --resume', '--resume needs a file'],
    ['fga tuples import - --resume', '--resume needs a file'],
    ['cron run nope', 'there is no job nope'],
    ['db migrate --lock-timeout 0', 'from 1 to'],
    ['db undo', 'unknown command'],
  ])(
    '%s exits 2, says what to write and where help is, before it asks for any variable',
    async (line, says) => {
      const { code, stdout, stderr } = await sallyport({}, ...line.split(' '));
      expect([code, stdout]).toEqual([2, '']);
      expect(stderr).toMatch(/^error: /);
      expect(stderr).toContain(says);
      expect(stderr).toMatch(/\(add --help for usage\)\n$/);
      expect(stderr).not.toMatch(/^\s+at /m);
    },
  );
});
