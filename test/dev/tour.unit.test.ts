import { describe, expect, it } from 'vitest';
import { envFile } from '../../dev/env-file.ts';
import { curlLine, tokenLine } from '../../dev/tour/curl.ts';
import { readOptions, UsageError } from '../../dev/tour/options.ts';
import { STEPS } from '../../dev/tour/steps.ts';
import { colorsFor, picture, tour } from '../../dev/tour/text.ts';

const places = {
  gatewayUrl: 'http://127.0.0.1:3000',
  runtime: 'Node 20',
  variables: {
    UPSTREAM_URL: 'http://127.0.0.1:40001',
    ZITADEL_ISSUER_URL: 'http://127.0.0.1:40002',
    OPENFGA_URL: 'http://127.0.0.1:40003',
    DATABASE_URL: 'postgres://postgres@127.0.0.1:40004/postgres',
  },
};
const plain = colorsFor({ isTTY: false }, undefined);

describe('arguments', () => {
  it('default to port 3000, and to any free one for a self-check', () => {
    expect(readOptions([])).toEqual({ port: 3000, once: false });
    expect(readOptions(['--once'])).toEqual({ port: 0, once: true });
    expect(readOptions(['--once', '--port', '3100'])).toEqual({ port: 3100, once: true });
  });

  it.each([['--port', 'x'], ['--port', '65536'], ['--port', '-1'], ['--fast'], ['extra']])(
    'refuse %s %s',
    (...args) => {
      expect(() => readOptions(args)).toThrow(UsageError);
    },
  );
});

describe('the printed tour', () => {
  it('has a numbered curl line for every step that is checked, and a token line before its first use', () => {
    const text = tour(places, plain);
    STEPS.forEach((step, index) => {
      expect(text).toContain(`${index + 1} ${step.title}`);
      expect(text).toContain(curlLine(step, places.gatewayUrl));
      if (step.as) expect(text.indexOf(tokenLine(step.as, 'http://127.0.0.1:40002'))).toBeGreaterThan(-1);
    });
    expect(text.indexOf('ALICE=$(')).toBeLessThan(text.indexOf('Bearer $ALICE'));
  });

  it('keeps curl from repairing a path that hides a slash', () => {
    const step = STEPS.find(({ path }) => path.includes('%2f'))!;
    expect(curlLine(step, places.gatewayUrl)).toBe(
      "curl -i --path-as-is 'http://127.0.0.1:3000/public/..%2fadmin'",
    );
  });

  it('pictures every part with its place, in lines of equal boxes', () => {
    const text = picture(places, plain);
    for (const place of [places.gatewayUrl, ...Object.values(places.variables)])
      expect(text).toContain(place);
    const boxes = text.split('\n').slice(0, 4);
    expect(new Set(boxes.map((line) => line.length)).size).toBe(1);
  });

  it('has colours on a terminal only, and never against NO_COLOR', () => {
    expect(colorsFor({ isTTY: true }, undefined).bold('x')).not.toBe('x');
    expect(colorsFor({ isTTY: true }, '1').bold('x')).toBe('x');
    expect(colorsFor({}, undefined).bold('x')).toBe('x');
  });
});

describe('the variables file for workerd', () => {
  it('quotes JSON, escapes the dollar and refuses what it cannot carry', () => {
    expect(envFile({ A: '[{"a":"$b"}]' })).toBe(`A='[{"a":"\\$b"}]'\n`);
    expect(envFile({ A: "it's" })).toBe("A=`it's`\n");
    expect(() => envFile({ A: "'`" })).toThrow('A holds both kinds of quotes');
  });
});
