import pc from 'picocolors';
import type { Stack } from '../stack.ts';
import { commandLine, commandSetUp } from './command.ts';
import { startUrl } from './browser.ts';
import { curlLine, RUN_LINE, serviceTokenLine, signInLines, tokenLine } from './curl.ts';
import type { DoorProvider } from '../doors.ts';
import { crossing } from './crossing.ts';
import { doors } from './doors.ts';
import { invitationLines } from './invitation.ts';
import { LEGACY_PASSWORD } from '../legacy/people.ts';
import { lifecycle } from './lifecycle.ts';
import { OPERATIONS } from './operations.ts';
import {
  isCommand,
  isInvitation,
  isRequest,
  isSignIn,
  type Bearer,
  type InvitationStep,
  type Places,
  type Step,
} from './step.ts';
import { REQUESTS } from './steps.ts';

export type Colors = ReturnType<typeof pc.createColors>;

/** Colours for people at a terminal only, and never against NO_COLOR (no-color.org). */
export function colorsFor(stream: { readonly isTTY?: boolean }, noColor: string | undefined): Colors {
  return pc.createColors(stream.isTTY === true && (noColor ?? '') === '');
}

/** What the printed lines have to name. */
export interface Scene {
  /** What runs the gateway: `Node 20`, `workerd`. */
  readonly runtime: string;
  readonly places: Places;
  readonly upstream: string;
  readonly issuer: string;
  /** Where people of the legacy application go. */
  readonly provider: DoorProvider;
  readonly database: string;
  /** The OpenFGA store. */
  readonly storeId: string;
  readonly serviceToken: string;
  /** Where the demo's variables are, from the project's folder. */
  readonly envFile: string;
}

export function sceneOf(
  runtime: string,
  gateway: string,
  { variables, mails }: Pick<Stack, 'variables'> & { readonly mails: Pick<Stack['mails'], 'url'> },
  envFile: string,
): Scene {
  const named = (name: string): string => variables[name] ?? '';
  return {
    runtime,
    places: {
      gateway,
      zitadel: named('ZITADEL_API_URL'),
      kanidm: named('KANIDM_URL'),
      openfga: named('OPENFGA_URL'),
      inbox: mails.url,
    },
    upstream: named('UPSTREAM_URL'),
    issuer: named('ZITADEL_ISSUER_URL'),
    provider: named('MIGRATION_PROVIDER') === 'zitadel' ? 'zitadel' : 'kanidm',
    database: named('DATABASE_URL'),
    storeId: named('OPENFGA_STORE_ID'),
    serviceToken: named('ZITADEL_SERVICE_TOKEN'),
    envFile,
  };
}

const BOX_WIDTH = 30;

/** What runs where. */
export function picture(scene: Scene, colors: Colors): string {
  const { runtime, places, upstream, issuer, database } = scene;
  const rule = '─'.repeat(BOX_WIDTH);
  const row = (left: string, right: string) =>
    `│ ${left.padEnd(BOX_WIDTH - 1)}│`.concat(`     │ ${right.padEnd(BOX_WIDTH - 1)}│`);
  const part = (branch: string, name: string, place: string) =>
    `          ${branch} ${name.padEnd(17)}${place}`;
  return [
    `       ┌${rule}┐     ┌${rule}┐`,
    `       ${row(`Gateway (${runtime})`, 'Sample upstream')}`,
    ` you ─▶${row(places.gateway, upstream)}`.replace('│     │', '│ ──▶ │'),
    `       └──┬${'─'.repeat(BOX_WIDTH - 3)}┘     └${rule}┘`,
    part('├─▶', 'OpenID provider', issuer),
    part('├◀▶', 'Zitadel stand-in', `${places.zitadel} (users; their events come to /webhooks/zitadel)`),
    part(
      '├─▶',
      'Kanidm stand-in',
      `${places.kanidm} (people of the legacy application go there, or to Zitadel by --provider)`,
    ),
    part('├─▶', 'OpenFGA', places.openfga),
    part('├─▶', 'Mail server', `${places.inbox} (its inbox: what is sent stays there)`),
    part('└─▶', 'Postgres', `${database} (500 people of a legacy application, and what Sallyport keeps)`),
    colors.dim('           all of it in memory and on loopback; counters live in the gateway'),
  ].join('\n');
}

/** Lines to paste, in order. */
export function tour(scene: Scene, colors: Colors): string {
  const { issuer, places, serviceToken } = scene;
  const number = numbering();
  const lines = (steps: readonly Step[]) => steps.flatMap((step) => stepLines(step, number(), scene, colors));
  const heading = (title: string, note: string): string =>
    `# ${colors.bold(title)}${colors.dim(` (${note})`)}`;
  return [
    heading('First, in a second terminal', 'the tokens are good for one hour'),
    ...commandSetUp(scene.envFile).map((line) => `   ${line}`),
    ...bearersOf(REQUESTS).map((user) => `   ${tokenLine(user, issuer, places)}`),
    colors.dim('#  other kinds: add &ttl=60 (seconds), &opaque=1, &alg=ES256 or &audience=… to the address'),
    '',
    heading('The gateway', 'paste any line, or all of them'),
    ...lines(REQUESTS),
    '',
    heading('Two doors', `paste all of it; the password of everybody is ${LEGACY_PASSWORD}`),
    ...withTokens(doors(scene.provider), scene, lines),
    '',
    heading(
      'The crossing',
      'after the two doors; paste all of it, as often as you like: each time another one moves',
    ),
    `   ${RUN_LINE}`,
    ...withTokens(crossing(scene.provider), scene, lines),
    '',
    heading('The life of a user', 'paste all of it, as often as you like'),
    `   ${RUN_LINE}`,
    `   ${serviceTokenLine(serviceToken)}`,
    ...withTokens(lifecycle(scene.storeId), scene, lines),
    '',
    heading('The operator', 'paste any line'),
    ...lines(OPERATIONS),
    '',
    colors.bold('The figures') +
      ` as a page, where Grace may view them: ${colors.underline(`${places.gateway}/analytics`)}`,
    colors.bold('Sign in with a browser') + ` instead, and copy the token: ${colors.underline(`${issuer}/`)}`,
    colors.dim(`Metrics of the webhooks: ${places.gateway}/metrics, their inbox: `) +
      commandLine({ title: '', command: ['webhooks', 'list'] }),
    colors.bold('Stop') + ' with Ctrl-C: nothing is left behind.',
  ].join('\n');
}

/** A user's token line stands before its first use, because the user is made by a step before, and where a new one is wanted. */
function withTokens(
  steps: readonly Step[],
  { issuer, places }: Scene,
  lines: (steps: readonly Step[]) => readonly string[],
): string[] {
  const seen = new Set<Bearer>(['service']);
  return steps.flatMap((step) => {
    const anew = isRequest(step) && step.newToken === true;
    const [bearer] = bearersOf([step]).filter((each) => anew || !seen.has(each));
    if (bearer === undefined) return lines([step]);
    seen.add(bearer);
    const token = `   ${tokenLine(bearer, issuer, places)}`;
    const own = lines([step]);
    // A new token is made after the pause that its step asks for.
    return anew ? [...own.slice(0, -1), token, ...own.slice(-1)] : [token, ...own];
  });
}

function bearersOf(steps: readonly Step[]): Bearer[] {
  return [...new Set(steps.flatMap((step) => (isRequest(step) ? (step.as ?? []) : [])))];
}

function numbering(): () => number {
  let last = 0;
  return () => (last += 1);
}

function stepLines(step: Step, number: number, scene: Scene, colors: Colors): string[] {
  const own = ownLines(step, scene);
  const pause = isCommand(step) ? 0 : (step.afterSeconds ?? 0);
  // As a command, so that what is pasted prints what it expects above what it gets, in every shell.
  const title = `${colors.dim("echo; echo '")}${number} ${step.title}${outcomeOf(step, colors)}${colors.dim("'")}`;
  return [
    title,
    ...(pause === 0 ? [] : [`   sleep ${pause}`]),
    ...own.map((line) => `   ${colors.cyan(line)}`),
    ...browserLines(step, scene, colors),
  ];
}

function ownLines(step: Step, { places }: Scene): string[] {
  if (isCommand(step)) return [commandLine(step)];
  if (isInvitation(step)) return invitationLines(step, places);
  return isRequest(step) ? [curlLine(step, places)] : signInLines(step, places);
}

function browserLines(step: Step, { places }: Scene, colors: Colors): string[] {
  const url = isSignIn(step) ? startUrl(step, places, true) : isOpened(step) ? places.inbox : undefined;
  return url === undefined ? [] : [`${colors.dim('#  or in a browser:')} ${colors.underline(url)}`];
}

function isOpened(step: Step): step is InvitationStep {
  return isInvitation(step) && step.invitation === 'opened';
}

function outcomeOf(step: Step, colors: Colors): string {
  if (!isRequest(step) && !isOpened(step)) return '';
  const { status, code } = step.expect;
  return ` ${colors.dim(`→ ${[status, code].filter((part) => part !== undefined).join(' ')}`)}`;
}
