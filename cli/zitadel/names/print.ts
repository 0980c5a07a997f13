import { colors, print } from '../../terminal.ts';
import type { Explanation } from './explain.ts';
import type { Login, Outcome } from './resolution.ts';
import type { Trap } from './traps.ts';

const OUTCOMES: Readonly<Record<Outcome, string>> = {
  signs_in: 'the password is asked for',
  registration: 'the page offers registration',
  locked: 'the page says that the user is locked',
  inactive: 'the page says that the user is not active',
  machine: 'a machine is not taken',
  several: 'several users fit, so none is taken',
  unknown_ignored: 'a password is asked for and never fits, as the policy hides who is unknown',
  refused: "the user's own login policy does not take this input",
  not_found: 'the page says that the user is not found',
};

/** By what a user may be found, where the policy permits it. */
const RULES: Readonly<Record<Login, readonly [string, string, string]>> = {
  v1: ['login_name', 'verified_email', 'phone'],
  v2: ['login_name', 'email', 'phone'],
};

/**
 * What --json prints. Traps stand in the `why` of the first candidate of their user, and as candidates of their own where there is
 * none; those of the release beside the policy.
 */
export function explanationJson(explained: Explanation) {
  const { instance, login, signs_in_as, policy, traps, history_complete } = explained;
  const [name, mail, phone] = RULES[login];
  const takes = [
    name,
    ...(policy.disable_login_with_email ? [] : [mail]),
    ...(policy.disable_login_with_phone ? [] : [phone]),
  ];
  const release = traps.find(({ trap }) => trap === 'release');
  const alone = (rule: string, why: string, id: string | null = null) => ({
    ...{ id, instance, org: null, rule, matched: false, why },
  });
  const told = new Set<Trap>();
  const candidates = explained.candidates.map((candidate) => {
    const its = traps.filter(
      (trap) => candidate.id !== null && trap.about === candidate.id && !told.has(trap),
    );
    for (const trap of its) told.add(trap);
    return {
      ...candidate,
      why: [candidate.why, ...its.map(({ trap, text }) => `[${trap}] ${text}`)].join('. '),
    };
  });
  const others = traps.filter((trap) => trap !== release && !told.has(trap));
  return {
    signs_in_as,
    policy: { login, takes, ...policy, ...(release !== undefined && { release: release.text }) },
    candidates: [
      ...candidates,
      ...others.map(({ trap, text, about }) => alone(trap, text, about)),
      ...(history_complete ? [] : [alone('former_login_name', NOT_SEARCHED)]),
    ],
  };
}

const NOT_SEARCHED =
  'Former names were not searched, as there are too many changes: add --history to do so all the same.';

/** Prints an explanation for people. */
export function printExplanation(explained: Explanation): void {
  const { input, parts, instance, login, signs_in_as: ids, policy, candidates, traps, other } = explained;
  const split = parts.domain === null ? 'no domain in it' : `name ${parts.name}, domain ${parts.domain}`;
  print(`${plain(input)} (${plain(split)}) at the pages of login ${login}, instance ${instance}`);
  print(
    ids.length === 0
      ? `${colors.red('signs in nobody')}: ${OUTCOMES[explained.outcome]}`
      : `${colors.green('signs in as')} ${ids.join(', ')}`,
  );
  print(
    `policy of ${policy.org ?? 'the instance'}${policy.is_default ? ' (login policy: the default)' : ''}: ${switches(policy)}`,
  );
  for (const { id, org, rule, matched, why } of candidates)
    print(
      `${matched ? colors.green('+') : colors.dim('-')} ${id ?? `organisation ${org ?? ''}`} by ${rule}: ${plain(why)}`,
    );
  for (const { trap, text } of traps) print(`${colors.yellow('!')} ${trap}: ${plain(text)}`);
  if (!explained.history_complete) print(NOT_SEARCHED);
  print(
    `login ${other.login}: ${other.signs_in_as.length === 0 ? OUTCOMES[other.outcome] : `signs in as ${other.signs_in_as.join(', ')}`}`,
  );
  print(`next: ${nextOf(explained)}`);
}

/** A name may hold what a terminal would carry out. */
export function plain(text: string): string {
  return text.replaceAll(/\p{Cc}+/gu, ' ');
}

function switches(policy: Explanation['policy']): string {
  return Object.entries(policy)
    .flatMap(([name, on]) =>
      typeof on === 'boolean' && name !== 'is_default' ? [`${name} ${on ? 'on' : 'off'}`] : [],
    )
    .join(', ');
}

/** The command that helps on. */
function nextOf({ signs_in_as: [id], candidates, traps, present }: Explanation): string {
  const hand = traps.find(({ trap }) => trap === 'changed_by_hand');
  if (hand !== undefined) return 'change names and e-mails by `sallyport zitadel users rename`, never by SQL';
  const user = id ?? present.find((each) => candidates.some((candidate) => candidate.id === each));
  return user === undefined
    ? 'nobody has this name: `sallyport zitadel login-names list` prints all that are taken'
    : `\`sallyport zitadel login-names list ${shellWord(user)}\` prints every name of this user`;
}

/** As a shell takes it for one word; an imported user's id may hold blanks. */
export function shellWord(text: string): string {
  return /^[\w.@:-]+$/.test(text) ? text : `'${text.replaceAll("'", `'\\''`)}'`;
}
