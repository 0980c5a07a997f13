import type { AuthorizationModel } from './model.ts';
import type { Relation, Rewrite, TypeDefinition, TypeRestriction } from './types.ts';

const NO_SOURCE = { module: '', source_info: null };

/** The model as OpenFGA's JSON shows it: every field is present, the empty ones too. */
export function encodeModel({ id, definition }: AuthorizationModel): object {
  return {
    id,
    schema_version: definition.schemaVersion,
    type_definitions: definition.types.map(encodeType),
    conditions: {},
  };
}

function encodeType({ name, relations }: TypeDefinition): object {
  const all = [...relations.values()];
  const assignable = all.filter(({ restrictions }) => restrictions.length > 0);
  return {
    type: name,
    relations: Object.fromEntries(all.map((relation) => [relation.name, encodeRewrite(relation.rewrite)])),
    metadata: {
      relations: Object.fromEntries(assignable.map((relation) => [relation.name, encodeMetadata(relation)])),
      ...NO_SOURCE,
    },
  };
}

function encodeMetadata({ restrictions }: Relation): object {
  return { directly_related_user_types: restrictions.map(encodeRestriction), ...NO_SOURCE };
}

function encodeRestriction(restriction: TypeRestriction): object {
  const { kind, type } = restriction;
  if (kind === 'wildcard') return { type, wildcard: {}, condition: '' };
  if (kind === 'userset') return { type, relation: restriction.relation, condition: '' };
  return { type, condition: '' };
}

function encodeRewrite(rewrite: Rewrite): object {
  switch (rewrite.kind) {
    case 'undefined_rewrite':
      return {};
    case 'this':
      return { this: {} };
    case 'computed':
      return { computedUserset: reference(rewrite.relation) };
    case 'tuple_to_userset':
      return {
        tupleToUserset: {
          tupleset: reference(rewrite.tupleset),
          computedUserset: reference(rewrite.computed),
        },
      };
    case 'union':
    case 'intersection':
      return { [rewrite.kind]: { child: rewrite.children.map(encodeRewrite) } };
    case 'difference':
      return {
        difference: { base: encodeRewrite(rewrite.base), subtract: encodeRewrite(rewrite.subtract) },
      };
  }
}

function reference(relation: string): object {
  return { object: '', relation };
}
