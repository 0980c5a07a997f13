import * as z from 'zod';
import { publicUrl } from '../../shared/configuration/sessions.ts';
import { slice } from '../../shared/configuration/slice.ts';
import type { MailConfig } from '../../shared/configuration/mail.ts';
import { canSign } from '../../shared/keys/signing-keys.ts';
import type { Wave } from '../../shared/invitations/wave.ts';
import { findWave } from '../../shared/invitations/waves.ts';
import { whyPaused } from '../../shared/people/tenants.ts';
import {
  compileTemplates,
  templateFaults,
  TEMPLATES_FOLDER,
  type MailTemplates,
} from '../../shared/mail/templates.ts';
import { readFolder } from '../../shared/configuration/folder.ts';
import type { Database } from '../../shared/ports/database.ts';
import { sessionKeys, type KeyRing } from '../../shared/sessions/keys.ts';
import { Failure } from '../failure.ts';
import { operator } from '../people/ground.ts';
import { note } from '../terminal.ts';
import { missing } from '../variables.ts';

export interface Output {
  readonly dryRun?: boolean;
  readonly json?: boolean;
}

export const by = (): { readonly who: string; readonly from: string } => ({ who: operator(), from: 'cli' });

/** Throws Failure for a name that no wave has. */
export async function waveNamed(database: Pick<Database, 'query'>, name: string): Promise<Wave> {
  const wave = await findWave(database, name);
  if (wave === undefined) throw new Failure(`there is no wave ${name}: \`sallyport waves list\``);
  return wave;
}

/** Throws Failure while the migration is paused. */
export async function assertRunning(database: Pick<Database, 'query'>): Promise<void> {
  const why = await whyPaused(database);
  if (why !== undefined) throw new Failure(why);
}

export function noteUnmailable(name: string, unmailable: number): void {
  if (unmailable > 0)
    note(
      `${unmailable} of them get no mail: \`sallyport waves codes ${name} --out FILE\` prints codes for them`,
    );
}

/** Where links lead. */
export const OWN_URL = slice({
  variables: { PUBLIC_URL: publicUrl },
  examples: { PUBLIC_URL: 'https://app.example.org' },
  read: (v) => ({ publicUrl: v.PUBLIC_URL }),
});

/** Links in invitations, with the same variables as a running bundle. */
export const LINKS = slice({
  variables: {
    PUBLIC_URL: publicUrl,
    SESSION_KEYS: z
      .string()
      .refine(canSign, 'write the private JWK set that the gateway has, as it signs the links'),
  },
  read: (v): { readonly publicUrl: string; readonly keyRing: KeyRing } => {
    const keys = sessionKeys(v.SESSION_KEYS);
    return { publicUrl: v.PUBLIC_URL, keyRing: { current: () => Promise.resolve(keys) } };
  },
});

/** Throws Failure without MAIL_URL. */
export function withMail(mail: MailConfig | null): MailConfig {
  if (mail === null) throw missing('MAIL_URL', 'waves are mailed');
  return mail;
}

/** Throws Failure with every fault of the templates. */
export function usableTemplates(): MailTemplates {
  const files = readFolder(TEMPLATES_FOLDER);
  const faults = templateFaults(files);
  if (faults.length > 0) throw new Failure(faults.map((fault) => `${TEMPLATES_FOLDER}/${fault}`).join('\n'));
  return compileTemplates(files);
}
