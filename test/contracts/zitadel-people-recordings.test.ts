import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import * as z from 'zod';
import { startZitadel, type Zitadel } from '../../dev/zitadel/index.ts';
import { recorded, recordingsMissing, type Recorded } from './recordings.ts';

const ORGANIZATION = '401533973655784486';
const Body = z.looseObject({ id: z.string().optional(), inviteCode: z.string().optional() });
const Problem = z.object({ code: z.number(), message: z.string() });

/** What is to be the same at both: status, code and words of a refusal, else the members of the answer. */
function comparable(status: number, body: unknown): unknown {
  const problem = Problem.safeParse(body).data;
  if (problem !== undefined) return { status, ...problem };
  return { status, members: Object.keys(z.looseObject({}).catch({}).parse(body)).sort() };
}

describe.skipIf(recordingsMissing)('people beside a recorded Zitadel (needs ../shared/recordings)', () => {
  let zitadel: Zitadel;
  beforeAll(async () => {
    zitadel = await startZitadel();
    zitadel.organizations.create(ORGANIZATION, 'GadgetBot');
  });
  afterAll(() => zitadel.close());

  const call = async (method: string, path: string, body: unknown) => {
    const answer = await fetch(zitadel.url + path, {
      method,
      headers: { authorization: `Bearer ${zitadel.token}`, 'content-type': 'application/json' },
      ...(body !== undefined && { body: typeof body === 'string' ? body : JSON.stringify(body) }),
    });
    const parsed: unknown = await answer.json();
    return { status: answer.status, body: parsed };
  };

  /** Ids and codes of the recording, by those of the stand-in. */
  const ids = new Map<string, string>();
  const translated = (text: string): string =>
    [...ids].reduce((all, [theirs, mine]) => all.replaceAll(theirs, mine), text);

  const differencesOf = async (lines: readonly Recorded[]): Promise<unknown[]> => {
    const differences: unknown[] = [];
    let codes: string[] = [];
    for (const { note, request, response } of lines) {
      if (request === undefined || response === undefined) continue;
      const sent = request['body'] === undefined ? undefined : translated(JSON.stringify(request['body']));
      // The recording masks codes: those that were verified with success are the last, the older one is the last but one.
      const code = note === 'verify the older code' ? codes.at(-2) : codes.at(-1);
      const body = sent?.replace('<inviteCode>', code ?? '');
      const mine = await call(request.method, translated(request.path), body);
      const [given, made] = [Body.safeParse(response.body).data, Body.safeParse(mine.body).data];
      if (given?.id !== undefined && made?.id !== undefined) ids.set(given.id, made.id);
      if (request.path === '/v2/users/new') codes = [];
      if (made?.inviteCode !== undefined) codes.push(made.inviteCode);
      const [one, other] = [comparable(mine.status, mine.body), comparable(response.status, response.body)];
      if (JSON.stringify(one) !== JSON.stringify(other)) differences.push([note, request.path, one, other]);
    }
    return differences;
  };

  /** Routes that the stand-in has: see its README.md. */
  const isTaken = ({ note, request }: Recorded): boolean =>
    request !== undefined &&
    /^\/v2\/(?:users\/(?!human)|sessions)/.test(request.path) &&
    !/password_reset|resend$/.test(request.path) &&
    note !== 'bad template';

  it('are created and refused as they were: 04-import.jsonl', async () => {
    // Sessions of people whom the other route made, words that depend on the order of members in a text, and an organisation
    // that may be left out at the stand-in.
    const lines = recorded('zitadel/04-import.jsonl').filter(
      (line) =>
        isTaken(line) &&
        !/^session human|^second session|^password and hash$|^no organisation$/.test(line.note ?? ''),
    );
    expect(lines.length).toBeGreaterThan(40);
    expect(await differencesOf(lines)).toEqual([]);
  });

  it('are invited as they were: 05-invites.jsonl', async () => {
    const lines = recorded('zitadel/05-invites.jsonl').filter(isTaken);
    expect(lines.length).toBeGreaterThan(30);
    expect(await differencesOf(lines)).toEqual([]);
  });
});
