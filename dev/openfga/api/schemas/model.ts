import * as z from 'zod';
import { conditionsUnsupported } from '../../errors.ts';
import type { ModelDefinition, TypeDefinition, TypeRestriction } from '../../model/types.ts';
import { atLeastOne, fault, matchingIfSet, patternFault, RELATION_NAME, typeName } from './fields.ts';
import { rewrite } from './rewrite.ts';
import { storeId } from './shared.ts';

const SCHEMA_VERSIONS = ['1.0', '1.1', '1.2'];
const NO_CONDITIONS = { error: conditionsUnsupported().message };

const restriction = z
  .object({
    type: typeName('RelationReference.Type'),
    relation: matchingIfSet('RelationReference.Relation', RELATION_NAME),
    wildcard: z.looseObject({}).optional(),
    condition: z
      .string()
      .default('')
      .refine((name) => name === '', NO_CONDITIONS),
  })
  .refine(({ relation, wildcard }) => relation === '' || wildcard === undefined, {
    error: 'oneof openfga.v1.RelationReference.relation_or_wildcard is already set',
  })
  .transform(({ type, relation, wildcard }): TypeRestriction => {
    if (wildcard !== undefined) return { kind: 'wildcard', type };
    return relation === '' ? { kind: 'object', type } : { kind: 'userset', type, relation };
  });

const relationMetadata = z.object({ directly_related_user_types: z.array(restriction).default([]) });

const relations = z.record(z.string(), rewrite).superRefine((definitions, context) => {
  for (const name of Object.keys(definitions)) {
    if (RELATION_NAME.test(name)) continue;
    const field = `TypeDefinition.Relations[${name}]`;
    const { error, params } = patternFault(field, RELATION_NAME, 'relations_invalid_pattern');
    context.addIssue({ code: 'custom', message: error, params });
  }
});

const typeDefinition = z
  .object({
    type: typeName('TypeDefinition.Type'),
    relations: relations.default({}),
    metadata: z.object({ relations: z.record(z.string(), relationMetadata).default({}) }).optional(),
  })
  .transform(({ type, relations, metadata }): TypeDefinition => {
    const entries = Object.entries(relations).map(([name, definition]) => {
      const restrictions = metadata?.relations[name]?.directly_related_user_types ?? [];
      return [name, { name, rewrite: definition, restrictions }] as const;
    });
    return { name: type, relations: new Map(entries) };
  });

export const writeModel = z
  .object({
    store_id: storeId('WriteAuthorizationModelRequest'),
    type_definitions: atLeastOne(
      'WriteAuthorizationModelRequest.TypeDefinitions',
      typeDefinition,
      'type_definitions_too_few_items',
    ),
    schema_version: z
      .string()
      .default('')
      .refine(
        (version) => SCHEMA_VERSIONS.includes(version),
        fault(
          'WriteAuthorizationModelRequest.SchemaVersion',
          `value must be in list [${SCHEMA_VERSIONS.join(' ')}]`,
        ),
      ),
    conditions: z
      .record(z.string(), z.unknown())
      .default({})
      .refine((conditions) => Object.keys(conditions).length === 0, NO_CONDITIONS),
  })
  .transform(({ store_id, schema_version, type_definitions }) => {
    const definition: ModelDefinition = { schemaVersion: schema_version, types: type_definitions };
    return { store_id, definition };
  });
