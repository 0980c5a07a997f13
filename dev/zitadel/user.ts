import type { StoredEvent } from './events.ts';

export type UserState = 'active' | 'inactive' | 'locked' | 'removed';

export interface Profile {
  readonly givenName: string;
  readonly familyName: string;
  readonly displayName: string;
}

export interface User {
  readonly id: string;
  readonly organization: string;
  readonly state: UserState;
  readonly userName: string;
  readonly profile: Profile;
  /** Undefined of a machine. */
  readonly email: string | undefined;
  readonly emailVerified: boolean;
  /** bcrypt; undefined: no password. */
  readonly hash: string | undefined;
  /** Undefined of people. */
  readonly machine: Machine | undefined;
  readonly events: readonly StoredEvent[];
}

/** Protobuf leaves out what is empty, and the first of an enumeration. */
export interface Machine {
  readonly name: string;
  readonly description?: string;
  readonly accessTokenType?: string;
}

export interface NewUser {
  readonly userName: string;
  /** Made up when absent. */
  readonly id?: string;
  readonly email?: string;
  /** Default true. */
  readonly emailVerified?: boolean;
  readonly profile?: Profile;
  readonly hash?: string;
  readonly organization?: string;
  /** Of a machine; default: its name is that of the user. */
  readonly machine?: Machine;
}

/** In event payloads of people without a password: as the real one does, the hash goes out with the event. */
export const NO_HASH = '$2a$04$standinstandinstandinOhsecrethashofnobody';

const CREATIONS: readonly string[] = ['user.human.added', 'user.human.selfregistered', 'user.machine.added'];

const STATES: Readonly<Record<string, UserState>> = {
  'user.deactivated': 'inactive',
  'user.reactivated': 'active',
  'user.locked': 'locked',
  'user.unlocked': 'active',
  'user.removed': 'removed',
};

/** A user after what happened to them; undefined where nothing did. */
export function userAfter(id: string, events: readonly StoredEvent[]): User | undefined {
  const born = events.findLastIndex(({ type }) => CREATIONS.includes(type));
  const [first, ...rest] = events.slice(Math.max(born, 0));
  if (first === undefined) return undefined;
  const { payload = {}, organization } = first;
  const userName = text(payload['userName']) ?? 'undefined';
  const email = text(payload['email']);
  const user: User = {
    ...{ id, organization, state: 'active', userName, email, events, emailVerified: false },
    profile: profileIn(payload, { givenName: userName, familyName: 'Example', displayName: userName }),
    hash: hashIn(payload),
    machine: first.type === 'user.machine.added' ? machineIn(payload, { name: userName }) : undefined,
  };
  return rest.reduce(applied, user);
}

function applied(user: User, { type, payload = {} }: StoredEvent): User {
  const email = text(payload['email']) ?? user.email;
  const verified = type === 'user.human.email.verified';
  return {
    ...user,
    state: STATES[type] ?? user.state,
    userName: text(payload['userName']) ?? user.userName,
    email,
    emailVerified: verified || (user.emailVerified && type !== 'user.human.email.changed'),
    profile: profileIn(payload, user.profile),
    hash: hashIn(payload) ?? user.hash,
    machine: user.machine && machineIn(payload, user.machine),
  };
}

function machineIn(payload: Readonly<Record<string, unknown>>, before: Machine): Machine {
  const description = text(payload['description']) ?? before.description;
  const type = text(payload['accessTokenType']) ?? before.accessTokenType;
  return {
    name: text(payload['name']) ?? before.name,
    ...(description !== undefined && description !== '' && { description }),
    ...(type === 'ACCESS_TOKEN_TYPE_JWT' && { accessTokenType: type }),
  };
}

function profileIn(payload: Readonly<Record<string, unknown>>, before: Profile): Profile {
  return {
    givenName: text(payload['firstName']) ?? before.givenName,
    familyName: text(payload['lastName']) ?? before.familyName,
    displayName: text(payload['displayName']) ?? before.displayName,
  };
}

function hashIn(payload: Readonly<Record<string, unknown>>): string | undefined {
  const hash = text(payload['encodedHash']);
  return hash === NO_HASH ? undefined : hash;
}

function text(value: unknown): string | undefined {
  return typeof value === 'string' ? value : undefined;
}
