import { PassThrough, Readable } from 'node:stream';
import { text } from 'node:stream/consumers';
import { describe, expect, it } from 'vitest';
import { spread } from '../../cli/zitadel/import/spread.ts';

const HEAD = "SET client_encoding = 'UTF8';\nSELECT pg_catalog.set_config('search_path', '', false);\n";
const COPY = 'COPY eventstore.events2 (instance_id, "position") FROM stdin;\n';
const ROWS = Array.from({ length: 500 }, (_, at) => `${at}\t\\\\.\\n${'ü'.repeat(at % 7)}`);
const SCRIPT = `--\n-- PostgreSQL database dump\n--\n\n\\restrict k\n\n${HEAD}\n-- Data for Name: events2\n\n${COPY}${ROWS.join('\n')}\n\\.\n\n\\! touch owned\nSELECT 1;\n`;

/** What each of three sessions is sent, of a script that comes in pieces of so many bytes. */
async function sent(script: string, bytes: number): Promise<readonly string[]> {
  const whole = Buffer.from(script);
  const pieces = Array.from({ length: Math.ceil(whole.length / bytes) }, (_, at) =>
    whole.subarray(at * bytes, (at + 1) * bytes),
  );
  const sinks = [1, 2, 3].map(() => new PassThrough({ highWaterMark: 64 }));
  const [texts] = await Promise.all([
    Promise.all(sinks.map((sink) => text(sink))),
    spread(Readable.from(pieces) as AsyncIterable<Buffer>, sinks).catch((error: unknown) => {
      for (const sink of sinks) sink.end();
      throw error;
    }),
  ]);
  return texts;
}

describe('a large table that several sessions fill', () => {
  it.each([1, 3, 17, 100, 1_000_000])('has each row once, in pieces of %i bytes', async (bytes) => {
    const texts = await sent(SCRIPT, bytes);
    for (const each of texts)
      expect(each).toMatch(/^SET client_encoding[^\n]*\nSELECT [^\n]*\nCOPY [^\n]*\n/);
    const rows = texts.flatMap((each) => {
      expect(each.endsWith('\\.\n')).toBe(true);
      return each
        .slice(HEAD.length + COPY.length, -'\\.\n'.length)
        .split('\n')
        .slice(0, -1);
    });
    expect(rows.sort()).toEqual([...ROWS].sort());
  });

  it('is refused when its data end early', async () => {
    await expect(sent(SCRIPT.slice(0, SCRIPT.indexOf('\\.\n\n')), 100)).rejects.toThrow('end early');
  });
});
