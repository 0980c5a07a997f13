import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { times } from '../support/scale.ts';
import { openWorld, type World } from '../support/world.ts';
import { held, startGroup } from './group.ts';

let world: World;
beforeAll(async () => {
  world = await openWorld();
});
afterAll(async () => {
  await world.close();
});

describe('a process that dies', () => {
  it('takes its own requests along, no others, and is replaced; nothing that was counted is lost', async () => {
    const group = await startGroup(world.variables);
    const line = /^sallyport_requests_total\{rule="\/public\/\*rest"/;
    for (let n = 0; n < 6; n++) await group.client.fetch('/public/x');
    expect(await group.counted(line)).toBe(6);
    const { sockets, finish } = await held(world, group, '/public/held', 4);
    const before = await group.workers();
    process.kill(before[0]!, 'SIGKILL');
    await expect
      .poll(() => group.said('worker process died'))
      .toMatchObject([{ pid: before[0], how: 'SIGKILL' }]);
    // Handed out in turn: two connections were of the one, two are of the other.
    await expect.poll(() => sockets.filter(({ socket }) => socket.destroyed)).toHaveLength(2);
    await expect.poll(() => group.said('worker process replaced')).toHaveLength(1);
    expect(await group.workers()).toEqual([before[1], group.said('worker process replaced')[0]?.['pid']]);
    expect(await group.counted(line)).toBeGreaterThanOrEqual(6);
    expect(await group.counted(/^sallyport_worker_deaths_total/)).toBe(1);
    finish();
    const kept = sockets.filter(({ socket }) => !socket.destroyed);
    for (const raw of kept) expect(await raw.until(/done/)).toContain('200 OK');
    for (const { socket } of sockets) socket.destroy();
    expect(await group.stop()).toBe(0);
  });

  it('leaves no client waiting in vain, also whose connection it was just handed', async () => {
    const group = await startGroup(world.variables);
    let busy = true;
    const outcomes = { answered: 0, lost: 0 };
    const clients = Array.from({ length: times(8, 2) }, async () => {
      while (busy)
        await group.client.fetch('/health').then(
          () => (outcomes.answered += 1),
          () => (outcomes.lost += 1),
        );
    });
    for (let round = 1; round <= times(3, 1); round++) {
      const { answered } = outcomes;
      await expect.poll(() => outcomes.answered).toBeGreaterThan(answered + 20);
      const [oldest] = await group.workers();
      process.kill(oldest!, 'SIGKILL');
      await expect.poll(() => group.said('worker process replaced')).toHaveLength(round);
    }
    busy = false;
    await Promise.all(clients);
    expect(outcomes.lost).toBeLessThan(outcomes.answered);
    expect(await group.stop()).toBe(0);
  });

  it('hands on what one process does for all', async () => {
    const group = await startGroup(world.variables);
    const jobs = () => group.said('no regular jobs: DATABASE_URL is not set');
    await expect.poll(jobs).toHaveLength(1);
    const [first] = await group.workers();
    process.kill(first!, 'SIGKILL');
    await expect.poll(jobs).toHaveLength(2);
    expect(await group.stop()).toBe(0);
  });

  it('and is the primary leaves workers that finish what is under way, and end', async () => {
    const group = await startGroup(world.variables);
    const { sockets, finish } = await held(world, group, '/public/orphaned', 2);
    group.program.kill('SIGKILL');
    await expect.poll(() => sockets.map(({ socket }) => socket.destroyed)).toEqual([false, false]);
    finish();
    for (const raw of sockets) expect(await raw.closed).toContain('done');
    // Resolves when nobody holds its stdout any more.
    expect(await group.program.ended).toBe('SIGKILL');
  });
});

describe('told to stop', () => {
  it.each((['SIGTERM', 'SIGINT'] as const).slice(0, times(2, 1)))(
    '%s: each process finishes what is under way',
    async (signal) => {
      const group = await startGroup(world.variables);
      const { sockets, finish } = await held(world, group, '/public/slow-end', 4);
      // As a terminal and systemd do: to all of them.
      for (const pid of [group.program.pid, ...(await group.workers())]) process.kill(pid, signal);
      await expect
        .poll(() =>
          group.client.fetch('/health').then(
            () => 'taken',
            () => 'refused',
          ),
        )
        .toBe('refused');
      finish();
      for (const raw of sockets) expect(await raw.closed).toMatch(/200 OK[^]*connection: close[^]*done/i);
      expect(await group.program.ended).toBe(0);
      expect(group.said('stopped')).toHaveLength(1);
      expect(group.said('worker process died')).toEqual([]);
    },
  );

  it('again, later: all of them end at once', async () => {
    const group = await startGroup(world.variables);
    const { sockets } = await held(world, group, '/public/endless', 2);
    group.program.kill('SIGTERM');
    // A signal within a second is taken for the same one.
    const again = setInterval(() => {
      group.program.kill('SIGTERM');
    }, 100);
    expect(await group.program.ended).toBe(143);
    clearInterval(again);
    for (const raw of sockets) expect(await raw.closed).not.toContain('done');
  });
});
