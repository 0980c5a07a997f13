import * as z from 'zod';
import { place, readJson } from '../../../shared/json.ts';
import { isPrintable } from '../../../shared/identity/subjects.ts';
import { TUPLES_PER_WRITE, type Tuple } from '../../../shared/ports/tuples.ts';

const OBJECT = 'write type:id; {user_id}, {type} and {organization} may stand in the id';

/** An object template: `{user_id}`, `{type}` and `{organization}` are filled from the event. */
const object = z
  .string(OBJECT)
  .max(256, 'write at most 256 characters')
  .regex(/^[^\s:#@{}]+:(?:[^\s:#{}]|\{(?:user_id|type|organization)\})+$/, OBJECT)
  .describe(
    'What the user is given: type:id, where {user_id}, {type} and {organization} may stand in the id.',
  );

const RELATION = 'write the name of a relation';
const TYPES = 'write a list of human and machine, or leave it out for all';
const ORGANIZATIONS = 'write a list of ids of organisations, or leave it out for all';

const grant = z
  .strictObject(
    {
      relation: z
        .string(RELATION)
        .regex(/^[^\s:#@]{1,50}$/, RELATION)
        .describe('The relation the user gets.'),
      object,
      types: z
        .array(z.enum(['human', 'machine'], TYPES), TYPES)
        .min(1, TYPES)
        .optional()
        .describe('Only for users of these types; absent: for all.'),
      organizations: z
        .array(z.string(ORGANIZATIONS), ORGANIZATIONS)
        .min(1, ORGANIZATIONS)
        .optional()
        .describe('Only for users of these organisations, by id.'),
    },
    'write objects of relation and object, and types and organizations where needed, and nothing else',
  )
  .describe('One tuple every new user gets.');

/** config/default_grants.json */
export const grantsFile = z
  .array(grant, 'write a JSON array of grants')
  .max(TUPLES_PER_WRITE, `write at most ${TUPLES_PER_WRITE} grants`);

export type DefaultGrants = z.output<typeof grantsFile>;

export interface NewUser {
  /** In OpenFGA. */
  readonly user: string;
  /** `{user_id}` */
  readonly subject: string;
  readonly type: string;
  readonly organization: string | null;
}

/** The grants file cannot be used. */
export class UnusableGrants extends Error {
  override readonly name = 'UnusableGrants';
}

/** Throws UnusableGrants that names the first fault. */
export function parseGrants(text: string): DefaultGrants {
  const parsed = grantsFile.safeParse(parseJson(text));
  if (parsed.success) return parsed.data;
  const [issue] = parsed.error.issues;
  const place = issue === undefined || issue.path.length === 0 ? '' : `${issue.path.join('.')}: `;
  throw new UnusableGrants(`default grants: ${place}${issue?.message ?? ''}`);
}

/** Every fault of a grants file, with its place. */
export function grantsFaults(text: string): string[] {
  const read = readJson(text);
  if (!read.ok) return [place({ ...read.position, message: `not JSON: ${read.problem}` })];
  const { json } = read;
  if (!Array.isArray(json.value))
    return [place({ ...json.locate([]), message: 'default grants are a JSON array of grants' })];
  const issues = grantsFile.safeParse(json.value).error?.issues ?? [];
  return issues.map(({ path, message }) => {
    const steps = path.map((step) => (typeof step === 'number' ? step : String(step)));
    const field = steps.slice(1).join('.');
    return place({ ...json.locate(steps), message: field === '' ? message : `${field}: ${message}` });
  });
}

/** Tuples of a new user. A grant that needs a value missing from the event is left out. */
export function grantsFor(grants: DefaultGrants, user: NewUser): Tuple[] {
  const tuples = new Map<string, Tuple>();
  for (const { relation, object, types, organizations } of grants) {
    if (types !== undefined && !types.some((type) => type === user.type)) continue;
    if (organizations !== undefined && !organizations.some((id) => id === user.organization)) continue;
    const filled = fill(object, user);
    // OpenFGA refuses a write with the same tuple twice.
    if (filled !== undefined)
      tuples.set(`${relation} ${filled}`, { user: user.user, relation, object: filled });
  }
  return [...tuples.values()];
}

/** Objects of the grants that go by the user's id: as named for `from`, and for `to`. */
export function renamedObjects(
  grants: DefaultGrants,
  from: NewUser,
  to: NewUser,
): ReadonlyMap<string, string> {
  return new Map(
    grants.flatMap(({ object }) => {
      const [before, after] = [fill(object, from), fill(object, to)];
      return before === undefined || after === undefined ? [] : [[before, after] as const];
    }),
  );
}

/** Undefined where a value is missing or cannot be part of an id. */
function fill(template: string, { subject, type, organization }: NewUser): string | undefined {
  const values = new Map([
    ['{user_id}', subject],
    ['{type}', type],
    ['{organization}', organization ?? ''],
  ]);
  const parts = template.split(/(\{\w+\})/).map((part) => values.get(part) ?? part);
  const filled = parts.join('');
  const whole = [...values].every(([name, value]) => !template.includes(name) || isPrintable(value));
  return whole && filled.length <= 256 ? filled : undefined;
}

function parseJson(text: string): unknown {
  // The decoder's replacement character would become part of an object's name.
  if (text.includes('\uFFFD')) throw new UnusableGrants('default grants: not UTF-8');
  try {
    return JSON.parse(text.replace(/^\uFEFF/, ''));
  } catch {
    throw new UnusableGrants('default grants: not JSON');
  }
}
