import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { unansweredOf } from '../../functions/node/member.ts';
import { bundle, launching } from '../support/bundled.ts';
import { startProgram } from '../support/gateway/program.ts';

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'sallyport-handed-over-'));
  const from = fileURLToPath(new URL('.', import.meta.url));
  await bundle({ folder, name: 'child', source: "import './handed-over.child.ts';", from });
});
afterAll(() => rm(folder, { recursive: true }));

describe('a connection that node:cluster handed to a process which does not answer', () => {
  it('is closed for its client: this Node hands over by the message that is looked for', async () => {
    const program = startProgram(process.execPath, launching(folder, 'child'));
    expect(await program.ended).toBe(0);
    expect(JSON.parse(program.output())).toEqual({ act: 'newconn', open: true, closed: true });
  });

  it('is left alone where Node hands over by another message, which is passed on as it is', () => {
    const sent: unknown[][] = [];
    const child = { send: (...args: unknown[]) => sent.push(args) > 0 };
    const closeUnanswered = unansweredOf({ process: child } as never);
    let closed = 0;
    const handle = { close: () => (closed += 1) };
    const others = [
      [{ act: 'handover' }, handle, undefined, 'then'],
      ['newconn', handle],
      [null, handle],
      [{ act: 'newconn' }],
      [{ act: 'newconn' }, null],
      [{ act: 'newconn' }, { key: 1 }],
    ];
    for (const args of others) expect(child.send(...args)).toBe(true);
    closeUnanswered();
    expect(closed).toBe(0);
    expect(sent.map((args) => args.slice(0, 2))).toEqual(others.map(([message, with_]) => [message, with_]));
    child.send({ act: 'newconn' }, handle);
    closeUnanswered();
    expect(closed).toBe(1);
  });
});
