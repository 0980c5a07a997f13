import * as z from 'zod';
import { createTarget, setExecution, updateTarget } from '../api/actions.ts';
import { Nothing, unlessUnchanged } from '../api/client.ts';
import { activateEmail, createSmtp, updateSmtp, type Smtp } from '../api/email.ts';
import { environment } from '../../terminal.ts';
import { known } from '../setup/plan.ts';
import { planOne, type Carrying } from './carrying.ts';
import { planLogin, planPolicies, planTexts } from './apply-policies.ts';
import { IDPS, mailKey } from './kinds.ts';
import type { Idp, Instance, Login, Mail } from './model.ts';

/** Identity providers on any sign-in page: `google Google`. */
export interface Shown {
  readonly there: ReadonlySet<string>;
  readonly wanted: ReadonlySet<string>;
}

/** Returns the identity providers that stay off sign-in pages, because they have no secret. */
export function planInstance(
  carrying: Carrying,
  there: Instance,
  wanted: Instance,
  shown: Shown,
): ReadonlySet<string> {
  const silent = new Set<string>();
  for (const idp of wanted.idps) {
    const name = `${idp.kind} ${idp.name}`;
    const found = there.idps.find((each) => each.kind === idp.kind && each.name === idp.name);
    const needsSecret = shown.wanted.has(name) && !shown.there.has(name);
    if (!planIdp(carrying, found, idp, needsSecret)) silent.add(name);
  }
  planPolicies(carrying, undefined, there.policies, wanted.policies);
  planLogin(carrying, undefined, there.login, shownOf(wanted.login, silent));
  planTexts(carrying, undefined, there.texts, wanted.texts);
  for (const mail of wanted.mail) planMail(carrying, there.mail, mail);
  planTargets(carrying, there, wanted);
  return silent;
}

export function shownOf(login: Login, silent: ReadonlySet<string>): Login {
  return { ...login, idps: login.idps.filter((name) => !silent.has(name)) };
}

/** The value of a reference; undefined where the file names none, or its variable is not set. */
function secretOf(reference: { readonly env: string } | undefined): string | undefined {
  const value = reference === undefined ? undefined : environment[reference.env];
  return value === '' ? undefined : value;
}

const Made = z.object({ id: z.string() });

/** Also Base64, as a private key has to be. */
const NOT_SET = 'dG8gYmUgc2V0';

/** Returns false where it has no secret, so that it belongs on no sign-in page. `needsSecret`: it is to come on one. */
function planIdp(
  carrying: Carrying,
  there: Idp | undefined,
  { kind, name, settings, secret }: Idp,
  needsSecret: boolean,
): boolean {
  const { client, ids, plan } = carrying;
  const key = `idp ${kind} ${name}`;
  const { secret: member, changedBy = 'PUT' } = Object.values(IDPS).find((each) => each.kind === kind) ?? {};
  const value = secretOf(secret) ?? '';
  const isReady = (there !== undefined && !needsSecret) || member === undefined || value !== '';
  if (!isReady)
    plan.notes.push(
      `identity provider ${name}: ${secret?.env ?? 'its secret'} is not set, so it has no secret and is on no sign-in page; set the variable, and import again`,
    );
  const call = { secrets: [value], right: 'iam.idp.write' };
  const path = `/admin/v1/idps/${kind}`;
  const make = async (): Promise<void> => {
    // Zitadel takes none without a secret.
    const filled = member === undefined ? {} : { [member]: value === '' ? NOT_SET : value };
    const body = { name, ...settings, ...filled };
    ids.set(key, (await client.call(Made, { ...call, method: 'POST', path, body })).id);
  };
  const change = async (): Promise<void> => {
    const body = { name, ...settings, ...(member !== undefined && value !== '' && { [member]: value }) };
    const at = `${path}/${known(ids.get(key), key)}`;
    await unlessUnchanged(client.call(Nothing, { ...call, method: changedBy, path: at, body }));
  };
  planOne(carrying, key, there?.settings, settings, there === undefined ? make : change);
  // Made by an import without its secret, which is there now.
  if (there !== undefined && needsSecret && member !== undefined && value !== '')
    plan.change(`secret of ${key}`, 'it is on no sign-in page yet', change);
  return isReady;
}

function planMail(
  carrying: Carrying,
  all: readonly Mail[],
  { description, active, smtp, password }: Mail,
): void {
  const { client, ids, plan } = carrying;
  const key = mailKey(smtp);
  const there = all.find((each) => mailKey(each.smtp) === key);
  const value = secretOf(password) ?? '';
  const whole: Smtp = {
    ...{ description, host: textOf(smtp['host']), tls: smtp['tls'] === true },
    ...{ senderAddress: textOf(smtp['senderAddress']), senderName: textOf(smtp['senderName']) },
    ...{ user: textOf(smtp['user']), replyToAddress: textOf(smtp['replyToAddress']) },
  };
  const write = async (): Promise<void> => {
    if (there === undefined) ids.set(key, await createSmtp(client, whole, value));
    else await updateSmtp(client, known(ids.get(key), key), whole, value);
  };
  planOne(
    carrying,
    key,
    there && { ...there.smtp, description: there.description },
    { ...smtp, description },
    write,
  );
  if (!active || there?.active === true) return;
  if (password !== undefined && value === '') {
    plan.notes.push(`${key}: ${password.env} is not set, so it has no password and is not active`);
    return;
  }
  // Made by an import without its password, which is there now.
  if (there !== undefined && password !== undefined)
    plan.change(`password of ${key}`, 'it is not active yet', write);
  plan.make(`${key}, active`, () => activateEmail(client, known(ids.get(key), key)));
}

function textOf(value: unknown): string {
  return typeof value === 'string' ? value : '';
}

function planTargets(carrying: Carrying, there: Instance, wanted: Instance): void {
  const { client, ids, plan, out, signingKeys } = carrying;
  for (const { name, settings } of wanted.targets) {
    const key = `target ${name}`;
    const signingKey = signingKeys.get(name);
    if (signingKey !== undefined) plan.values.push((to) => to.keepAmong('WEBHOOK_SIGNING_KEYS', signingKey));
    const found = there.targets.find((each) => each.name === name);
    planOne(carrying, key, found?.settings, settings, async () => {
      if (found !== undefined) {
        await updateTarget(client, known(ids.get(key), key), { name, ...settings });
        return;
      }
      const made = await createTarget(client, { name, ...settings });
      ids.set(key, made.id);
      if (made.signingKey !== '') await out.keepAmong('WEBHOOK_SIGNING_KEYS', made.signingKey);
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
