import * as z from 'zod';
import { createTarget, setExecution, updateTarget } from '../api/actions.ts';
import { Nothing } from '../api/client.ts';
import { activateEmail, createSmtp, updateSmtp, type Smtp } from '../api/email.ts';
import { unlessUnchanged } from '../api/policies.ts';
import { environment } from '../../terminal.ts';
import { known } from '../setup/plan.ts';
import { planOne, type Carrying } from './carrying.ts';
import { planLogin, planPolicies, planTexts } from './apply-policies.ts';
import { IDPS } from './kinds.ts';
import type { Idp, Instance, Mail } from './model.ts';

export function planInstance(carrying: Carrying, there: Instance, wanted: Instance): void {
  const silent = new Set<string>();
  for (const idp of wanted.idps)
    planIdp(
      carrying,
      there.idps.find((each) => each.kind === idp.kind && each.name === idp.name),
      idp,
      silent,
    );
  planPolicies(carrying, undefined, there.policies, wanted.policies);
  const idps = wanted.login.idps.filter((name) => !silent.has(name));
  planLogin(carrying, undefined, there.login, { ...wanted.login, idps });
  planTexts(carrying, undefined, there.texts, wanted.texts);
  for (const mail of wanted.mail) planMail(carrying, there.mail, mail);
  planTargets(carrying, there, wanted);
}

/** The value of a reference; undefined where the file names none, or its variable is not set. */
function secretOf(reference: { readonly env: string } | undefined): string | undefined {
  const value = reference === undefined ? undefined : environment[reference.env];
  return value === '' ? undefined : value;
}

const Made = z.object({ id: z.string() });

function planIdp(
  { client, ids, plan, ...rest }: Carrying,
  there: Idp | undefined,
  { kind, name, settings, secret }: Idp,
  silent: Set<string>,
): void {
  const key = `idp ${kind} ${name}`;
  const member = Object.values(IDPS).find((each) => each.kind === kind)?.secret;
  const value = secretOf(secret);
  const lacks = there === undefined && member !== undefined && value === undefined;
  if (lacks) {
    silent.add(`${kind} ${name}`);
    plan.notes.push(
      `identity provider ${name}: ${secret?.env ?? 'its secret'} is not set, so it is made without its secret and is on no sign-in page; set the variable, write the secret and import again`,
    );
  }
  const path = `/admin/v1/idps/${kind}`;
  const body = { name, ...settings };
  planOne({ client, ids, plan, ...rest }, key, there?.settings, settings, async () => {
    const right = 'iam.idp.write';
    if (there !== undefined) {
      const call = { method: 'PUT', path: `${path}/${known(ids.get(key), key)}`, right } as const;
      await unlessUnchanged(
        client.call(Nothing, {
          ...call,
          body: { ...body, ...(member !== undefined && value !== undefined && { [member]: value }) },
          secrets: [value ?? ''],
        }),
      );
      return;
    }
    // Zitadel takes none without a secret.
    const filled = member === undefined ? {} : { [member]: value ?? 'to-be-set' };
    const call = {
      method: 'POST',
      path,
      body: { ...body, ...filled },
      secrets: [value ?? ''],
      right,
    } as const;
    ids.set(key, (await client.call(Made, call)).id);
  });
}

/** Zitadel takes a second one silently; one of the same host and sender is the same. */
function planMail(
  carrying: Carrying,
  all: readonly Mail[],
  { description, active, smtp, password }: Mail,
): void {
  const { client, ids, plan } = carrying;
  const host = String(smtp['host']);
  const key = `mail server ${host}`;
  const there = all.find(
    (each) => each.smtp['host'] === host && each.smtp['senderAddress'] === smtp['senderAddress'],
  );
  const value = secretOf(password) ?? '';
  const whole: Smtp = {
    ...{ description, host, tls: smtp['tls'] === true },
    ...{ senderAddress: textOf(smtp['senderAddress']), senderName: textOf(smtp['senderName']) },
    ...{ user: textOf(smtp['user']), replyToAddress: textOf(smtp['replyToAddress']) },
  };
  planOne(
    carrying,
    key,
    there && { ...there.smtp, description: there.description },
    { ...smtp, description },
    async () => {
      if (there === undefined) ids.set(key, await createSmtp(client, whole, value));
      else await updateSmtp(client, known(ids.get(key), key), whole, value);
    },
  );
  const lacks = there === undefined && password !== undefined && value === '';
  if (lacks)
    plan.notes.push(
      `${key}: ${password.env} is not set, so it is made without its password and is not active`,
    );
  if (active && !lacks && there?.active !== true)
    plan.make(`${key}, active`, () => activateEmail(client, known(ids.get(key), key)));
}

function textOf(value: unknown): string {
  return typeof value === 'string' ? value : '';
}

function planTargets(carrying: Carrying, there: Instance, wanted: Instance): void {
  const { client, ids, plan, out } = carrying;
  for (const { name, settings } of wanted.targets) {
    const key = `target ${name}`;
    const found = there.targets.find((each) => each.name === name);
    planOne(carrying, key, found?.settings, settings, async () => {
      if (found !== undefined) {
        await updateTarget(client, known(ids.get(key), key), { name, ...settings });
        return;
      }
      const made = await createTarget(client, { name, ...settings });
      ids.set(key, made.id);
      if (out.path !== null && made.signingKey !== '')
        await out.keepAmong('WEBHOOK_SIGNING_KEYS', made.signingKey);
    });
  }
  for (const { condition, targets } of wanted.executions) {
    const shown = JSON.stringify(condition);
    const found = there.executions.find((each) => JSON.stringify(each.condition) === shown);
    const named = targets.map((name) => `target ${name}`);
    planOne(carrying, `execution of ${shown}`, found && { targets: found.targets }, { targets }, () =>
      setExecution(
        client,
        condition,
        named.map((key) => known(ids.get(key), key)),
      ),
    );
  }
  if (wanted.targets.length > 0)
    plan.notes.push(
      'signing keys of targets are made anew: WEBHOOK_SIGNING_KEYS of the gateway needs those of this instance',
    );
}
