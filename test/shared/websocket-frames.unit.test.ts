import { expect, it } from 'vitest';
import { FrameBoundaries, goingAway } from '../../shared/adapters/node/websocket-frames.ts';

function frame(length: number, masked: boolean): Buffer {
  const bit = masked ? 0x80 : 0;
  const mask = masked ? [1, 2, 3, 4] : [];
  const extended = Buffer.alloc(8);
  extended.writeBigUInt64BE(BigInt(length));
  const head =
    length < 126
      ? [0x82, bit | length]
      : length < 65_536
        ? [0x82, bit | 126, ...extended.subarray(6)]
        : [0x82, bit | 127, ...extended];
  return Buffer.concat([Buffer.from([...head, ...mask]), Buffer.alloc(length, 0x88)]);
}

const LENGTHS = [0, 1, 125, 126, 127, 65_535, 65_536, 70_000];

it.each(LENGTHS.flatMap((length) => [[length, true] as const, [length, false] as const]))(
  'a frame of %i bytes (masked: %s) ends where it ends, in pieces of any size',
  (length, masked) => {
    const bytes = frame(length, masked);
    // One assertion: half a million take seconds.
    const wrong: object[] = [];
    for (const size of [1, 2, 3, 7, 1_000, bytes.length]) {
      const frames = new FrameBoundaries();
      for (let at = 0; at < bytes.length; at += size) {
        frames.pass(bytes.subarray(at, at + size));
        if (frames.between !== at + size >= bytes.length) wrong.push({ size, at, between: frames.between });
      }
    }
    expect(wrong).toEqual([]);
  },
);

it('the first boundary in a piece is found, and what lies behind it is left', () => {
  const frames = new FrameBoundaries();
  const [one, two] = [frame(300, true), frame(5, false)];
  frames.pass(one.subarray(0, 2));
  expect(frames.toBoundary(Buffer.concat([one.subarray(2), two]))).toBe(one.length - 2);
  expect(frames.between).toBe(true);
  frames.pass(two.subarray(0, 1));
  expect(frames.toBoundary(two.subarray(1, 4))).toBe(3);
  expect(frames.between).toBe(false);
});

it('good-bye is a close frame with 1001, masked for a server', () => {
  expect([...goingAway()]).toEqual([0x88, 2, 0x03, 0xe9]);
  expect([...goingAway(Buffer.from([0xff, 0x0f, 1, 2]))]).toEqual([
    0x88,
    0x82,
    0xff,
    0x0f,
    1,
    2,
    0x03 ^ 0xff,
    0xe9 ^ 0x0f,
  ]);
});
