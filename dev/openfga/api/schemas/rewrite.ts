import * as z from 'zod';
import type { Rewrite } from '../../model/types.ts';
import { fault, required } from './fields.ts';

const MAX_RELATION_BYTES = 50;

const reference = (message: 'ObjectRelation') =>
  z.object({
    relation: z
      .string()
      .default('')
      .refine(
        (relation) => Buffer.byteLength(relation) <= MAX_RELATION_BYTES,
        fault(`${message}.Relation`, `value length must be at most ${MAX_RELATION_BYTES} bytes`),
      ),
  });

const computed = reference('ObjectRelation').transform(({ relation }): Rewrite => ({
  kind: 'computed',
  relation,
}));

const tupleToUserset = z
  .object({
    tupleset: required('TupleToUserset.Tupleset', reference('ObjectRelation')),
    computedUserset: reference('ObjectRelation').optional(),
    computed_userset: reference('ObjectRelation').optional(),
  })
  .transform((value, context): Rewrite => {
    const target = value.computedUserset ?? value.computed_userset;
    if (target !== undefined) {
      return { kind: 'tuple_to_userset', tupleset: value.tupleset.relation, computed: target.relation };
    }
    const { error, params } = fault('TupleToUserset.ComputedUserset', 'value is required');
    context.addIssue({ code: 'custom', message: error, params });
    return z.NEVER;
  });

const operands = (kind: 'union' | 'intersection') =>
  z
    .object({ child: z.array(z.lazy(() => rewrite)).default([]) })
    .transform(({ child }): Rewrite => ({ kind, children: child }));

const difference = z
  .object({
    base: required(
      'Difference.Base',
      z.lazy(() => rewrite),
      'difference_base_missing_value',
    ),
    subtract: required(
      'Difference.Subtract',
      z.lazy(() => rewrite),
      'subtract_base_missing_value',
    ),
  })
  .transform(({ base, subtract }): Rewrite => ({ kind: 'difference', base, subtract }));

/** A `Userset` message: exactly one of its fields; clients write the names in camel case or as in the proto file. */
export const rewrite: z.ZodType<Rewrite> = z
  .object({
    this: z
      .looseObject({})
      .transform((): Rewrite => ({ kind: 'this' }))
      .optional(),
    computedUserset: computed.optional(),
    computed_userset: computed.optional(),
    tupleToUserset: tupleToUserset.optional(),
    tuple_to_userset: tupleToUserset.optional(),
    union: operands('union').optional(),
    intersection: operands('intersection').optional(),
    difference: difference.optional(),
  })
  .transform((fields, context): Rewrite => {
    const [chosen, ...others] = Object.values(fields).filter((field) => field !== undefined);
    if (others.length === 0) return chosen ?? { kind: 'undefined_rewrite' };
    context.addIssue({ code: 'custom', message: 'oneof openfga.v1.Userset.userset is already set' });
    return z.NEVER;
  });
