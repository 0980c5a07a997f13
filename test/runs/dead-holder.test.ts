/** A killed holder is found dead by /proc, so that its lease need not run out. */
import { spawn, type ChildProcess } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { linuxProcesses } from '../../shared/adapters/node/processes.ts';
import { sql } from '../../shared/ports/database.ts';
import { openLease, withLease } from '../../shared/runs/lease.ts';
import { DATABASES, type MigratedDatabase } from '../support/databases.ts';
import { kindsOf } from '../support/scale.ts';

const processes = linuxProcesses();
const own = processes.own ?? '';
const WATCHDOG = { timeout: 600_000, interval: 5 };

/** The mark of another process, as it would write it itself. */
function markOf(pid: number): string {
  const stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
  const [, , , , , , , , , , , , , , , , , , , start] = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return own.replace(/ \d+ \d+$/, ` ${pid} ${start}`);
}

describe.skipIf(processes.own === null)('a process of Linux', () => {
  const children: ChildProcess[] = [];
  afterEach(async () => {
    for (const child of children.splice(0)) await killed(child);
  });
  const start = (...args: string[]) => {
    const [command = 'sleep', ...rest] = args;
    const child = spawn(command, rest.length > 0 ? rest : ['3600']);
    children.push(child);
    return child;
  };
  async function killed(child: ChildProcess): Promise<void> {
    if (child.exitCode !== null || child.signalCode !== null) return;
    const gone = once(child, 'exit');
    child.kill('SIGKILL');
    await gone;
  }

  it('is dead once it was killed, not before, and not while it is stopped', async () => {
    const child = start();
    const mark = markOf(child.pid!);
    expect(processes.isDead(mark)).toBe(false);
    child.kill('SIGSTOP');
    expect(processes.isDead(mark)).toBe(false);
    await killed(child);
    expect(processes.isDead(mark)).toBe(true);
    expect(processes.isDead(own)).toBe(false);
  });

  it('is dead although its parent has not fetched its end', async () => {
    const parent = start('sh', '-c', 'sleep 3600 & echo $!; exec sleep 3600');
    const [line] = (await once(parent.stdout, 'data')) as [Buffer];
    const pid = Number(line.toString());
    const mark = markOf(pid);
    process.kill(pid, 'SIGKILL');
    await vi.waitUntil(() => / Z /.test(readFileSync(`/proc/${pid}/stat`, 'latin1')), WATCHDOG);
    expect(processes.isDead(mark)).toBe(true);
  });

  it('that has the number of one that ended is another', () => {
    expect(processes.isDead(own.replace(/\d+$/, '1'))).toBe(true);
  });

  it('of another machine, boot or container, or by a mark of another kind, is never said to be dead', () => {
    const [boot = '', namespace = '', , begun = ''] = own.split(' ');
    const free = 2 ** 22 + 1;
    expect(processes.isDead(`${boot} ${namespace} ${free} ${begun}`)).toBe(true);
    for (const mark of [
      `${randomUUID()} ${namespace} ${free} ${begun}`,
      `${boot} pid:[1] ${free} ${begun}`,
      `${boot} ${namespace} 0 ${begun}`,
      `${boot} ${namespace} -1 ${begun}`,
      `${boot} ${namespace} ${free}`,
      '',
    ])
      expect(processes.isDead(mark), mark).toBe(false);
  });

  describe.each(kindsOf(DATABASES))('that holds a lease on $name', (kind) => {
    describe.skipIf(kind.missing)('', () => {
      let db: MigratedDatabase;
      beforeAll(async () => {
        db = await kind.start();
      });
      afterAll(() => db.close());
      beforeEach(() => db.database.execute(sql`delete from sallyport_leases`));

      const patience = { waitMs: 0, sleep: () => Promise.resolve() };
      const held = async (by: string) => {
        const holder = { own: by, isDead: () => false };
        const lease = openLease(db.database, { name: 'x', ms: 3_600_000, processes: holder });
        await lease.take({ runId: randomUUID() });
        return lease;
      };
      const next = () =>
        withLease(
          openLease(db.database, { name: 'x', processes }),
          randomUUID(),
          patience,
          async () => 'ran',
        );

      it('loses it by being killed, with an hour left', async () => {
        const child = start();
        const lease = await held(markOf(child.pid!));
        await expect(next()).rejects.toThrow('another x is running');
        await killed(child);
        expect(await next()).toBe('ran');
        await expect(lease.hold()).rejects.toThrow('another x has taken over');
      });

      it('is followed by one of those who saw it dead', async () => {
        const child = start();
        await held(markOf(child.pid!));
        await killed(child);
        const contenders = Array.from({ length: 6 }, () =>
          openLease(db.another(), { name: 'x', ms: 3_600_000, processes }),
        );
        const seen = await Promise.all(contenders.map((lease) => lease.holder()));
        expect(seen.every((holder) => holder?.dead)).toBe(true);
        const had = await Promise.all(
          contenders.map((lease, index) => lease.take({ runId: randomUUID(), over: seen[index]! })),
        );
        expect(had.filter(Boolean)).toHaveLength(1);
      });
    });
  });
});
