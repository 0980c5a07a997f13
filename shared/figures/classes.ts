import { join, sql, type Sql } from '../ports/database.ts';

/** Where people stand on their way: the last one that applies, exclusion before all others. */
export const STATES = ['not_invited', 'provisioned', 'invited', 'completed', 'excluded'] as const;
export type State = (typeof STATES)[number];

/** Lists of people: those of a state; who has not completed; who signs in by password alone; those whose address gets no mail. */
export const LISTS = ['not_completed', ...STATES, 'password', 'unreachable'] as const;
export type List = (typeof LISTS)[number];

interface Standing {
  readonly state: State;
  readonly completed: boolean;
  readonly method: 'password' | 'dual' | 'kanidm';
  readonly unreachable: boolean;
}

/** By their numbers in the database, which are never given anew. */
const STAGES: readonly Pick<Standing, 'state' | 'completed'>[] = [
  { state: 'not_invited', completed: false },
  { state: 'provisioned', completed: false },
  { state: 'invited', completed: false },
  { state: 'completed', completed: true },
  { state: 'excluded', completed: false },
  { state: 'excluded', completed: true },
];
const METHODS = ['password', 'dual', 'kanidm'] as const;

/**
 * Stage, method of sign-in and reachability as one number, so that one index serves every list: an expression over columns named
 * as in sallyport_figures_people.
 */
export const CLASS: Sql = sql`(case when excluded then case when completed_at is null then 4 else 5 end
    when completed_at is not null then 3 when invited_at is not null then 2 when provisioned then 1 else 0 end * 8
  + case auth_method when 'password' then 0 when 'dual' then 2 else 4 end + unreachable::int)`;

/** The state of a class, as an expression. */
export function stateOf(classNumber: Sql): Sql {
  const names = join(STAGES.map(({ state }) => sql`${state}::text`));
  return sql`(array[${names}])[${classNumber} / 8 + 1]`;
}

/** The classes that make up a list. */
export function classesOf(list: List): readonly number[] {
  return STAGES.flatMap((stage, stageAt) =>
    METHODS.flatMap((method, methodAt) =>
      [false, true].flatMap((unreachable) =>
        isIn(list, { ...stage, method, unreachable })
          ? [stageAt * 8 + methodAt * 2 + Number(unreachable)]
          : [],
      ),
    ),
  );
}

function isIn(list: List, { state, completed, method, unreachable }: Standing): boolean {
  if (list === 'not_completed') return !completed;
  if (list === 'password') return method === 'password';
  if (list === 'unreachable') return unreachable;
  return state === list;
}
