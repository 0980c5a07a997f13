import * as z from 'zod';
import { claimsDefinition } from './claims.ts';
import { tokenDefinition } from './claims.ts';

/** fetch() refuses CONNECT, TRACE and TRACK, so a rule for them could never forward. */
const METHOD = /^(?!(?:CONNECT|TRACE|TRACK)$)[A-Z]+(?:-[A-Z]+)*$/;
const methodProblem = 'write a method in capitals, a list of such methods, or *';
const tenantProblem = 'write required, or a path parameter in braces, as in {tenant}';
const method = z.string(methodProblem).regex(METHOD, methodProblem);

/** One entry of the rules file as written; rule.ts compiles it. */
export const ruleDefinition = z
  .strictObject({
    path: z.string('write a path, as in /documents/:id').meta({
      title: 'Path',
      description:
        'Literal segments, :name for one segment, *name (last only) for the rest: /a/*rest covers /a/ and all below, not /a. A trailing slash counts. The most specific path wins, whatever the order.',
      pattern: '^/',
      examples: ['/documents/:id', '/public/*rest'],
    }),
    method: z.union([z.literal('*'), method, z.array(method).min(1, methodProblem)], methodProblem).meta({
      title: 'Method',
      description: 'A method, a list of methods, or * for any. A named method wins over *.',
      examples: ['GET', ['PUT', 'PATCH'], '*'],
    }),
    feature: z
      .string('write the name of a feature')
      .min(1, 'is empty: write the name of a feature')
      .optional()
      .meta({
        title: 'Feature',
        description:
          'The OpenFGA object feature:x, written feature:x or x; public_access lets anyone in, authenticated anyone with a valid token. Either feature or object, or claims or tenant alone.',
        examples: ['report_viewer', 'public_access', 'authenticated'],
      }),
    object: z
      .string('write type:id, as in document:{id}')
      .min(1, 'is empty: write type:id, as in document:{id}')
      .optional()
      .meta({
        title: 'Object',
        description: 'The OpenFGA object, with path parameters in braces. Either object or feature.',
        examples: ['document:{id}'],
      }),
    claims: claimsDefinition.optional().meta({
      title: 'Claims',
      description:
        'What the token has to say of its bearer: claim to value, or to a list of values. All of them must be in the claim: as its value, in its list, among the space-separated words of scope or scp, or as a key of its object. Alone, or beside feature or object.',
      examples: [{ scope: 'reports:read' }, { 'urn:zitadel:iam:org:project:roles': 'admin' }],
    }),
    tenant: z
      .string(tenantProblem)
      .regex(/^(?:required|\{[A-Za-z_][A-Za-z0-9_]*\})$/, tenantProblem)
      .optional()
      .meta({
        title: 'Tenant',
        description:
          'The tenant that the caller has to be in: required for any, or a path parameter in braces that holds its slug or uuid. Alone, or beside feature, object or claims.',
        examples: ['required', '{tenant}'],
      }),
    token: tokenDefinition.optional().meta({
      title: 'Token',
      description:
        'Where the token is looked for: header (Authorization: Bearer), cookie:NAME, protocol (a WebSocket subprotocol bearer.TOKEN), query:NAME. Different tokens in two of them are refused.',
      default: ['header'],
      examples: [
        ['header', 'cookie:sid'],
        ['header', 'protocol'],
      ],
    }),
    action: z
      .string('write a relation')
      .regex(
        /^[^:#@\s\p{Cc}]{1,50}$/u,
        'write a relation of the OpenFGA model: at most 50 characters, none of : # @, space or control characters',
      )
      .optional()
      .meta({
        title: 'Action',
        description: 'The relation that must hold on the object.',
        default: 'viewer',
      }),
    target: z
      .string('write the name of a target')
      .regex(/^[a-z0-9_]+$/, 'write the name of a target in lower case, as in upstream')
      .optional()
      .meta({
        title: 'Target',
        description: 'upstream, zitadel, openfga, or <name> for a configured TARGET_<NAME>_URL.',
        default: 'upstream',
      }),
    rate_limit: z
      .string('write requests and a window, as in 100/60s')
      .optional()
      .meta({
        title: 'Rate limit',
        description: 'Requests per caller and window for this rule, as in 100/60s, instead of RATE_LIMIT.',
        pattern: '^[1-9][0-9]*/[1-9][0-9]*[smh]$',
        examples: ['100/60s', '5/1m'],
      }),
    timeout_ms: z
      .int('write a whole number of milliseconds')
      .min(1, 'write at least 1 millisecond')
      .max(3_600_000, 'write at most 3600000 milliseconds')
      .optional()
      .meta({
        title: 'Timeout',
        description: 'Milliseconds the target has to begin its answer, instead of UPSTREAM_TIMEOUT_MS.',
      }),
    strip_prefix: z
      .string('write leading segments of the path, as in /api')
      .optional()
      .meta({
        title: 'Strip prefix',
        description: 'Leading literal segments of the path that the target does not see.',
        pattern: '^/.*[^/]$',
        examples: ['/api'],
      }),
    mode: z.enum(['enforce', 'shadow'], 'write enforce or shadow').optional().meta({
      title: 'Mode',
      description: 'shadow decides, logs and counts, but lets every authenticated caller through.',
      default: 'enforce',
    }),
    forward_authorization: z.boolean('write true or false').optional().meta({
      title: 'Forward authorization',
      description: 'Whether the target sees the Authorization header of the caller.',
      default: true,
    }),
    preserve_host: z.boolean('write true or false').optional().meta({
      title: 'Preserve host',
      description:
        'Whether the target sees the Host of the caller instead of its own. On Node; Workers cannot set it.',
      default: false,
    }),
  })
  .meta({
    title: 'Access rule',
    anyOf: [
      { required: ['feature'] },
      { required: ['object'] },
      { required: ['claims'] },
      { required: ['tenant'] },
    ],
    not: { required: ['feature', 'object'] },
  });

export type RuleDefinition = z.output<typeof ruleDefinition>;

/** An entry with fields missing or left out as faulty. */
export const partialDefinition = ruleDefinition.partial();

export type PartialDefinition = z.output<typeof partialDefinition>;

export const RULE_FIELDS: readonly string[] = Object.keys(ruleDefinition.shape);
export const REQUIRED_FIELDS: readonly string[] = ['path', 'method'];

/** The whole file, for its JSON Schema. */
export const rulesFile = z.array(ruleDefinition).meta({
  title: 'Sallyport access rules',
  description: 'Who may send which request where. A request that no rule matches is refused.',
});
