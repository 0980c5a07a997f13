import { colors, print } from '../../terminal.ts';
import { untilOf, type Rotation } from './record.ts';
import { isPast, type Token } from './survey.ts';

const DAY_MS = 86_400_000;

/** A token as JSON shows it. */
export function toJson(token: Token, rotations: readonly Rotation[], now: Date) {
  const { id, kind, account, created, expires, inUse } = token;
  const [old, made] = [rotations.find((each) => each.old === id), rotations.find((each) => each.new === id)];
  return {
    ...{ id, kind, user: account.id, username: account.username, organization: account.organization },
    account_active: account.active,
    rights: account.rights,
    created: created?.toISOString() ?? null,
    age_days: created === null ? null : daysBetween(created, now),
    expires: expires?.toISOString() ?? null,
    expires_in_days: expires === null ? null : daysBetween(now, expires),
    expired: isPast(expires, now),
    in_use: inUse,
    login_client: account.isLoginClient,
    replaced_by: old?.new ?? null,
    removable_from: old === undefined ? null : (untilOf(old)?.toISOString() ?? null),
    replaces: made?.old ?? null,
  };
}

function daysBetween(from: Date, to: Date): number {
  return Math.floor((to.getTime() - from.getTime()) / DAY_MS);
}

export function printTokens(
  tokens: readonly Token[],
  rotations: ReadonlyMap<string, readonly Rotation[]>,
  now: Date,
): void {
  const rows = tokens.map((token) => rowOf(token, rotations.get(token.account.id) ?? [], now));
  const head = ['kind', 'id', 'account', 'age', 'expires', 'rights', ''];
  const widths = head.map((title, at) => Math.max(title.length, ...rows.map((row) => row[at]?.length ?? 0)));
  const line = (cells: readonly string[]): string =>
    cells
      .map((cell, at) => cell.padEnd(widths[at] ?? 0))
      .join('  ')
      .trimEnd();
  print(colors.bold(line(head)));
  for (const row of rows) print(line(row));
}

function rowOf(token: Token, rotations: readonly Rotation[], now: Date): string[] {
  const {
    id,
    kind,
    username,
    age_days: age,
    expires,
    expired,
    replaced_by: by,
  } = toJson(token, rotations, now);
  const remarks = [
    ...(token.inUse === true ? ['in use'] : token.inUse === null ? ['perhaps in use'] : []),
    ...(token.account.isLoginClient ? ['login client'] : []),
    ...(token.account.active ? [] : ['account not active']),
    ...(expired ? ['expired'] : []),
    ...(by === null ? [] : [`replaced by ${by}`]),
  ];
  return [
    kind === 'pat' ? 'token' : 'key',
    id,
    printable(username),
    age === null ? '?' : `${age} d`,
    expires?.slice(0, 10) ?? 'never',
    token.account.rights.join(', ') || '-',
    remarks.join(', '),
  ];
}

function printable(text: string): string {
  return text.replaceAll(/\p{Cc}+/gu, ' ');
}
