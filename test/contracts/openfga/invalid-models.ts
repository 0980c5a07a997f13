/** Models OpenFGA refuses, written as JSON because the DSL could not even say most of them. */
const THIS = { this: {} };
const USER = { type: 'user' };

const computed = (relation: string) => ({ computedUserset: { relation } });
const from = (tupleset: string, relation: string) => ({
  tupleToUserset: { tupleset: { relation: tupleset }, computedUserset: { relation } },
});

function type(name: string, relations: object = {}, restrictions: Record<string, object[]> = {}): object {
  const metadata = Object.entries(restrictions).map(([relation, types]) => [
    relation,
    { directly_related_user_types: types },
  ]);
  return { type: name, relations, metadata: { relations: Object.fromEntries(metadata) as object } };
}

function model(...types: object[]): object {
  return { schema_version: '1.1', type_definitions: types };
}

function doc(relations: object, restrictions: Record<string, object[]> = {}): object {
  return model(USER, type('doc', relations, restrictions));
}

const loop = "the definition of relation 'a' in object type 'doc' is invalid: potential loop";

export const INVALID_MODELS = [
  {
    fault: 'a type twice',
    model: model(USER, USER),
    message: 'an authorization model cannot contain duplicate types',
  },
  {
    fault: 'a reserved type name',
    model: model(type('self')),
    message: "the definition of type 'self' is invalid",
  },
  {
    fault: 'a direct relation without types',
    model: doc({ viewer: THIS }),
    message: "the assignable relation 'viewer' in object type 'doc' must contain at least one relation type",
  },
  {
    fault: 'types on a relation that is only computed',
    model: doc({ a: THIS, viewer: computed('a') }, { a: [USER], viewer: [USER] }),
    message: "the non-assignable relation 'viewer' in object type 'doc' should not contain a relation type",
  },
  {
    fault: 'an undefined type in a restriction',
    model: doc({ viewer: THIS }, { viewer: [{ type: 'nope' }] }),
    message: "the relation type 'nope' on 'viewer' in object type 'doc' is not valid",
  },
  {
    fault: 'an undefined relation in a restriction',
    model: doc({ viewer: THIS }, { viewer: [{ type: 'user', relation: 'member' }] }),
    message: "the relation type 'user#member' on 'viewer' in object type 'doc' is not valid",
  },
  {
    fault: 'an undefined computed relation',
    model: doc({ viewer: computed('nope') }),
    message: "'doc#nope' relation is undefined",
  },
  {
    fault: 'a relation computed from itself',
    model: doc({ viewer: computed('viewer') }),
    message:
      "the definition of relation 'viewer' in object type 'doc' is invalid: invalid userset rewrite definition",
  },
  {
    fault: 'an empty rewrite',
    model: doc({ viewer: {} }),
    message:
      "the definition of relation 'viewer' in object type 'doc' is invalid: invalid userset rewrite definition",
  },
  {
    fault: 'relations computed from each other',
    model: doc({ a: computed('b'), b: computed('a') }),
    message: loop,
  },
  {
    fault: 'an intersection that needs itself',
    model: doc({ a: { intersection: { child: [THIS, computed('b')] } }, b: computed('a') }, { a: [USER] }),
    message: loop,
  },
  {
    fault: 'a computed cycle beside direct assignments',
    model: doc(
      { a: { union: { child: [THIS, computed('b')] } }, b: { union: { child: [THIS, computed('a')] } } },
      { a: [USER], b: [USER] },
    ),
    message:
      "the definition of relation 'a' in object type 'doc' is invalid: an authorization model cannot contain a cycle",
  },
  {
    fault: 'a userset that nobody can enter',
    model: doc({ a: THIS }, { a: [{ type: 'doc', relation: 'a' }] }),
    message: "the definition of relation 'a' in object type 'doc' is invalid: no entrypoints defined",
  },
  {
    fault: 'a parent relation that is undefined',
    model: doc({ a: from('parent', 'viewer') }),
    message: "'doc#parent' relation is undefined",
  },
  {
    fault: 'a relation no parent has',
    model: doc({ parent: THIS, a: from('parent', 'viewer') }, { parent: [USER] }),
    message:
      'undefined relation: viewer does not appear as a relation in any of the directly related user types [type:"user"]',
  },
  {
    fault: 'a parent relation that is computed',
    model: doc({ x: THIS, parent: computed('x'), a: from('parent', 'a') }, { x: [USER] }),
    message:
      "the 'doc#parent' relation is referenced in at least one tupleset and thus must be a direct relation",
  },
  {
    fault: 'wildcards as parents',
    model: doc(
      { parent: THIS, a: from('parent', 'b'), b: THIS },
      {
        parent: [{ type: 'doc', wildcard: {} }],
        b: [USER],
      },
    ),
    message: "the relation type 'doc' on 'parent' in object type 'doc' is not valid",
  },
  {
    fault: 'a union of one',
    model: doc({ a: { union: { child: [THIS] } } }, { a: [USER] }),
    message: "invalid relation: 'doc#a' as union has less than 2 children",
  },
  {
    fault: 'schema version 1.0',
    model: { schema_version: '1.0', type_definitions: [USER] },
    message: 'invalid schema version',
  },
];

export const MALFORMED_MODELS = [
  { fault: 'no types', model: model(), code: 'type_definitions_too_few_items' },
  { fault: 'no schema version', model: { type_definitions: [USER] }, code: 'validation_error' },
  { fault: 'a space in a type name', model: model(type('us er')), code: 'type_invalid_pattern' },
  {
    fault: 'a space in a relation name',
    model: doc({ 'a b': THIS }, { 'a b': [USER] }),
    code: 'relations_invalid_pattern',
  },
  {
    fault: 'an exclusion from nothing',
    model: doc({ a: { difference: { subtract: THIS } } }, { a: [USER] }),
    code: 'difference_base_missing_value',
  },
  {
    fault: 'an exclusion of nothing',
    model: doc({ a: { difference: { base: THIS } } }, { a: [USER] }),
    code: 'subtract_base_missing_value',
  },
  {
    fault: 'more than 100 types',
    model: model(...Array.from({ length: 101 }, (_, index) => type(`t${index}`))),
    code: 'exceeded_entity_limit',
  },
];
