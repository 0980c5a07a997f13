import { createHmac } from 'node:crypto';
import type { StoredEvent } from './events.ts';
import type { User, UserState } from './user.ts';

/** The body of a delivery to an Actions v2 target. */
export function toDelivery(event: StoredEvent, instanceID: string): Readonly<Record<string, unknown>> {
  return {
    aggregateID: event.aggregateId,
    aggregateType: event.aggregateType,
    resourceOwner: event.organization,
    instanceID,
    version: event.aggregateType === 'user' ? 'v2' : 'v1',
    sequence: event.sequence,
    event_type: event.type,
    // Go's RFC3339Nano: no zeros at the end, and no fraction that is 0.
    created_at: event.creationDate.replace(/\.?0*Z$/, 'Z'),
    userID: event.editor,
    ...(event.payload !== undefined && { event_payload: event.payload }),
  };
}

/** Value of ZITADEL-Signature. `time`: milliseconds since the epoch. */
export function signature(body: string, signingKey: string, time: number): string {
  const seconds = Math.floor(time / 1000);
  const digest = createHmac('sha256', signingKey).update(`${seconds}.${body}`).digest('hex');
  return `t=${seconds},v1=${digest}`;
}

/** zitadel.event.v1.Event; 64-bit numbers are strings in protobuf's JSON. */
export function toEventMessage(event: StoredEvent): Readonly<Record<string, unknown>> {
  return {
    editor: { userId: event.editor, displayName: 'service account', service: 'zitadel' },
    aggregate: {
      id: event.aggregateId,
      type: AGGREGATES[event.aggregateType],
      resourceOwner: event.organization,
    },
    sequence: String(event.sequence),
    creationDate: toTimestamp(event.creationDate),
    ...(event.payload !== undefined && { payload: event.payload }),
    type: {
      type: event.type,
      localized: { key: `EventTypes.${event.type}`, localizedMessage: event.type },
    },
  };
}

const AGGREGATES = {
  user: { type: 'user', localized: { key: 'AggregateTypes.user', localizedMessage: 'User' } },
  org: { type: 'org', localized: { key: 'AggregateTypes.org', localizedMessage: 'Organization' } },
  instance: {
    type: 'instance',
    localized: { key: 'AggregateTypes.instance', localizedMessage: 'Instance' },
  },
};

/** google.protobuf.Timestamp in JSON: 0, 3 or 6 digits of a second. */
export function toTimestamp(date: string | undefined): string | undefined {
  return date?.replace(/000Z$/, 'Z').replace(/\.000Z$/, 'Z');
}

const STATES: Readonly<Record<UserState, string>> = {
  active: 'USER_STATE_ACTIVE',
  inactive: 'USER_STATE_INACTIVE',
  locked: 'USER_STATE_LOCKED',
  removed: 'USER_STATE_DELETED',
};

/** zitadel.object.v2.Details. */
export function toDetails(user: User): Readonly<Record<string, unknown>> {
  const [first, last] = [user.events.at(0), user.events.at(-1)];
  return {
    sequence: String(last?.sequence ?? 0),
    creationDate: toTimestamp(first?.creationDate),
    changeDate: toTimestamp(last?.creationDate),
    resourceOwner: user.organization,
  };
}

/** zitadel.user.v2.User. */
export function toUserMessage(user: User): Readonly<Record<string, unknown>> {
  return {
    userId: user.id,
    details: toDetails(user),
    state: STATES[user.state],
    username: user.userName,
    loginNames: [user.userName],
    preferredLoginName: user.userName,
    ...(user.machine !== undefined
      ? { machine: user.machine }
      : {
          human: {
            profile: {
              givenName: user.profile.givenName,
              familyName: user.profile.familyName,
              nickName: '',
              displayName: user.profile.displayName,
              preferredLanguage: 'und',
              gender: 'GENDER_UNSPECIFIED',
            },
            // Protobuf leaves out what is false.
            email: { email: user.email, ...(user.emailVerified && { isVerified: true }) },
            phone: {},
          },
        }),
  };
}
