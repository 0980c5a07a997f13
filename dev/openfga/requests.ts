import * as z from 'zod';
import { FgaError } from './faults.ts';
import { modelSchema } from './model.ts';

/** What requests must look like, by OpenFGA's own patterns. Absent and null are the empty value: proto3 JSON. */
const ULID = /^[ABCDEFGHJKMNPQRSTVWXYZ0-9]{26}$/;
const STORE_NAME = /^[a-zA-Z0-9\s./^_&@-]{3,64}$/;
const TOKEN = /^[A-Za-z0-9-_]+={0,2}$/;
/** White space of ASCII alone counts. */
const RELATION = /^[^:#@\t\n\f\r ]{1,50}$/u;
const OBJECT = /^[^\t\n\f\r ]{2,256}$/u;
const USER = /^[^\t\n\f\r ]{2,512}$/u;
const MAX_USER_BYTES = 512;

const text = z.string().default('');
const given = (pattern: RegExp) => text.refine((value) => pattern.test(value));
const ifGiven = (pattern: RegExp) => text.refine((value) => value === '' || pattern.test(value));
const coded = (code: string) => ({ params: { code } });

const inStore = { store_id: given(ULID) };
const byModel = { ...inStore, authorization_model_id: ifGiven(ULID) };
const page = {
  page_size: z.coerce
    .number()
    .int()
    .default(50)
    .refine((size) => size >= 1 && size <= 100, coded('page_size_invalid')),
  continuation_token: ifGiven(TOKEN),
};

const storedKey = z.object({
  user: text.refine((user) => Buffer.byteLength(user) <= MAX_USER_BYTES),
  relation: ifGiven(RELATION),
  object: ifGiven(OBJECT),
});

export const createStore = z.object({ name: given(STORE_NAME) });
export const getStore = z.object(inStore);
export const listStores = z.object({ ...page, name: ifGiven(STORE_NAME) });

export const writeModel = modelSchema.extend(inStore);
export const getModel = z.object({ ...inStore, id: given(ULID) });
export const listModels = z.object({ ...inStore, ...page });

export const check = z.object({
  ...byModel,
  tuple_key: z
    .object({ user: given(USER), relation: given(RELATION), object: given(OBJECT) })
    .optional()
    .transform((key, context) => {
      if (key !== undefined) return key;
      context.addIssue({ code: 'custom', ...coded('tuple_key_value_not_specified') });
      return z.NEVER;
    }),
  contextual_tuples: z.object({ tuple_keys: z.array(z.unknown()).default([]) }).optional(),
});

/** `condition` is read only to be refused. */
export const write = z.object({
  ...byModel,
  writes: z
    .object({
      tuple_keys: z.array(storedKey.extend({ condition: z.looseObject({}).optional() })).min(1),
      on_duplicate: text,
    })
    .optional(),
  deletes: z.object({ tuple_keys: z.array(storedKey).min(1), on_missing: text }).optional(),
});
export type WriteRequest = z.output<typeof write>;

export const read = z.object({
  ...inStore,
  ...page,
  tuple_key: z.object({ user: text, relation: ifGiven(RELATION), object: ifGiven(OBJECT) }).optional(),
});
export type ReadRequest = z.output<typeof read>;

/** Returns the request; throws every fault of it in one message, under the code of the first. */
export function parseRequest<S extends z.ZodType>(schema: S, input: unknown): z.output<S> {
  const result = schema.safeParse(input);
  if (result.success) return result.data;
  const { issues } = result.error;
  const code: unknown = issues[0]?.code === 'custom' ? issues[0].params?.['code'] : undefined;
  const message = issues.map(({ path }) => `invalid value for field ${path.join('.')}`).join('; ');
  throw new FgaError(typeof code === 'string' ? code : 'validation_error', message);
}
