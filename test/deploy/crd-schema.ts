import { existsSync, readFileSync } from 'node:fs';
import { Ajv, type ValidateFunction } from 'ajv';
import { parse } from 'yaml';
import * as z from 'zod';

/** Where scripts/install-services.sh puts definitions that no npm package has. */
const FOLDER = new URL('../../.tools/crds/', import.meta.url).pathname;

const Definition = z.object({
  spec: z.object({
    versions: z.array(
      z.object({
        name: z.string(),
        schema: z.object({ openAPIV3Schema: z.record(z.string(), z.unknown()) }),
      }),
    ),
  }),
});

/**
 * The validator of a custom resource, by its CustomResourceDefinition and as strictly as an API server with field validation: a field that is
 * not in the schema is refused. Undefined where the definitions are not there; with REQUIRE_SERVICES=1 that is a failure.
 */
export function validatorOf(file: string, version: string): ValidateFunction | undefined {
  const path = `${FOLDER}${file}`;
  if (!existsSync(path)) {
    if (process.env['REQUIRE_SERVICES'] !== '1') return undefined;
    throw new Error(`REQUIRE_SERVICES=1: no ${path}; scripts/install-services.sh fetches it`);
  }
  const { versions } = Definition.parse(parse(readFileSync(path, 'utf8'))).spec;
  const schema = versions.find(({ name }) => name === version)?.schema.openAPIV3Schema;
  if (schema === undefined) throw new Error(`${file} has no version ${version}`);
  return new Ajv({ strict: false, allErrors: true, validateFormats: false }).compile(closed(schema, true));
}

const Node = z.record(z.string(), z.unknown());

/** JSON Schema of a structural schema (apiextensions.k8s.io/v1): closed objects, and `x-kubernetes-int-or-string` spelled out. */
function closed(schema: Record<string, unknown>, root = false): Record<string, unknown> {
  const out: Record<string, unknown> = { ...schema };
  if (schema['x-kubernetes-int-or-string'] === true) return { type: ['integer', 'string'] };
  if (schema['nullable'] === true && typeof schema['type'] === 'string')
    out['type'] = [schema['type'], 'null'];
  const properties = Node.safeParse(schema['properties']);
  if (properties.success) {
    out['properties'] = Object.fromEntries(
      Object.entries(properties.data).map(([name, each]) => [name, closed(Node.parse(each))]),
    );
    const open = schema['x-kubernetes-preserve-unknown-fields'] === true;
    if (!open && schema['additionalProperties'] === undefined) out['additionalProperties'] = false;
    // The API server adds the rest of the metadata's schema by itself.
    if (root)
      out['properties'] = {
        ...Node.parse(out['properties']),
        metadata: closed({
          type: 'object',
          required: ['name'],
          properties: {
            name: { type: 'string' },
            namespace: { type: 'string' },
            labels: { type: 'object', additionalProperties: { type: 'string' } },
            annotations: { type: 'object', additionalProperties: { type: 'string' } },
          },
        }),
      };
  }
  for (const key of ['items', 'additionalProperties']) {
    const each = Node.safeParse(schema[key]);
    if (each.success) out[key] = closed(each.data);
  }
  return out;
}
