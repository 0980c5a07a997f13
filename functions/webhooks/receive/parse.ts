import * as z from 'zod';
import { createHash } from 'node:crypto';
import type { Issuer } from '../../../shared/identity/subjects.ts';
import { Refusal } from '../../../shared/errors.ts';
import { prove } from '../../../shared/proof.ts';
import { faultOfSubject, isPrintable, organizationSubject } from '../../../shared/identity/subjects.ts';
import {
  deliveredKindOf,
  type JsonObject,
  type JsonValue,
  type Kind,
  type Source,
  type StorableEvent,
} from '../event.ts';

const storable = prove<'parsed'>();

/** A well-formed event of an unhandled type: group subscriptions send them. */
export const IGNORED = Symbol('ignored');

const payloadObject = z.record(z.string(), z.unknown());

/** Differs by release: an object, base64 of its JSON, or absent for an event without one. */
const payload = z
  .union([
    payloadObject,
    z.literal('').transform(() => ({})),
    z.base64().transform(decodeBase64).pipe(payloadObject),
  ])
  .nullish()
  .transform((value) => value ?? {});

/** A JSON number, or protobuf's decimal text of one. Nothing else is coerced. */
const sequence = z
  .union([
    z.number(),
    z
      .string()
      .regex(/^[1-9]\d{0,15}$/)
      .transform(Number),
  ])
  .pipe(z.int().min(1));

/** Before Zitadel existed, and the last that four digits of a year hold in Postgres and JavaScript: with an offset, 9999 may be 10000. */
const FIRST_DATE = Date.UTC(2000, 0, 1);
const LAST_DATE = Date.UTC(9999, 11, 31, 23, 59, 59, 999);

const date = z.iso
  .datetime({ offset: true })
  .transform((text) => new Date(text))
  .refine((at) => at.getTime() >= FIRST_DATE && at.getTime() <= LAST_DATE, 'is not the date of an event');

/** An Actions v2 target's delivery of an event, in Zitadel's casing. */
const envelope = z.object({
  aggregateID: z.string(),
  aggregateType: z.string().min(1).max(200),
  resourceOwner: z.string().max(255).nullish(),
  instanceID: z.string().min(1).max(255).refine(isPrintable),
  sequence,
  event_type: z.string().min(1).max(200),
  created_at: date.nullish(),
  event_payload: payload,
});

/** Parses a delivered event, or one of the same shape. Throws Refusal `invalid_request` for anything malformed. */
export function parseEvent(
  body: unknown,
  issuer: Issuer,
  source: Source = 'event',
): StorableEvent | typeof IGNORED {
  const parsed = envelope.safeParse(body);
  if (!parsed.success) throw malformed(faultOf(parsed.error));
  const { data } = parsed;
  const kind = deliveredKindOf(data.event_type);
  if (kind === undefined) return IGNORED;
  return storable({
    key: { instanceId: data.instanceID, sequence: data.sequence },
    source,
    type: data.event_type,
    kind,
    subject: subjectOf(data, kind, issuer),
    organization: organizationOf(data.resourceOwner),
    payload: redacted(data.event_payload),
    occurredAt: data.created_at ?? null,
  });
}

/** Throws Refusal `invalid_request` where the aggregate does not match the event type. */
function subjectOf(
  { aggregateID, aggregateType }: z.output<typeof envelope>,
  kind: Kind,
  issuer: Issuer,
): string {
  const wanted = kind === 'organization_removed' ? 'org' : 'user';
  if (aggregateType !== wanted) throw malformed(`aggregateType is not ${wanted}`);
  if (wanted === 'user') {
    const fault = faultOfSubject(issuer, aggregateID);
    if (fault !== undefined) throw malformed(`aggregateID ${fault}`);
    return aggregateID;
  }
  if (!isPrintable(aggregateID)) throw malformed('aggregateID is not usable');
  return organizationSubject(aggregateID);
}

/**
 * Bodies of Actions v1 scripts. Other fields are dropped, not refused: the event would not be sent again.
 * `eventId` distinguishes two equal events, where a script can name it.
 */
const scriptBody = z.object({
  userId: z.string(),
  userName: z.string().max(1000).nullish(),
  userType: z.union([z.string().max(50), z.number()]).nullish(),
  email: z.string().max(1000).nullish(),
  organizationId: z.string().max(255).nullish(),
  eventId: z.string().max(255).nullish(),
});

export type ScriptEvent = 'created' | 'updated' | 'deleted';

/** Parses a script's event. Throws Refusal `invalid_request` for anything malformed. */
export function parseScript(event: ScriptEvent, body: unknown, issuer: Issuer): StorableEvent {
  const parsed = scriptBody.safeParse(body);
  if (!parsed.success) throw malformed(faultOf(parsed.error));
  const { userId, organizationId, ...rest } = parsed.data;
  const fault = faultOfSubject(issuer, userId);
  if (fault !== undefined) throw malformed(`userId ${fault}`);
  return storable({
    key: { digest: digestOf(event, parsed.data) },
    source: 'script',
    type: `script.user.${event}`,
    kind: SCRIPT_KINDS[event],
    subject: userId,
    organization: organizationOf(organizationId),
    payload: redacted(rest),
    occurredAt: null,
  });
}

const SCRIPT_KINDS = { created: 'created', updated: 'changed', deleted: 'removed' } as const;

/** SHA-256 over the event and the fields in this order, as a JSON array; docs/webhooks.md documents it. */
function digestOf(event: ScriptEvent, body: z.output<typeof scriptBody>): string {
  const { userId, userName, userType, email, organizationId, eventId } = body;
  const fields = [userId, userName, userType, email, organizationId, eventId];
  const text = JSON.stringify([event, ...fields.map((field) => field ?? null)]);
  return createHash('sha256').update(text).digest('hex');
}

/** Null for an organisation that is not valid in an OpenFGA identifier. */
function organizationOf(text: string | null | undefined): string | null {
  return typeof text === 'string' && isPrintable(text) ? text : null;
}

function redacted(object: Readonly<Record<string, unknown>>): JsonObject {
  try {
    return redact(object);
  } catch (cause) {
    throw malformed('event_payload is nested too deeply', cause);
  }
}

function decodeBase64(text: string, context: z.RefinementCtx): unknown {
  try {
    const bytes = Uint8Array.from(atob(text), (character) => character.charCodeAt(0));
    return JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes));
  } catch {
    context.addIssue({ code: 'custom', message: 'base64, but not of JSON' });
    return z.NEVER;
  }
}

/** The first faulty field. Values are not quoted. */
function faultOf({ issues }: z.ZodError): string {
  const [issue] = issues;
  return `${issue?.path.join('.') ?? ''} ${issue?.message ?? 'is wrong'}`.trim();
}

/** `detail` names the fault to the sender. */
export function malformed(problem: string, cause?: unknown): Refusal {
  return new Refusal('invalid_request', 'malformed webhook body', {
    detail: `The body is not an event: ${problem}`,
    cause,
  });
}

/** Substrings of names that hold secrets in Zitadel's events: encodedHash, hashedPassword, clientSecret, verificationCode, … */
const SECRET_NAME = /hash|passw|secret|token|credential|otp|code$|private_?key|signature/i;

/** A password hash under any other name: PHC and modular crypt strings. */
const HASH_VALUE = /^\$(?:argon2|2[abxy]?\$|scrypt|pbkdf2|[1567]\$|[PHS]\$)/;

/** Beyond this an event is not one of Zitadel's. */
const MAX_DEPTH = 32;

/** A copy of parsed JSON without secrets at any depth, storable in Postgres. Throws RangeError beyond MAX_DEPTH. */
function redact(object: Readonly<Record<string, unknown>>): JsonObject {
  return redactObject(object, 0);
}

function redactObject(object: object, depth: number): JsonObject {
  return Object.fromEntries(
    Object.entries(object).flatMap(([name, value]) =>
      SECRET_NAME.test(name) ? [] : [[storableText(name), redactValue(value, depth + 1)]],
    ),
  );
}

function redactValue(value: unknown, depth: number): JsonValue {
  if (depth > MAX_DEPTH) throw new RangeError('nested too deeply');
  if (typeof value === 'string') return HASH_VALUE.test(value) ? null : storableText(value);
  if (typeof value === 'number' || typeof value === 'boolean') return value;
  if (Array.isArray(value)) return value.map((item: unknown) => redactValue(item, depth + 1));
  return typeof value === 'object' && value !== null ? redactObject(value, depth) : null;
}

/** jsonb takes neither NUL nor half a surrogate pair. */
function storableText(text: string): string {
  return text.replaceAll('\0', '').replace(/\p{Surrogate}/gu, '\uFFFD');
}
