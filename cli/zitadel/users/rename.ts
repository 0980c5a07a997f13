import * as z from 'zod';
import { confirmed } from '../../confirm.ts';
import { Failure, UsageError } from '../../failure.ts';
import { colors, note, print, printJson } from '../../terminal.ts';
import type { ZitadelClient } from '../api/client.ts';
import { connected } from '../api/connect.ts';
import { shellWord } from '../names/print.ts';
import {
  eventsAfter,
  rename,
  userById,
  userNamed,
  usersByEmail,
  usersByLoginName,
  type NameEvent,
  type User,
} from './calls.ts';

export interface RenameCommand {
  readonly email?: string;
  readonly verified?: boolean;
  readonly yes?: boolean;
  readonly dryRun?: boolean;
  readonly json?: boolean;
}

interface Renaming {
  readonly id: string;
  readonly from: string;
  readonly to: string;
  readonly email?: { readonly from: string; readonly to: string; readonly verified: boolean };
  /** That it will have, or has. */
  readonly login_names: readonly string[];
  readonly warnings: readonly string[];
}

/** Renames a user by the API. Throws Failure, with nothing changed, when the name or a login name of it is taken. */
export async function runRename(who: string, to: string, options: RenameCommand): Promise<void> {
  const username = to.trim();
  if (username === '' || username.length > 200) throw new UsageError('a username has 1 to 200 characters');
  if (options.verified === true && options.email === undefined)
    throw new UsageError('--verified is about --email: add it');
  if (options.email !== undefined && !z.email().safeParse(options.email).success)
    throw new UsageError(`--email takes an address, not ${options.email}`);
  const client = connected('IAM_OWNER');
  const named = await userNamed(client, who);
  const user = named ?? (await renamedBefore(client, who, username));
  if (user === undefined)
    throw new Failure(`no user has the id, login name or e-mail ${who}. Nothing was changed`);
  const renaming = await planned(client, user, username, options);
  if (renaming.from === renaming.to && renaming.email === undefined) {
    if (named === undefined) report({ ...renaming, from: who }, [], options, 'is renamed already');
    else report(renaming, [], options, 'nothing to change');
    return;
  }
  if (options.dryRun === true) {
    report(renaming, [], options, 'would be renamed');
    return;
  }
  for (const warning of renaming.warnings) note(`${colors.yellow('warning:')} ${warning}`);
  // Before anything is changed: whether the proof can be read afterwards.
  const before = (await eventsAfter(client, user.userId, 0)).at(-1)?.sequence ?? 0;
  await confirmed({ what: `${renaming.from} becomes ${renaming.to}`, name: renaming.from }, options.yes);
  await rename(client, user, {
    username,
    email: renaming.email && { address: renaming.email.to, verified: renaming.email.verified },
  });
  const events = await eventsAfter(client, user.userId, before);
  const after = await userById(client, user.userId);
  if (after?.username !== username)
    throw new Failure(
      `Zitadel took the change, but calls ${user.userId} ${after?.username ?? 'nothing'}: look at it by \`sallyport zitadel login-names list ${user.userId}\``,
    );
  report({ ...renaming, login_names: primaryFirst(after) }, events, options, 'renamed');
}

/** The user of the new name, whose events say that it had the other one before: an earlier run whose answer was lost. */
async function renamedBefore(
  client: ZitadelClient,
  who: string,
  username: string,
): Promise<User | undefined> {
  const user = await userNamed(client, username);
  if (user?.username !== username) return undefined;
  const names = (await eventsAfter(client, user.userId, 0)).flatMap(({ user_name }) => user_name ?? []);
  return names.at(-2)?.toLowerCase() === who.toLowerCase() ? user : undefined;
}

async function planned(
  client: ZitadelClient,
  user: User,
  username: string,
  { email, verified }: RenameCommand,
): Promise<Renaming> {
  const loginNames = namesAfter(user, username);
  for (const loginName of username === user.username ? [] : loginNames) {
    const other = (await usersByLoginName(client, loginName)).find(({ userId }) => userId !== user.userId);
    if (other !== undefined)
      throw new Failure(`${loginName} is the login name of ${other.userId} already. Nothing was changed`);
  }
  const mail = email === undefined || isUnchanged(user, email, verified === true) ? undefined : email;
  if (mail !== undefined && user.human === undefined)
    throw new Failure(`${user.userId} is a machine, which has no e-mail. Nothing was changed`);
  return {
    id: user.userId,
    from: user.username,
    to: username,
    ...(mail !== undefined && {
      email: { from: user.human?.email.email ?? '', to: mail, verified: verified === true },
    }),
    login_names: loginNames,
    warnings: await warningsOf(client, user, { username, loginNames, mail, verified: verified === true }),
  };
}

/** As Zitadel derives them now: the username alone, or with each domain of the organisation after it; primary first. */
function namesAfter(user: User, username: string): readonly string[] {
  const old = primaryFirst(user);
  if (old.length === 0 || old.some((name) => name === user.username)) return [username];
  return old.map((name) => username + name.slice(user.username.length));
}

function primaryFirst({ loginNames, preferredLoginName }: User): readonly string[] {
  return [...loginNames].sort(
    (one, other) => Number(other === preferredLoginName) - Number(one === preferredLoginName),
  );
}

function isUnchanged({ human }: User, email: string, verified: boolean): boolean {
  return human?.email.email === email && (!verified || human.email.isVerified);
}

interface Wanted {
  readonly username: string;
  readonly loginNames: readonly string[];
  readonly mail: string | undefined;
  readonly verified: boolean;
}

async function warningsOf(
  client: ZitadelClient,
  user: User,
  { username, loginNames, mail, verified }: Wanted,
): Promise<string[]> {
  const warnings: string[] = [];
  const others = async (address: string): Promise<readonly User[]> =>
    (await usersByEmail(client, address)).filter(({ userId }) => userId !== user.userId);
  for (const name of loginNames.filter((each) => each.includes('@')))
    for (const { userId } of await others(name))
      warnings.push(
        `${name} is an e-mail of ${userId}, who cannot sign in by it from then on: a login name comes first`,
      );
  for (const { userId } of mail === undefined ? [] : await others(mail))
    warnings.push(`${userId} has the e-mail ${mail ?? ''} too: where several have one it signs in nobody`);
  if (mail !== undefined && !verified)
    warnings.push(
      `${mail} counts once the mailed code is entered; until then the e-mail before it goes on signing in`,
    );
  const old = user.human?.email;
  if (
    mail === undefined &&
    username !== user.username &&
    old?.email.toLowerCase() === user.username.toLowerCase()
  )
    warnings.push(`${old.email} stays its e-mail, and signs in as such: add --email to change it too`);
  return warnings;
}

function report(
  renaming: Renaming,
  events: readonly NameEvent[],
  { json, dryRun }: RenameCommand,
  done: string,
): void {
  const explain = `sallyport zitadel login-names explain ${shellWord(renaming.login_names[0] ?? renaming.to)}`;
  const next = dryRun === true ? 'the same without --dry-run' : explain;
  if (json === true) {
    printJson({ ...renaming, done, events, next });
    return;
  }
  const { id, from, to, email, login_names, warnings } = renaming;
  print(
    `${id} ${done}: ${from} -> ${to}${email === undefined ? '' : `, e-mail ${email.from} -> ${email.to}${email.verified ? ' (verified)' : ' (to be verified)'}`}`,
  );
  print(`login names: ${login_names.join(', ')}`);
  if (done !== 'renamed') for (const warning of warnings) print(`${colors.yellow('!')} ${warning}`);
  for (const { sequence, type, at, editor, user_name, email: address } of events)
    print(`event ${sequence} ${at} ${type} ${user_name ?? address ?? ''} by ${editor}`);
  print(dryRun === true ? `nothing was changed. next: ${next}` : `next: \`${next}\``);
}
