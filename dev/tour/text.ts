import pc from 'picocolors';
import type { StackVariables } from '../stack.ts';
import { curlLine, tokenLine } from './curl.ts';
import { STEPS, type Step } from './steps.ts';

export type Colors = ReturnType<typeof pc.createColors>;

/** Colours for people at a terminal only, and never against NO_COLOR (no-color.org). */
export function colorsFor(stream: { readonly isTTY?: boolean }, noColor: string | undefined): Colors {
  return pc.createColors(stream.isTTY === true && (noColor ?? '') === '');
}

export interface Places {
  readonly gatewayUrl: string;
  /** What runs the gateway: `Node 20`, `workerd`. */
  readonly runtime: string;
  readonly variables: StackVariables;
}

const BOX_WIDTH = 30;

/** What runs where. */
export function picture({ gatewayUrl, runtime, variables }: Places, colors: Colors): string {
  const rule = '─'.repeat(BOX_WIDTH);
  const row = (left: string, right: string) =>
    `│ ${left.padEnd(BOX_WIDTH - 1)}│`.concat(`     │ ${right.padEnd(BOX_WIDTH - 1)}│`);
  const part = (branch: string, name: string, place: string | undefined) =>
    `          ${branch} ${name.padEnd(17)}${place ?? ''}`;
  return [
    `       ┌${rule}┐     ┌${rule}┐`,
    `       ${row(`Gateway (${runtime})`, 'Sample upstream')}`,
    ` you ─▶${row(gatewayUrl, variables['UPSTREAM_URL'] ?? '')}`.replace('│     │', '│ ──▶ │'),
    `       └──┬${'─'.repeat(BOX_WIDTH - 3)}┘     └${rule}┘`,
    part('├─▶', 'OpenID provider', variables['ZITADEL_ISSUER_URL']),
    part('├─▶', 'OpenFGA', variables['OPENFGA_URL']),
    part('└─▶', 'Postgres', variables['DATABASE_URL']),
    colors.dim('           all of it in memory and on loopback; counters live in the gateway'),
  ].join('\n');
}

/** Lines to paste, in order. */
export function tour({ gatewayUrl, variables }: Places, colors: Colors): string {
  const issuer = variables['ZITADEL_ISSUER_URL'] ?? '';
  const users = new Set(STEPS.flatMap((step) => step.as ?? []));
  return [
    colors.bold('Tokens for the lines below') + colors.dim(' (good for one hour; run these first)'),
    ...[...users].map((user) => `   ${tokenLine(user, issuer)}`),
    colors.dim('   other kinds: add &ttl=60 (seconds), &opaque=1, &alg=ES256 or &audience=… to the address'),
    '',
    colors.bold('The tour') + colors.dim(' (paste any line into a second terminal)'),
    ...STEPS.flatMap((step, index) => stepLines(step, index, gatewayUrl, colors)),
    '',
    colors.bold('Sign in with a browser') + ` instead, and copy the token: ${colors.underline(`${issuer}/`)}`,
    colors.bold('Stop') + ' with Ctrl-C: nothing is left behind.',
  ].join('\n');
}

function stepLines(step: Step, index: number, gatewayUrl: string, colors: Colors): string[] {
  const number = String(index + 1).padStart(2);
  const outcome = [step.expect.status, step.expect.code].filter((part) => part !== undefined).join(' ');
  return [
    `${number} ${step.title} ${colors.dim(`→ ${outcome}`)}`,
    `   ${colors.cyan(curlLine(step, gatewayUrl))}`,
  ];
}
