import type { Context } from 'hono';
import * as z from 'zod';
import { badSyntax, badValue, denied, KanidmRefused } from './faults.ts';
import type { NewEntry, Values } from './store.ts';

export const Attrs = z.record(z.string(), z.array(z.string()));
export type Attrs = z.output<typeof Attrs>;

/** HTML's own pattern of addresses. */
const HOST = '[a-zA-Z0-9](?:[a-zA-Z0-9-]{0,61}[a-zA-Z0-9])?';
const MAIL = new RegExp(`^[a-zA-Z0-9.!#$%&'*+/=?^_\`{|}~-]+@${HOST}(?:\\.${HOST})*$`);
const NAME = /^[a-z][a-z0-9-_.]{0,63}$/;
const RESERVED = ['root', 'nobody', 'nogroup', 'wheel', 'sshd', 'shadow', 'systemd'];
const TIME = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?(?:Z|[+-]\d\d:\d\d)$/;

export function nameOf(text: string): string {
  const name = text.toLowerCase();
  if (!NAME.test(name) || RESERVED.includes(name)) throw badSyntax('name');
  return name;
}

/** In lower case and with dashes, from any form of a uuid. Throws for the range of Kanidm's own entries. */
export function uuidOf(text: string): string {
  const hex = text.replaceAll(/[{}-]/g, '').toLowerCase();
  if (!/^[0-9a-f]{32}$/.test(hex) || hex.startsWith('0'.repeat(16))) throw denied();
  return hex.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5');
}

function shownName(text: string): string {
  if (text === '' || /\p{Cc}/u.test(text)) throw badSyntax('displayname');
  return text;
}

export function mailOf(text: string): string {
  if (!MAIL.test(text)) throw badValue('Invalid Email Address syntax');
  return text;
}

export function timeOf(text: string): string {
  if (!TIME.test(text)) throw badValue('Invalid DateTime (rfc3339) syntax');
  return new Date(text).toISOString().replace(/\.?0*Z$/, 'Z');
}

const FOREIGN = ['legalname', 'password_import', 'unix_password_import', 'primary_credential'];
const PERSON = ['name', 'displayname', 'mail', 'uuid', 'account_expire', 'account_valid_from', 'class'];

/** Throws for attributes that a person cannot have, or that no request may write. */
function mustBeOf(known: readonly string[], attrs: Attrs): void {
  for (const attribute of Object.keys(attrs)) {
    if (attribute === 'spn') throw badValue('SPNs are generated and not able to be set.');
    if (FOREIGN.includes(attribute)) throw denied();
    if (!known.includes(attribute)) throw new KanidmRefused(400, { invalidattributename: attribute });
  }
}

export function personOf(attrs: Attrs): NewEntry {
  mustBeOf(PERSON, attrs);
  const { name = [], displayname = [], uuid: [uuid] = [] } = attrs;
  const id = uuid === undefined ? {} : { uuid: uuidOf(uuid) };
  const [only] = name;
  if (only === undefined || name.length > 1) throw new KanidmRefused(500, 'invalidentrystate');
  const named = nameOf(only);
  if (displayname.length === 0)
    throw new KanidmRefused(400, { schemaviolation: { missingmustattribute: ['displayname'] } });
  return { kind: 'person', name: named, ...id, ...valuesOf(attrs) };
}

/** Values of a person as they are to become. */
export function valuesOf(attrs: Attrs): Values {
  const { displayname, mail, account_expire: expire, account_valid_from: from } = attrs;
  return {
    ...(displayname?.[0] !== undefined && { displayname: shownName(displayname[0]) }),
    ...(mail && { mail: mail.map(mailOf) }),
    ...(expire?.[0] !== undefined && { expire: timeOf(expire[0]) }),
    ...(from?.[0] !== undefined && { validFrom: timeOf(from[0]) }),
  };
}

export function changesOf(attrs: Attrs): Values & { readonly name?: string } {
  if (attrs['uuid'] !== undefined) throw denied();
  mustBeOf(PERSON, attrs);
  const [name] = attrs['name'] ?? [];
  return { ...valuesOf(attrs), ...(name !== undefined && { name: nameOf(name) }) };
}

/** The JSON body of a request. Throws KanidmRefused as Kanidm answers where there is none, or one of another shape. */
export async function bodyOf<T>(c: Context, shape: z.ZodType<T>): Promise<T> {
  if (c.req.header('content-type')?.startsWith('application/json') !== true)
    throw new KanidmRefused(415, 'Expected request with `Content-Type: application/json`');
  const text = await c.req.text();
  let body: unknown;
  try {
    body = JSON.parse(text);
  } catch {
    throw new KanidmRefused(400, 'Failed to parse the request body as JSON');
  }
  const parsed = shape.safeParse(body);
  if (!parsed.success)
    throw new KanidmRefused(422, 'Failed to deserialize the JSON body into the target type');
  return parsed.data;
}
