import { confirmed } from '../../confirm.ts';
import { UsageError } from '../../failure.ts';
import { colors, note, print, printJson, progressBar } from '../../terminal.ts';
import type { ZitadelClient } from '../api/client.ts';
import { connected } from '../api/connect.ts';
import { takeLock } from '../lock.ts';
import { OutFile } from '../setup/out.ts';
import { finish, planFinish, type Finish } from './finish.ts';
import { tokenInUse } from './in-use.ts';
import { planOf, type Plan } from './plan.ts';
import { rotationsOf, untilOf, type Rotation } from './record.ts';
import { rotate, settle, type RotateDeps, type Rotated, type Settled } from './rotate.ts';
import { printTokens, toJson } from './show.ts';
import { survey, type Survey, type Token } from './survey.ts';

export interface ListCommand {
  /** Milliseconds. */
  readonly olderThan?: number;
  readonly json?: boolean;
}

export interface RotateCommand {
  readonly olderThan: number;
  readonly out?: string;
  readonly grace?: number;
  readonly finish?: boolean;
  readonly includeSelf?: boolean;
  readonly dryRun?: boolean;
  readonly yes?: boolean;
  readonly json?: boolean;
}

const USUAL_GRACE_MS = 7 * 86_400_000;

type Rotations = ReadonlyMap<string, readonly Rotation[]>;

export async function runList({ olderThan = 0, json }: ListCommand): Promise<void> {
  const client = connected('IAM_OWNER_VIEWER');
  const now = new Date();
  const found = await survey(client, await tokenInUse(), now);
  const rotations = await rotationsByAccount(client, found);
  const tokens = found.tokens.filter(
    ({ created }) => created === null || now.getTime() - created.getTime() >= olderThan,
  );
  if (json === true) {
    printJson({ tokens: tokens.map((token) => toJson(token, rotations.get(token.account.id) ?? [], now)) });
  } else printTokens(tokens, rotations, now);
  if (!found.allRights)
    note('this release of Zitadel lists administrators of the instance alone: rights below it are not shown');
  note('next: sallyport zitadel tokens rotate --dry-run');
}

/** Throws Failure where a step fails; what was done stays done, and the same command goes on. */
export async function runRotate(options: RotateCommand): Promise<void> {
  const { dryRun = false } = options;
  if (!dryRun && options.finish !== true && options.out === undefined)
    throw new UsageError('say where the new tokens go, which are shown once: --out FILE');
  const client = connected('IAM_OWNER');
  const out = await OutFile.open(options.out);
  const work = (): Promise<void> =>
    (options.finish === true ? finishAll : rotateAll)({ client, out, options });
  await (dryRun ? work() : alone(work));
}

interface Run {
  readonly client: ZitadelClient;
  readonly out: OutFile;
  readonly options: RotateCommand;
}

/** One rotation at a time. */
async function alone<T>(work: () => Promise<T>): Promise<T> {
  const lock = takeLock('rotation');
  try {
    return await work();
  } finally {
    lock.release();
  }
}

async function rotateAll({ client, out, options }: Run): Promise<void> {
  const { olderThan, grace = USUAL_GRACE_MS, includeSelf = false, dryRun = false } = options;
  const found = await survey(client, await inUse(client, out), new Date());
  const rotations = await rotationsByAccount(client, found);
  const plan = planOf(found.tokens, rotations, { olderThan, includeSelf }, new Date());
  const cutOff = [...rotations.values()].flat().filter((each) => each.new === null);
  if (dryRun || (plan.due.length === 0 && cutOff.length === 0)) {
    report(options, plan, { rotated: [], settled: [] });
    return;
  }
  await confirmed(question(plan.due, client, 'get a new one beside them'), options.yes);
  const deps: RotateDeps = { client, out, grace, now: () => new Date() };
  const settled: Settled[] = [];
  for (const account of found.accounts)
    settled.push(...(await settle(deps, account, rotations.get(account.id) ?? [])));
  const adopted = new Set(settled.filter(({ outcome }) => outcome === 'adopted').map(({ old }) => old));
  const due = plan.due.filter(({ id }) => !adopted.has(id));
  const bar = progressBar('rotating', { long: true });
  const rotated: Rotated[] = [];
  const taken = new Set<string>();
  try {
    for (const [at, token] of due.entries()) {
      rotated.push(await rotate(deps, token, at, taken));
      bar.update(rotated.length, due.length);
    }
  } finally {
    bar.end();
    report(options, plan, { rotated, settled });
  }
}

async function finishAll({ client, out, options }: Run): Promise<void> {
  const { grace, includeSelf = false, dryRun = false } = options;
  const now = new Date();
  const found = await survey(client, await inUse(client, out), now);
  const rotations = await rotationsByAccount(client, found);
  const accounts = found.accounts.map((account) => ({ account, rotations: rotations.get(account.id) ?? [] }));
  const plan = await planFinish(client, accounts, { tokens: found.tokens, includeSelf, grace, now });
  const goes = plan.filter(({ why }) => why === undefined);
  if (goes.length > 0 && !dryRun) {
    await confirmed(
      { what: `${goes.length} replaced tokens at ${hostOf(client)} will be removed`, name: hostOf(client) },
      options.yes,
    );
    // Of one account one after another: each removal leaves the record of the others.
    for (const each of goes) await finish(client, each, await rotationsOf(client, each.account));
  }
  reportFinish(options, plan);
}

/** By introspection, or as the file says of the token in it. */
async function inUse(client: ZitadelClient, out: OutFile): Promise<string | null> {
  const variable = 'ZITADEL_SERVICE_TOKEN';
  const own = out.get(variable);
  const known = own !== undefined && client.isOwnToken(own) ? out.belongsTo(variable) : undefined;
  return known ?? tokenInUse();
}

async function rotationsByAccount(client: ZitadelClient, { accounts }: Survey): Promise<Rotations> {
  const all = new Map<string, readonly Rotation[]>();
  for (const account of accounts) {
    const rotations = await rotationsOf(client, account);
    if (rotations.length > 0) all.set(account.id, rotations);
  }
  return all;
}

function hostOf({ url }: ZitadelClient): string {
  return new URL(url).host;
}

function question(
  due: readonly Token[],
  client: ZitadelClient,
  what: string,
): { what: string; name: string } {
  const names = [...new Set(due.map(({ account }) => account.username))].slice(0, 10).join(', ');
  const host = hostOf(client);
  return { what: `${due.length} tokens and keys at ${host} (${names}) ${what}`, name: host };
}

interface Done {
  readonly rotated: readonly Rotated[];
  readonly settled: readonly Settled[];
}

function report(
  { json, dryRun, out, grace = USUAL_GRACE_MS }: RotateCommand,
  plan: Plan,
  { rotated, settled }: Done,
): void {
  const next =
    rotated.length > 0 || settled.some(({ outcome }) => outcome === 'adopted')
      ? `give ${out ?? ''} to those who use the tokens; after ${grace / 86_400_000} days: sallyport zitadel tokens rotate --finish`
      : plan.due.length > 0 && dryRun === true
        ? 'sallyport zitadel tokens rotate --out FILE'
        : 'nothing to do';
  if (json === true) {
    printJson({
      ...(dryRun === true && { due: plan.due.map(brief) }),
      rotated: rotated.map(({ token, id, expires, variable }) => ({
        ...brief(token),
        ...{ new: id, expires: expires.toISOString(), variable },
      })),
      cut_off: settled.map(({ account, old, id, outcome }) => ({ user: account.id, old, new: id, outcome })),
      left: plan.left.map(({ token, why }) => ({ ...brief(token), why })),
      next,
    });
    return;
  }
  for (const { account, old, outcome } of settled)
    print(
      `${account.username}: what a cut-off rotation of ${old} had made was ${outcome === 'adopted' ? 'in the file, and stays' : 'removed'}`,
    );
  if (dryRun === true) for (const token of plan.due) print(`${colors.yellow('due')}     ${labelOf(token)}`);
  for (const { token, id, variable } of rotated)
    print(`${colors.green('rotated')} ${labelOf(token)}: ${id}, as ${variable} in ${out ?? ''}`);
  for (const { token, why } of plan.left) print(`${colors.dim('left')}    ${labelOf(token)}: ${why}`);
  note(`next: ${next}`);
}

function reportFinish({ json, dryRun }: RotateCommand, plan: readonly Finish[]): void {
  const goes = plan.filter(({ why }) => why === undefined);
  const removed = goes.map(({ account, rotation }) => ({
    ...{
      kind: rotation.kind,
      id: rotation.old,
      user: account.id,
      username: account.username,
      new: rotation.new,
    },
  }));
  const kept = plan.flatMap(({ account, rotation, why }) =>
    why === undefined
      ? []
      : [
          {
            kind: rotation.kind,
            id: rotation.old,
            user: account.id,
            username: account.username,
            why,
            until: untilOf(rotation)?.toISOString() ?? null,
          },
        ],
  );
  const next = kept.length === 0 ? 'nothing to do' : 'sallyport zitadel tokens rotate --finish, later';
  if (json === true) {
    printJson({ [dryRun === true ? 'due' : 'removed']: removed, kept, next });
    return;
  }
  const word = dryRun === true ? 'due' : 'removed';
  for (const { username, kind, id } of removed) print(`${word} ${kind} ${id} of ${username}`);
  for (const { username, kind, id, why } of kept) print(`kept ${kind} ${id} of ${username}: ${why}`);
  note(`next: ${next}`);
}

function brief({ id, kind, account }: Token) {
  return { kind, id, user: account.id, username: account.username };
}

function labelOf({ id, kind, account }: Token): string {
  return `${kind} ${id} of ${account.username.replaceAll(/\p{Cc}+/gu, ' ')}`;
}
