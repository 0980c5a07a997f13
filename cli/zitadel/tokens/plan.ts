import { LOGIN_TOKEN } from '../setup/accounts.ts';
import type { OutFile } from '../setup/out.ts';
import { untilOf, type Rotation } from './record.ts';
import { isPast, type Account, type Token } from './survey.ts';

export interface Choice {
  /** Milliseconds. */
  readonly olderThan: number;
  /** The token in use and the login client's too. */
  readonly includeSelf: boolean;
}

export interface Plan {
  readonly due: readonly Token[];
  readonly left: readonly { readonly token: Token; readonly why: string }[];
}

/** Which tokens a new one replaces, and why others are left out. `rotations`: what is under way, by account. */
export function planOf(
  tokens: readonly Token[],
  rotations: ReadonlyMap<string, readonly Rotation[]>,
  choice: Choice,
  now: Date,
): Plan {
  const due: Token[] = [];
  const left: { token: Token; why: string }[] = [];
  for (const token of tokens) {
    const why = reasonAgainst(token, rotations.get(token.account.id) ?? [], choice, now);
    if (why === undefined) due.push(token);
    else left.push({ token, why });
  }
  return { due, left };
}

function reasonAgainst(
  { id, created, expires, inUse, account }: Token,
  rotations: readonly Rotation[],
  { olderThan, includeSelf }: Choice,
  now: Date,
): string | undefined {
  const waiting = rotations.find((each) => each.old === id && each.new !== null);
  if (waiting !== undefined)
    return `is replaced already, and goes with --finish from ${untilOf(waiting)?.toISOString() ?? ''} on`;
  if (rotations.some((each) => each.new === id)) return 'is new, and what it replaces is still there';
  if (isPast(expires, now)) return 'has expired';
  if (!account.active) return 'its account is not active, which ended it for good';
  if (created !== null && now.getTime() - created.getTime() < olderThan)
    return 'is younger than --older-than';
  if (includeSelf) return undefined;
  if (inUse === true) return 'is the token in use: --include-self takes it along';
  if (inUse === null)
    return 'may be the token in use, as ZITADEL_CLIENT_ID and ZITADEL_CLIENT_SECRET are not there to tell: --include-self takes it along';
  if (account.isLoginClient) return 'is the login client’s: --include-self takes it along';
  return undefined;
}

const DAY_MS = 86_400_000;
const LONGEST_MS = 3_650 * DAY_MS;
/** Of one without an expiry. */
const USUAL_MS = 365 * DAY_MS;

/** As long a life as the old one had; ten years at most. `at`: makes expiries of one run differ. */
export function expiryOf({ created, expires }: Token, now: Date, at: number): Date {
  const life = created === null || expires === null ? USUAL_MS : expires.getTime() - created.getTime();
  return new Date(now.getTime() + Math.min(Math.max(life, DAY_MS), LONGEST_MS) + at);
}

/**
 * The variable of a new token in --out: that which it had there, else its reader's, else one by the account's name. `isOwn`: whether
 * a text is the token in use.
 */
export function variableFor(
  token: Token,
  out: OutFile,
  taken: ReadonlySet<string>,
  isOwn: (text: string) => boolean,
): string {
  const { account, kind, id } = token;
  const usual = usualName(token);
  const plain = `ZITADEL_${kind.toUpperCase()}_${nameOf(account)}`;
  const names = [usual, plain, `${plain}_${id.replaceAll(/\W/g, '_')}`].filter((name) => name !== undefined);
  const free = (name: string): boolean => !taken.has(name) && [undefined, id].includes(out.belongsTo(name));
  const isIts = (name: string): boolean =>
    out.belongsTo(name) === id || (token.inUse !== false && isOwn(out.get(name) ?? ''));
  const own = names.find((name) => !taken.has(name) && isIts(name));
  return (
    own ??
    names.find((name) => free(name) && out.get(name) === undefined) ??
    names.find(free) ??
    names.at(-1) ??
    plain
  );
}

function usualName({ account, kind, inUse }: Token): string | undefined {
  if (kind === 'key') return undefined;
  if (account.isLoginClient) return LOGIN_TOKEN;
  return account.isOwn && inUse !== false ? 'ZITADEL_SERVICE_TOKEN' : undefined;
}

function nameOf({ username, id }: Account): string {
  const name = username
    .toUpperCase()
    .replaceAll(/[^A-Z0-9]+/g, '_')
    .replaceAll(/^_+|_+$/g, '');
  return name === '' ? id.replaceAll(/\W/g, '_') : name;
}
