import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { shortened } from '../../shared/adapters/log-json.ts';
import { stdoutLines, type Lines } from '../../shared/adapters/node/stdout.ts';

/** A reader of stdout that takes as many bytes as it is told, and then refuses like a full pipe. */
class Reader {
  room = Infinity;
  code = 'EAGAIN';
  text = '';
  calls = 0;
  readonly put = (buffer: Buffer, start: number, length: number): number => {
    this.calls += 1;
    const taken = Math.min(length, this.room);
    if (taken === 0) throw Object.assign(new Error(this.code), { code: this.code });
    this.room -= taken;
    this.text += buffer.toString('utf8', start, start + taken);
    return taken;
  };
}

let reader: Reader;
let dropped: number;
let lines: Lines;
const tick = (): void => void vi.advanceTimersByTime(100);

beforeEach(() => {
  vi.useFakeTimers();
  reader = new Reader();
  dropped = 0;
  lines = stdoutLines({
    onDrop: () => void (dropped += 1),
    lost: (count) => `lost ${count}`,
    put: reader.put,
  });
});
afterEach(() => {
  process.off('exit', lines.flush);
  vi.useRealTimers();
});

const write = (from: number, to: number, size = 1_000): void => {
  for (let n = from; n < to; n++) lines.write(`${n} ${'x'.repeat(size)}`);
};
const numbers = (): number[] =>
  reader.text
    .trim()
    .split('\n')
    .map((line) => Number(line.split(' ')[0]));

it('lines go out together, ten times a second', () => {
  write(0, 5);
  expect(reader.calls).toBe(0);
  tick();
  expect([reader.calls, numbers()]).toEqual([1, [0, 1, 2, 3, 4]]);
});

it('64 KiB do not wait', () => {
  write(0, 70);
  expect(reader.text.length).toBeGreaterThanOrEqual(65_536);
});

it.each(['EAGAIN', 'ENOSPC', 'EPIPE'])(
  '%s: what does not fit into 1 MiB is dropped and counted, nothing waits',
  (code) => {
    Object.assign(reader, { room: 100, code });
    write(0, 5_000);
    expect(dropped).toBeGreaterThan(3_900);
    expect(dropped).toBeLessThan(4_100);
    // The clock tries again, not every line.
    expect(reader.calls).toBeLessThan(5);
  },
);

it('a full pipe is written to again as soon as its reader takes something: a quick one loses nothing', () => {
  reader.room = 65_536;
  // 10 MB at 10 MB/s.
  for (let n = 0; n < 10_000; n++) {
    write(n, n + 1);
    if (n % 10 === 0) {
      vi.advanceTimersByTime(1);
      reader.room = 65_536;
    }
  }
  reader.room = Infinity;
  tick();
  expect(dropped).toBe(0);
  expect(numbers()).toEqual([...Array(10_000).keys()]);
});

it('a pipe that nobody reads is tried ten times a second, and at once again after it was read', () => {
  reader.room = 65_536;
  write(0, 200);
  vi.advanceTimersByTime(10_000);
  const before = reader.calls;
  vi.advanceTimersByTime(10_000);
  expect(reader.calls - before).toBeLessThanOrEqual(101);
  reader.room = 10;
  while (reader.room > 0) vi.advanceTimersByTime(1);
  reader.room = Infinity;
  vi.advanceTimersByTime(1);
  expect(numbers()).toEqual([...Array(200).keys()]);
});

it('when the reader is back, all that fitted comes in order, then how many are missing, then the next lines', () => {
  reader.room = 100;
  write(0, 5_000);
  const kept = 5_000 - dropped;
  reader.room = Infinity;
  tick();
  tick();
  write(5_000, 5_003);
  tick();
  const got = reader.text.trim().split('\n');
  expect(got).toHaveLength(kept + 4);
  expect(got.slice(0, kept).map((line) => Number(line.split(' ')[0]))).toEqual([...Array(kept).keys()]);
  expect(got[kept]).toBe(`lost ${dropped}`);
  expect(got.slice(kept + 1).map((line) => Number(line.split(' ')[0]))).toEqual([5_000, 5_001, 5_002]);
});

it('a reader that takes little at a time gets every byte', () => {
  const sent: string[] = [];
  for (let n = 0; n < 300; n++) {
    const line = `${n} ${'é'.repeat(n * 7)}`;
    sent.push(line);
    lines.write(line);
    reader.room = 4_097;
    tick();
  }
  reader.room = Infinity;
  tick();
  expect(dropped).toBe(0);
  expect(Buffer.from(reader.text).length).toBeGreaterThan(0);
  expect(reader.text.replaceAll('\uFFFD', '').length).toBeGreaterThan(0);
  expect(reader.text.split('\n').length).toBe(301);
});

it('a line longer than all the room is dropped, and the log goes on', () => {
  lines.write('x'.repeat(2_000_000));
  tick();
  lines.write('after');
  tick();
  expect([dropped, reader.text]).toEqual([1, 'lost 1\nafter\n']);
});

it('the end of the process takes everything along', () => {
  write(0, 5);
  lines.flush();
  expect(numbers()).toEqual([0, 1, 2, 3, 4]);
});

describe('beside other processes on the same stdout', () => {
  const calls: string[] = [];
  const put = (buffer: Buffer, start: number, length: number): number => {
    reader.put(buffer, start, length);
    calls.push(buffer.toString('utf8', start, start + length));
    return length;
  };
  beforeEach(() => {
    calls.length = 0;
    lines = stdoutLines({
      onDrop: () => void (dropped += 1),
      lost: (count) => `lost ${count}`,
      shorten: (line) => `short ${line.length}`,
      put,
    });
  });

  it('each write is of whole lines and of 4 KiB at most: so much goes out whole or not at all', () => {
    for (let n = 0; n < 300; n++) lines.write(`${n} ${'é'.repeat(n * 3)}`);
    tick();
    expect(calls.length).toBeGreaterThan(1);
    for (const call of calls) {
      expect(Buffer.byteLength(call)).toBeLessThanOrEqual(4_096);
      expect(call.endsWith('\n')).toBe(true);
    }
    expect(numbers()).toEqual([...Array(300).keys()]);
  });

  it('a reader that comes late gets every line once', () => {
    write(0, 20);
    reader.room = 0;
    tick();
    reader.room = Infinity;
    tick();
    expect(numbers()).toEqual([...Array(20).keys()]);
  });

  it.each([
    [4_095, false],
    [4_096, true],
    [50_000, true],
  ])('of a line of %d bytes its beginning goes out, where it is too long: %s', (bytes, tooLong) => {
    lines.write('x'.repeat(bytes));
    tick();
    expect(reader.text).toBe(tooLong ? `short ${bytes}\n` : `${'x'.repeat(bytes)}\n`);
  });
});

it('the beginning of a long line is a line that fits, whatever it holds', () => {
  for (const each of ['"', '\\', '漢', '\ud83d\ude00', 'x']) {
    const short = shortened(each.repeat(50_000));
    expect(Buffer.byteLength(short)).toBeLessThan(4_096);
    expect(JSON.parse(short)).toMatchObject({ level: 'warn', msg: 'log line shortened' });
  }
});
