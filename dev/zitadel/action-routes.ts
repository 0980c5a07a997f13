import type { Hono } from 'hono';
import * as z from 'zod';
import type { ZitadelParts } from './app.ts';
import { FormRefused } from './rules.ts';
import type { Entry, Json } from './settings.ts';
import { UserRefused } from './users.ts';

const kinds = {
  restWebhook: z.looseObject({}).optional(),
  restCall: z.looseObject({}).optional(),
  restAsync: z.looseObject({}).optional(),
};
const NewTarget = z.object({
  name: z.string(),
  ...kinds,
  timeout: z.string(),
  endpoint: z.string(),
  payloadType: z.string().optional(),
});
const Changed = z.object({
  ...NewTarget.partial().shape,
  expirationSigningKey: z.string().optional(),
});
const EventOf = z.object({
  event: z.string().optional(),
  group: z.string().optional(),
  all: z.boolean().optional(),
});
const SetExecution = z.object({
  condition: z.looseObject({ event: EventOf.optional() }),
  targets: z.array(z.string()).default([]),
});
const Paged = z.object({
  pagination: z.object({ offset: z.coerce.number().default(0), limit: z.number().default(100) }).prefault({}),
});

/** Groups that events are in. */
const GROUPS = /^(?:user|org|project|instance)(?:\.human|\.machine|\.grant)?$/;
const EVENTS =
  /^(?:user\.(?:human\.(?:added|selfregistered|email\.changed|email\.verified|profile\.changed|password\.changed)|machine\.(?:added|changed)|username\.changed|domain\.claimed|deactivated|reactivated|locked|unlocked|removed)|org\.(?:added|removed|deactivated|reactivated|changed))$/;
/** A network of documentation (RFC 5737) stands for what a deny list names. */
const DENIED = /^https?:\/\/192\.0\.2\./;

/** Targets and executions of Actions v2, as far as they are kept: `options.target` says where events really go. */
export function actionRoutes(app: Hono, { settings }: ZitadelParts): void {
  const { targets } = settings.now;
  const find = (id: string): Entry => {
    const found = targets.find((each) => each.id === id);
    if (found === undefined) throw new UserRefused(404, 'Target not found', 'COMMAND-17e8fq1ggk');
    return found;
  };
  app.post('/v2/actions/targets', async (c) => {
    const value = NewTarget.parse(await c.req.json());
    mustBeTarget(value);
    if (targets.some((each) => each.value['name'] === value.name))
      throw new UserRefused(409, 'Errors.Target.AlreadyExists', 'V3-DKcYh');
    const id = settings.nextId();
    const signingKey = settings.secret();
    targets.push({ id, value: { ...shown(value), signingKey } });
    return c.json({ id, creationDate: new Date().toISOString(), signingKey });
  });
  app.post('/v2/actions/targets/search', async (c) =>
    c.json(paged('targets', settings.view('targets').map(entry), await c.req.json())),
  );
  app.get('/v2/actions/targets/:id', (c) => c.json({ target: entry(find(c.req.param('id'))) }));
  app.post('/v2/actions/targets/:id', async (c) => {
    const { expirationSigningKey, ...change } = Changed.parse(await c.req.json());
    const found = find(c.req.param('id'));
    mustBeTarget(change);
    const key = expirationSigningKey === undefined ? {} : { signingKey: settings.secret() };
    found.value = { ...found.value, ...shown(change), ...key };
    return c.json({ changeDate: new Date().toISOString(), ...key });
  });
  app.delete('/v2/actions/targets/:id', (c) => {
    const at = targets.findIndex(({ id }) => id === c.req.param('id'));
    if (at !== -1) targets.splice(at, 1);
    return c.json({ deletionDate: new Date().toISOString() });
  });
  app.put('/v2/actions/executions', async (c) => {
    const { condition, targets: named } = SetExecution.parse(await c.req.json());
    mustBeCondition(condition);
    for (const id of named) find(id);
    const { executions } = settings.now;
    const found = executions.findIndex(
      (each) => JSON.stringify(each.condition) === JSON.stringify(condition),
    );
    if (found !== -1) executions.splice(found, 1);
    if (named.length > 0) executions.push({ condition, targets: named });
    return c.json({ setDate: new Date().toISOString() });
  });
  app.post('/v2/actions/executions/search', async (c) =>
    c.json(paged('executions', settings.view('executions'), await c.req.json())),
  );
}

function mustBeTarget({
  timeout,
  endpoint,
}: {
  readonly timeout?: string | undefined;
  readonly endpoint?: string | undefined;
}): void {
  if (timeout !== undefined && !(parseFloat(timeout) >= 0 && parseFloat(timeout) <= 270))
    throw new FormRefused('invalid CreateTargetRequest.Timeout: value must be inside range [0s, 4m30s]');
  if (endpoint !== undefined && DENIED.test(endpoint))
    throw new UserRefused(400, 'Errors.Target.DeniedURL', 'COMMAND-NcJUKo');
}

function mustBeCondition({ event }: z.output<typeof SetExecution>['condition']): void {
  const { event: exact, group } = event ?? {};
  const invalid = 'Execution condition is invalid';
  if (exact !== undefined && !EVENTS.test(exact)) throw new UserRefused(404, invalid, 'COMMAND-74aaqj8fv9');
  if (group !== undefined && !GROUPS.test(group)) throw new UserRefused(404, invalid, 'COMMAND-er5oneb5lz');
}

function shown(value: Json): Json {
  const { payloadType, ...rest } = value;
  const said = payloadType === undefined || payloadType === 'PAYLOAD_TYPE_JSON' ? {} : { payloadType };
  return { ...Object.fromEntries(Object.entries(rest).filter(([, each]) => each !== undefined)), ...said };
}

function entry({ id, value }: Entry): Json {
  return { id, ...value };
}

function paged(name: string, found: readonly object[], body: unknown): Json {
  const { offset, limit } = Paged.parse(body).pagination;
  const some = found.slice(offset, offset + limit);
  const total = found.length === 0 ? {} : { totalResult: String(found.length) };
  return { pagination: { ...total, appliedLimit: String(limit) }, ...(some.length > 0 && { [name]: some }) };
}
