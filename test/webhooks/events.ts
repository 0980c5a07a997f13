import type { StorableEvent } from '../../functions/webhooks/event.ts';
import { IGNORED, parseEvent } from '../../functions/webhooks/receive/parse.ts';
import type { Issuer } from '../../shared/identity/subjects.ts';

export const ISSUER: Issuer = {
  name: 'zitadel',
  url: 'https://id.example.org',
  sharedSubjects: true,
};

export interface EnvelopeOptions {
  readonly user?: string;
  readonly sequence?: number;
  readonly type?: string;
  readonly payload?: unknown;
  readonly instance?: string;
  readonly organization?: string;
  readonly createdAt?: string;
}

/** A delivery's body as Zitadel writes it. */
export function envelope(options: EnvelopeOptions = {}): Record<string, unknown> {
  return {
    aggregateID: options.user ?? 'u1',
    aggregateType: options.type?.startsWith('org.') === true ? 'org' : 'user',
    resourceOwner: options.organization ?? 'org1',
    instanceID: options.instance ?? 'instance1',
    version: 'v2',
    sequence: options.sequence ?? 1,
    event_type: options.type ?? 'user.human.added',
    created_at: options.createdAt ?? '2026-01-01T00:00:00.123456789Z',
    userID: 'editor',
    ...(options.payload !== undefined && { event_payload: options.payload }),
  };
}

export function eventOf(options: EnvelopeOptions = {}): StorableEvent {
  const event = parseEvent(envelope(options), ISSUER);
  if (event === IGNORED) throw new Error('nothing handles this type');
  return event;
}
