import * as z from 'zod';

/** Settings as Zitadel's API has them, without ids, times and secrets. What is false, 0 or empty is left out. */
export const Settings = z.record(z.string(), z.unknown());
export type Settings = Readonly<z.infer<typeof Settings>>;

const Reference = z.strictObject({ env: z.string() });
const named = z.record(z.string(), Settings).default({});
const names = z.array(z.string()).default([]);

export const Login = z.strictObject({
  settings: Settings,
  secondFactors: names,
  multiFactors: names,
  /** Identity providers of the instance on the sign-in page: `google Google`. */
  idps: names,
});
export type Login = z.infer<typeof Login>;

export const Idp = z.strictObject({
  /** As the API's path has it: `google`, `azure`, `generic_oidc`. */
  kind: z.string(),
  name: z.string(),
  settings: Settings,
  secret: Reference.optional(),
});
export type Idp = z.infer<typeof Idp>;

export const Mail = z.strictObject({
  description: z.string(),
  active: z.boolean(),
  smtp: Settings,
  password: Reference.optional(),
});
export type Mail = z.infer<typeof Mail>;

const Target = z.strictObject({ name: z.string(), settings: Settings });
const Execution = z.strictObject({ condition: Settings, targets: z.array(z.string()) });

const Application = z.strictObject({
  name: z.string(),
  kind: z.enum(['api', 'oidc']),
  settings: Settings,
});
export type Application = z.infer<typeof Application>;

export const Project = z.strictObject({
  name: z.string(),
  settings: Settings,
  roles: z.array(z.strictObject({ key: z.string(), displayName: z.string(), group: z.string() })),
  applications: z.array(Application),
});
export type Project = z.infer<typeof Project>;

const Action = z.strictObject({
  name: z.string(),
  timeout: z.string(),
  allowedToFail: z.boolean(),
  /** In a file of its own. */
  script: z.string(),
});
export type Action = z.infer<typeof Action>;
/** A trigger of a flow, and the names of its actions in their order. */
const Trigger = z.strictObject({ flow: z.string(), trigger: z.string(), actions: z.array(z.string()) });

export const Organization = z.strictObject({
  name: z.string(),
  /** The one that people without another belong to. */
  isDefault: z.boolean(),
  /** Of its own, not that which Zitadel makes of its name and its host. */
  domains: names,
  /** Of its own; others are the instance's. */
  login: Login.optional(),
  policies: named,
  texts: named,
  projects: z.array(Project).default([]),
  actions: z.array(Action).default([]),
  triggers: z.array(Trigger).default([]),
});
export type Organization = z.infer<typeof Organization>;

export const Instance = z.strictObject({
  login: Login,
  policies: named,
  texts: named,
  idps: z.array(Idp).default([]),
  mail: z.array(Mail).default([]),
  targets: z.array(Target).default([]),
  executions: z.array(Execution).default([]),
});
export type Instance = z.infer<typeof Instance>;

export interface Configuration {
  readonly instance: Instance;
  readonly organizations: readonly Organization[];
}

/** Ids at one instance by what has them: `project Example/Gateway`. */
export type Ids = Map<string, string>;

/** What can be written back of an answer: without what the server sets, and without what is false or empty. */
export function settingsOf(value: Settings, ...without: readonly string[]): Settings {
  const left = Object.entries(value).flatMap(([name, each]): [string, unknown][] => {
    if (SET_BY_SERVER.has(name) || without.includes(name)) return [];
    return isEmpty(each) ? [] : [[name, each]];
  });
  return Object.fromEntries(left.sort(([a], [b]) => (a < b ? -1 : 1)));
}

const SET_BY_SERVER = new Set(['details', 'isDefault', 'id', 'state', 'resourceOwner']);

function isEmpty(value: unknown): boolean {
  if (
    value === undefined ||
    value === null ||
    value === false ||
    value === '' ||
    value === 0 ||
    value === '0s'
  )
    return true;
  return Array.isArray(value) && value.length === 0;
}
