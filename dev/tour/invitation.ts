import { z } from 'zod';
import { browser } from './browser.ts';
import { HEADING } from './curl.ts';
import type { InvitationStep, Places } from './step.ts';

/** 256 bits as base64url, behind the gateway's address. */
const TOKEN_LENGTH = 43;

const Mails = z.array(z.object({ text: z.string() }));

/** What the last page answers. Throws where the inbox has no invitation. */
export async function followInvitation(step: InvitationStep, places: Places): Promise<Response> {
  const link = await newestLink(places);
  const go = browser();
  if (step.invitation === 'opened') return (await go(link)).answer;
  const led = await go(link, new URLSearchParams());
  const { password, provider } = step;
  if (provider === 'kanidm') {
    const fields = { save: '1', new_password: password, new_password_check: password };
    await go(resetForm(places), new URLSearchParams(fields));
  }
  const page = await (await go(link)).answer.text();
  const name = partOf(page, /<strong>([^<]+)</);
  if (provider === 'zitadel') return (await go(led.url, new URLSearchParams({ name, password }))).answer;
  await go(partOf(page, /class="button" href="([^"]+)"/).replaceAll('&amp;', '&'));
  return (await go(signInForm(places), new URLSearchParams({ username: name, password }))).answer;
}

function resetForm({ kanidm }: Places): string {
  return `${kanidm}/ui/reset/add_password`;
}

function signInForm({ kanidm }: Places): string {
  return `${kanidm}/ui/login/pw`;
}

async function newestLink({ inbox, gateway }: Places): Promise<string> {
  const mails = Mails.parse(await (await fetch(`${inbox}/mails.json`)).json());
  const text = mails.map((mail) => mail.text).join('\n');
  return partOf(text, new RegExp(`(${gateway}/invites/[\\w-]{${TOKEN_LENGTH}})`));
}

function partOf(text: string, pattern: RegExp): string {
  const [, part] = pattern.exec(text) ?? [];
  if (part === undefined) throw new Error(`nothing like ${pattern.source} in: ${text}`);
  return part;
}

/** The step as lines for a POSIX shell; the first of its two kinds sets the link that the second follows. */
export function invitationLines(step: InvitationStep, places: Places): string[] {
  const { gateway, inbox } = places;
  if (step.invitation === 'opened') {
    const link = `grep -o '${gateway}/invites/[A-Za-z0-9_-]\\{${TOKEN_LENGTH}\\}' | head -n 1`;
    return [
      `LINK=$(curl -s '${inbox}/mails.json' | ${link})`,
      `curl -si "$LINK" | grep -Eo '^HTTP.*|<h1[^>]*>[^<]*'`,
    ];
  }
  const { provider, password } = step;
  const name = `NAME=$(printf %s "$PAGE" | sed -n 's/.*<strong>\\([^<]*\\)<.*/\\1/p')`;
  const begin = `JAR=$(mktemp); go() { curl -sL -b "$JAR" -c "$JAR" "$@"; }`;
  if (provider === 'zitadel')
    return [
      begin,
      `FORM=$(go -o /dev/null -w '%{url_effective}' -d '' "$LINK"); PAGE=$(go "$LINK")`,
      name,
      `go --data-urlencode "name=$NAME" -d 'password=${password}' "$FORM" | ${HEADING}; rm "$JAR"`,
    ];
  const start = `START=$(printf %s "$PAGE" | sed -n 's/.*class="button" href="\\([^"]*\\)".*/\\1/p' | sed 's/&amp;/\\&/g')`;
  const typed = `-d 'new_password=${password}' -d 'new_password_check=${password}'`;
  return [
    begin,
    `go -o /dev/null -d '' "$LINK"; go -o /dev/null -d save=1 ${typed} '${resetForm(places)}'`,
    `PAGE=$(go "$LINK")`,
    name,
    start,
    `go -o /dev/null "$START"; go -d "username=$NAME" -d 'password=${password}' '${signInForm(places)}' | ${HEADING}; rm "$JAR"`,
  ];
}
