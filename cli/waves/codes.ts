import { BRAND } from '../../shared/configuration/mail.ts';
import { countUnreached, printCodes, type PrintedCode } from '../../shared/invitations/codes.ts';
import { inviteLink } from '../../shared/invitations/mailing.ts';
import { LINK_DAYS } from '../../shared/invitations/wave.ts';
import { escapeHtml } from '../../shared/mail/fill.ts';
import { qrCode } from '../deps.ts';
import { Failure } from '../failure.ts';
import { withGround } from '../ground.ts';
import { writePrivately } from '../private-file.ts';
import { note, print, printJson, progressBar } from '../terminal.ts';
import { assertRunning, LINKS, waveNamed, type Output } from './ground.ts';

export interface CodesCommand extends Output {
  readonly out: string;
}

/** Writes a sheet to print with a link and a code for each person of a wave whom no mail reaches. */
export async function runCodes(name: string, { out, dryRun = false, json }: CodesCommand): Promise<void> {
  await withGround(BRAND.and(LINKS), async ({ brand, publicUrl, keyRing }, { database }) => {
    const wave = await waveNamed(database, name);
    if (['planned', 'starting', 'cancelled'].includes(wave.state))
      throw new Failure(`${name} is ${wave.state}: codes are of people of a wave that has started`);
    const total = await countUnreached(database, wave);
    if (!dryRun && total > 0) {
      await assertRunning(database);
      const bar = progressBar('making codes');
      try {
        await writePrivately(out, async (write) => {
          await write(HEAD.replace('{{title}}', () => escapeHtml(`${brand.product}: ${name}`)));
          let done = 0;
          for await (const codes of printCodes(wave, { database, keyRing })) {
            await write(codes.map((code) => block(code, brand.product, publicUrl)).join('\n'));
            bar.update((done += codes.length), total);
          }
          await write('\n</body>\n</html>\n');
        });
      } finally {
        bar.end();
      }
    }
    if (json === true)
      printJson({ wave: name, people: total, file: dryRun || total === 0 ? null : out, dry_run: dryRun });
    else if (total === 0) print(`mail reaches everybody of ${name}: no codes are needed`);
    else {
      print(`${total} codes ${dryRun ? 'would be written, nothing was changed' : `in ${out}`}`);
      if (!dryRun)
        note(
          `each counts for ${LINK_DAYS} days, and for its person alone: hand them over by a way you trust`,
        );
    }
  });
}

const HEAD = `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<title>{{title}}</title>
<style>
body { font: 12pt/1.4 system-ui, sans-serif; color: #000; background: #fff; margin: 0; }
section { break-inside: avoid; display: grid; grid-template-columns: 1fr 4.5cm; gap: 1cm; padding: 1cm; border-bottom: 1px dashed #999; }
h1 { font-size: 14pt; margin: 0 0 .3cm; }
p { margin: 0 0 .3cm; overflow-wrap: anywhere; }
code { font: 11pt/1.5 ui-monospace, monospace; }
svg { width: 4.5cm; height: 4.5cm; }
@page { margin: 1cm; }
</style>
</head>
<body>
`;

const IN_GROUP = 4;

function block({ token, fullName, email, tenant }: PrintedCode, product: string, publicUrl: string): string {
  const link = inviteLink(publicUrl, token);
  const groups = token.match(new RegExp(`.{1,${IN_GROUP}}`, 'g')) ?? [];
  return `<section>
<div>
<h1>${escapeHtml(fullName ?? email)}</h1>
<p>${escapeHtml(tenant)} · ${escapeHtml(email)}</p>
<p>Move your sign-in at ${escapeHtml(product)}: scan the square, or open ${escapeHtml(publicUrl)}/invites/ followed by this code, written without spaces.</p>
<p><code>${groups.map(escapeHtml).join(' ')}</code></p>
</div>
${qrCode(link)}
</section>`;
}
