import { hashFault } from '../../shared/provisioning/people.ts';
import { withMigration } from '../people/ground.ts';
import { colors, print, printJson } from '../terminal.ts';
import { findUser } from './find.ts';
import { historyOf, readRow, viewOf, type History, type ProviderView, type ShownRow } from './person.ts';
import { passwordFaults, providerFaults } from './why.ts';

export interface ShowCommand {
  readonly tenant?: string;
  readonly json?: boolean;
}

/** Prints one person as both doors see them, and why a sign-in fails now. */
export async function runShow(who: string, options: ShowCommand): Promise<void> {
  const shown = await withMigration(async ({ database, clock }, directory) => {
    const user = await findUser(database, who, options.tenant ?? null);
    const [row] = await readRow(database, user.id);
    if (row === undefined) throw new Error('the user was deleted meanwhile');
    const history = await historyOf(database, user.id);
    const issuer = directory?.traits.issuer;
    const link = history.links.find((each) => each.issuer === issuer);
    const account = link?.subject ?? row.kanidm_user_id ?? user.id;
    const provider = await viewOf(directory, account);
    const linked = link !== undefined || row.kanidm_user_id !== null;
    const { hash, ...rest } = row;
    const password =
      hash === null || hash === ''
        ? 'none'
        : (hashFault(hash) ?? `bcrypt of cost ${Number(hash.slice(4, 6))}`);
    return {
      ...rest,
      password,
      provider,
      links: history.links,
      sessions: history.sessions,
      invitations: history.invitations,
      runs: history.runs,
      events: history.events,
      fails: {
        password: passwordFaults(row, clock.now()),
        provider: providerFaults(row, linked, provider),
      },
    };
  });
  if (options.json === true) printJson(shown);
  else for (const line of linesOf(shown)) print(line);
}

type Shown = Omit<ShownRow, 'hash'> &
  History & {
    readonly password: string;
    readonly provider: ProviderView;
    readonly fails: { readonly password: readonly string[]; readonly provider: readonly string[] };
  };

function linesOf(shown: Shown): string[] {
  const { provider, links, sessions, invitations, events, runs, fails, ...row } = shown;
  return [
    ...Object.entries(row).map(([name, value]) => `${name.padEnd(24)} ${textOf(value)}`),
    `${'provider'.padEnd(24)} ${viewLine(provider)}`,
    ...links.map(
      ({ issuer, subject, via, linked_at }) =>
        `link      ${linked_at.toISOString()} ${issuer} ${subject} by ${via}`,
    ),
    ...sessions.map(
      (each) =>
        `session   ${each.created_at.toISOString()} ${each.auth_method} ${each.address ?? ''} ${each.ended === null ? 'open' : `ended: ${each.ended}`}`,
    ),
    ...invitations.map(
      ({ invited_at, mail, state, error }) =>
        `invited   ${invited_at.toISOString()} ${mail === null ? '' : `${mail} `}${state}${error === null ? '' : `: ${error}`}`,
    ),
    ...runs.map(
      ({ run, state, at, reason }) =>
        `run       ${at.toISOString()} ${run} ${state}${reason === null ? '' : `: ${reason}`}`,
    ),
    ...events.map(
      ({ at, who, what, from, run }) =>
        `event     ${at.toISOString()} ${what} by ${who} from ${from}${run === null ? '' : ` (${run})`}`,
    ),
    doorLine('password', fails.password),
    doorLine('OAuth2', fails.provider),
  ];
}

function textOf(value: unknown): string {
  if (value === null || value === undefined) return '-';
  if (value instanceof Date) return value.toISOString();
  return typeof value === 'string' ? value : JSON.stringify(value);
}

function viewLine(view: ProviderView): string {
  if (view.state === 'not configured') return 'not configured';
  if (view.state === 'unknown') return `${view.provider} does not answer: ${view.reason}`;
  if (view.state === 'absent') return `${view.provider} has no account ${view.account}`;
  const { account, credentials } = view;
  const kinds =
    credentials === null ? 'not readable' : credentials.length === 0 ? 'none' : credentials.join(', ');
  return `${view.provider}: ${account.name} <${account.mail ?? 'not readable'}>, ${account.state}, ${account.groups.length} groups, credentials: ${kinds}`;
}

function doorLine(door: string, faults: readonly string[]): string {
  return faults.length === 0
    ? `sign-in by ${door}: ${colors.green('works')}`
    : `sign-in by ${door}: ${colors.red('fails')}: ${faults.join('; ')}`;
}
