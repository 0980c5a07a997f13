import { LISTS, type List } from '../../../shared/figures/classes.ts';
import type { PendingPerson } from '../../../shared/figures/pending.ts';
import { shell } from './advice.ts';
import { day, NONE } from './format.ts';
import { Command, Section, Table } from './layout.tsx';

const NAMES: Readonly<Record<List, string>> = {
  not_completed: 'Not across',
  not_invited: 'Without an account',
  provisioned: 'Not invited',
  invited: 'Invited',
  completed: 'Completed',
  excluded: 'Excluded',
  password: 'Password alone',
  unreachable: 'No mail reaches',
};

interface PeopleTableProps {
  readonly people: readonly PendingPerson[];
  /** For operators. */
  readonly commands: boolean;
  readonly caption: string;
}

export function PeopleTable({ people, commands, caption }: PeopleTableProps) {
  return (
    <Table
      caption={caption}
      stacked
      columns={[
        ...[
          { title: 'Person' },
          { title: 'Tenant', minor: true },
          { title: 'Last sign-in', number: true, minor: true },
        ],
        ...[{ title: 'Invited', number: true, minor: true }, { title: 'Why' }, { title: 'What to do' }],
      ]}
      rows={people.map((person) => {
        const { words, command } = helpFor(person);
        return [
          <>
            {person.full_name ?? person.email}
            {person.full_name === null ? null : <span class="mail">{person.email}</span>}
          </>,
          person.tenant,
          day(person.last_login_at),
          day(person.migration_invited_at),
          person.why ?? NONE,
          <>
            {words}
            {command === null || !commands ? null : <Command line={command} />}
          </>,
        ];
      })}
    />
  );
}

/** What helps one person: by the state, and by the reason that the list has. */
function helpFor({ state, why, email, tenant }: PendingPerson): {
  readonly words: string;
  readonly command: string | null;
} {
  const who = `${shell(email)} --tenant ${shell(tenant)}`;
  const show = `sallyport users show ${who}`;
  if (state === 'completed') return { words: NONE, command: null };
  if (state === 'excluded')
    return { words: 'Take in again when the reason is gone', command: `sallyport users include ${who}` };
  if (why?.startsWith('the account is') === true)
    return {
      words: 'Activate the account, or exclude the person',
      command: `sallyport users exclude ${who} --reason TEXT`,
    };
  if (why?.startsWith('no mail') === true)
    return { words: 'Correct the address, then mail again', command: `sallyport waves resend ${who}` };
  if (state === 'not_invited')
    return {
      words: 'Make the account',
      command: why?.includes(': ') === true ? show : `sallyport users provision --tenant ${shell(tenant)}`,
    };
  if (state === 'provisioned') return { words: 'Invite', command: `sallyport waves resend ${who}` };
  return { words: 'Send the link again', command: `sallyport waves resend ${who}` };
}

interface PeopleProps {
  readonly list: List;
  readonly people: readonly PendingPerson[];
  readonly next: string | null;
  readonly tenant: string | null;
  readonly commands: boolean;
}

export function PeoplePage({ list, people, next, tenant, commands }: PeopleProps) {
  const to = (page: string, more: Readonly<Record<string, string>>): string => {
    const query = new URLSearchParams({ ...(tenant !== null && { tenant }), ...more });
    return `${page}?${query.toString()}`;
  };
  return (
    <>
      <h1>People{tenant === null ? '' : ` of ${tenant}`}</h1>
      <nav aria-label="Lists of people" class="lists">
        <ul>
          {LISTS.map((each) => (
            <li>
              <a
                href={to('/analytics/people', { state: each })}
                {...(each === list && { 'aria-current': 'page' })}
              >
                {NAMES[each]}
              </a>
            </li>
          ))}
        </ul>
      </nav>
      <Section id="people" title={NAMES[list]} csv={to('/analytics/pending.csv', { state: list })}>
        {people.length === 0 ? (
          <p class="note">Nobody.</p>
        ) : (
          <PeopleTable
            people={people}
            commands={commands}
            caption={`${NAMES[list]}, the newest sign-in first`}
          />
        )}
        {next === null ? null : (
          <p class="note">
            <a href={to('/analytics/people', { state: list, cursor: next })} rel="next">
              Further people
            </a>
          </p>
        )}
      </Section>
    </>
  );
}
