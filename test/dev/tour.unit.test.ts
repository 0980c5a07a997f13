import { describe, expect, it } from 'vitest';
import { envFile } from '../../dev/env-file.ts';
import { commandLine } from '../../dev/tour/command.ts';
import { curlLine, signInLines, tokenLine } from '../../dev/tour/curl.ts';
import { readOptions, UsageError } from '../../dev/tour/options.ts';
import { invitationLines } from '../../dev/tour/invitation.ts';
import { isCommand, isInvitation, isRequest } from '../../dev/tour/step.ts';
import { REQUESTS, stepsOf } from '../../dev/tour/steps.ts';
import { startProgress } from '../../dev/tour/progress.ts';
import { colorsFor, picture, sceneOf, tour } from '../../dev/tour/text.ts';

const scene = sceneOf(
  'Node 20',
  'http://127.0.0.1:3000',
  {
    mails: { url: 'http://127.0.0.1:40007' },
    variables: {
      UPSTREAM_URL: 'http://127.0.0.1:40001',
      ZITADEL_ISSUER_URL: 'http://127.0.0.1:40002',
      OPENFGA_URL: 'http://127.0.0.1:40003',
      OPENFGA_STORE_ID: '01STORE',
      DATABASE_URL: 'postgres://postgres@127.0.0.1:40004/postgres',
      ZITADEL_API_URL: 'http://127.0.0.1:40005',
      ZITADEL_SERVICE_TOKEN: 'token-of-the-service',
      KANIDM_URL: 'http://127.0.0.1:40006',
    },
  },
  '.wrangler/demo-3000.env',
);
const { places } = scene;
const STEPS = stepsOf(scene);
const plain = colorsFor({ isTTY: false }, undefined);

describe('arguments', () => {
  it('default to port 3000, and to any free one for a self-check', () => {
    expect(readOptions([])).toEqual({ port: 3000, once: false, provider: 'kanidm' });
    expect(readOptions(['--once'])).toEqual({ port: 0, once: true, provider: 'kanidm' });
    expect(readOptions(['--once', '--port', '3100', '--provider', 'zitadel'])).toEqual({
      ...{ port: 3100, once: true, provider: 'zitadel' },
    });
  });

  it.each([
    ['--port', 'x'],
    ['--port', '65536'],
    ['--port', '-1'],
    ['--provider', 'x'],
    ['--fast'],
    ['extra'],
  ])('refuse %s %s', (...args) => {
    expect(() => readOptions(args)).toThrow(UsageError);
  });
});

describe('the printed tour', () => {
  it('has a numbered line for every step that is checked', () => {
    const text = tour(scene, plain);
    STEPS.forEach((step, index) => {
      const own = isCommand(step)
        ? [commandLine(step)]
        : isRequest(step)
          ? [curlLine(step, places)]
          : isInvitation(step)
            ? invitationLines(step, places)
            : signInLines(step, places);
      const lines = text
        .slice(text.indexOf(`echo; echo '${index + 1} ${step.title}`))
        .split('\n')
        .filter((each) => !/^ +(?!JAR|PAGE|LINK|NAME|START|FORM)[A-Z]+=/.test(each));
      expect(lines[0]).toContain(step.title);
      const pause =
        !isCommand(step) && step.afterSeconds !== undefined ? [`   sleep ${step.afterSeconds}`] : [];
      const wanted = [...pause, ...own.map((line) => `   ${line}`)];
      expect(lines.slice(1, 1 + wanted.length)).toEqual(wanted);
    });
  });

  it('sets every token before its first use, and of a new user after the step that makes them', () => {
    const text = tour(scene, plain);
    for (const bearer of ['alice', 'bob', 'carol', 'grace', 'dana', 'erin'] as const) {
      const set = text.indexOf(tokenLine(bearer, scene.issuer, places));
      expect(set).toBeGreaterThan(-1);
      expect(set).toBeLessThan(text.indexOf(`Bearer $${bearer.toUpperCase()}`));
    }
    expect(text.indexOf('SERVICE=token-of-the-service')).toBeLessThan(text.indexOf('Bearer $SERVICE'));
    expect(text.indexOf(`"userId":"dana-'$RUN'"`)).toBeLessThan(text.indexOf('DANA=$('));
    expect(text.indexOf(`"userId":"erin-'$RUN'"`)).toBeLessThan(text.indexOf('ERIN=$('));
    expect(text.indexOf('RUN=$(date +%s)')).toBeLessThan(text.indexOf(`'$RUN'`));
  });

  it('has titles that a shell can print: no quote ends early', () => {
    for (const { title } of STEPS) expect(title).not.toMatch(/['\\]/);
  });

  it('keeps curl from repairing a path that hides a slash', () => {
    const step = REQUESTS.find(({ path }) => path.includes('%2f'))!;
    expect(curlLine(step, places)).toBe("curl -i --path-as-is 'http://127.0.0.1:3000/public/..%2fadmin'");
  });

  it('pictures every part with its place, in lines of equal boxes', () => {
    const text = picture(scene, plain);
    for (const place of [...Object.values(places), scene.upstream, scene.issuer, scene.database])
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

describe('the line while the demo starts', () => {
  const written = (stream: { isTTY?: boolean; columns?: number }, term?: string): string => {
    let text = '';
    const progress = startProgress({ ...stream, write: (part) => (text += part) }, 2, term);
    progress.up('Postgres');
    progress.end();
    return text;
  };

  it('is one on a terminal, redrawn within its width and wiped at the end', () => {
    const text = written({ isTTY: true, columns: 40 });
    expect(text).not.toContain('\n');
    expect(text).toMatch(/\r\u001b\[2K$/);
    expect(text).toContain('1 of 2');
    for (const line of text.split('\r\u001b[2K')) expect(line.length).toBeLessThan(40);
  });

  it.each([
    [{}, undefined],
    [{ isTTY: true }, 'dumb'],
  ])('is plain text, once, on %j with TERM %s', (stream, term) => {
    expect(written(stream, term)).toBe('Starting the demo …\n');
  });
});

describe('the variables file for workerd', () => {
  it('quotes JSON, escapes the dollar and refuses what it cannot carry', () => {
    expect(envFile({ A: '[{"a":"$b"}]' })).toBe(`A='[{"a":"\\$b"}]'\n`);
    expect(envFile({ A: "it's" })).toBe("A=`it's`\n");
    expect(() => envFile({ A: "'`" })).toThrow('A holds both kinds of quotes');
  });
});
