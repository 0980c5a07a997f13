import { isatty } from 'node:tty';
import * as z from 'zod';
import { slice } from '../../shared/configuration/slice.ts';
import { httpBase, issuerUrl } from '../../shared/configuration/values.ts';
import { linesOf } from '../fga/lines.ts';
import { openFinaliseSync } from '../deps.ts';
import { Failure } from '../failure.ts';
import { note, print, printJson } from '../terminal.ts';
import { configured } from '../variables.ts';

export interface FinaliseCommand {
  readonly syncAccount: string;
  readonly dryRun?: boolean;
  readonly json?: boolean;
}

const KANIDM = slice({
  variables: { KANIDM_ISSUER_URL: issuerUrl, KANIDM_URL: httpBase.optional() },
  examples: { KANIDM_ISSUER_URL: 'https://idm.example.org/oauth2/openid/api' },
  read: (v) => ({ url: v.KANIDM_URL ?? new URL(v.KANIDM_ISSUER_URL).origin }),
});

const Name = z.string().regex(/^[\w.-]+$/);

/** Ends a sync account by an administrator's token on stdin; without one, prints the command that does. */
export async function runFinalise({ syncAccount, dryRun = false, json }: FinaliseCommand): Promise<void> {
  const { url } = configured(KANIDM);
  if (!Name.safeParse(syncAccount).success) throw new Failure(`${syncAccount} is no name of a sync account`);
  const token = dryRun ? '' : await tokenOfStdin();
  if (token === '') {
    const command = `kanidm system sync finalise ${syncAccount} -H ${url} -D admin`;
    if (json === true) printJson({ sync_account: syncAccount, finalised: false, command });
    else print(command);
    note(
      "nothing was changed: run this as an administrator, or give this command an administrator's token on standard input",
    );
    return;
  }
  const result = await openFinaliseSync(url)(syncAccount, token);
  if (result.outcome === 'absent') throw new Failure(`Kanidm has no sync account ${syncAccount}`);
  if (result.outcome !== 'finalised')
    throw new Failure(`Kanidm did not end ${syncAccount}: ${result.reason}`);
  if (json === true) printJson({ sync_account: syncAccount, finalised: true });
  else print(`${syncAccount} is ended: its people are local now; unset KANIDM_SYNC_TOKEN`);
}

async function tokenOfStdin(): Promise<string> {
  if (isatty(process.stdin.fd)) return '';
  for await (const line of linesOf('-')) if (line.trim() !== '') return line.trim();
  return '';
}
