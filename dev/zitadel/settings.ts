import { randomBytes } from 'node:crypto';
import type { EventStore } from './events.ts';

export type Json = Readonly<Record<string, unknown>>;

export interface Entry {
  readonly id: string;
  /** As a list shows it, without id and details. */
  value: Json;
}

export interface Member {
  readonly userId: string;
  roles: readonly string[];
  readonly userType: string;
  readonly userResourceOwner: string;
  readonly preferredLoginName: string;
}

export interface Pat {
  readonly id: string;
  readonly userId: string;
  readonly created: string;
  readonly expires: string;
  readonly token: string;
}

export interface Execution {
  readonly condition: Json;
  targets: readonly string[];
}

/** What lists show; of each kind in the order of creation. */
export interface State {
  readonly members: Member[];
  readonly pats: Pat[];
  readonly email: Entry[];
  readonly idps: Entry[];
  readonly targets: Entry[];
  readonly executions: Execution[];
  /** By the project. */
  readonly projects: Map<string, Json>;
  readonly apps: Map<string, Entry[]>;
  /** By the kind, and by the organisation, where one has its own: `login`, `login 350…`. */
  readonly policies: Map<string, Json>;
}

export type Listed = keyof State;

/** Larger than a number holds exactly. */
const FIRST_ID = 350_000_000_000_700_000n;
const EDITOR = '350000000000000001';

const LOGIN: Json = {
  allowUsernamePassword: true,
  allowRegister: true,
  allowExternalIdp: true,
  passwordlessType: 'PASSWORDLESS_TYPE_ALLOWED',
  passwordCheckLifetime: '864000s',
  externalLoginCheckLifetime: '864000s',
  mfaInitSkipLifetime: '2592000s',
  secondFactorCheckLifetime: '64800s',
  multiFactorCheckLifetime: '43200s',
  secondFactors: ['SECOND_FACTOR_TYPE_OTP', 'SECOND_FACTOR_TYPE_U2F'],
  multiFactors: ['MULTI_FACTOR_TYPE_U2F_WITH_VERIFICATION'],
  allowDomainDiscovery: true,
};

/** Settings of the instance and of projects. Lists may lag behind what was written, as those of Zitadel may. */
export class Settings {
  readonly now: State;
  readonly #lag: boolean;
  readonly #store: EventStore;
  readonly #instanceId: string;
  readonly #kept = new Map<Listed, State>();
  #made = 0n;
  #sequence = 30;

  constructor(store: EventStore, instanceId: string, organization: string, lag: boolean) {
    this.#store = store;
    this.#instanceId = instanceId;
    this.#lag = lag;
    this.now = {
      ...{ pats: [], email: [], idps: [], targets: [], executions: [], projects: new Map(), apps: new Map() },
      policies: new Map([['login', LOGIN]]),
      members: [
        member(EDITOR, 'TYPE_MACHINE', organization, 'service-account'),
        member('350000000000000003', 'TYPE_HUMAN', organization, 'zitadel-admin@stand-in.localhost'),
      ],
    };
  }

  /** For one list: with `lag` the first of a kind after a command is as old as the command. */
  view<Kind extends Listed>(kind: Kind): State[Kind] {
    const state = this.#kept.get(kind) ?? this.now;
    this.#kept.delete(kind);
    return state[kind];
  }

  beforeCommand(): void {
    if (!this.#lag) return;
    const copy = structuredClone(this.now);
    for (const kind of Object.keys(this.now) as Listed[])
      if (!this.#kept.has(kind)) this.#kept.set(kind, copy);
  }

  nextId(): string {
    this.#made += 1n;
    return String(FIRST_ID + this.#made);
  }

  secret(): string {
    return randomBytes(32).toString('base64url');
  }

  /** zitadel.v1.ObjectDetails. */
  details(kind: 'creation' | 'change', owner = this.#instanceId): Json {
    this.#sequence += 1;
    const date = new Date().toISOString();
    return {
      sequence: String(this.#sequence),
      ...(kind === 'creation' ? { creationDate: date } : { changeDate: date }),
      resourceOwner: owner,
    };
  }

  /** An event of the instance. */
  happened(type: string, payload: Json): void {
    const id = this.#instanceId;
    this.#store.push([
      { aggregateType: 'instance', aggregateId: id, organization: id, editor: EDITOR, type, payload },
    ]);
  }
}

function member(
  userId: string,
  userType: string,
  userResourceOwner: string,
  preferredLoginName: string,
): Member {
  return { userId, roles: ['IAM_OWNER'], userType, userResourceOwner, preferredLoginName };
}

export function without(value: Json, ...names: readonly string[]): Json {
  return Object.fromEntries(Object.entries(value).filter(([name]) => !names.includes(name)));
}

/** As protobuf's JSON writes it: without what is false, empty or the first of an enumeration. */
export function proto(value: Json, first: readonly string[] = []): Json {
  return Object.fromEntries(
    Object.entries(value).flatMap(([name, each]) => {
      const empty =
        each === false || each === '' || each === undefined || (Array.isArray(each) && each.length === 0);
      return empty || (typeof each === 'string' && first.includes(each)) ? [] : [[name, each]];
    }),
  );
}

/** A page of a list of the v1 APIs. Protobuf leaves out a list that is empty. */
export function page(found: readonly object[], query: unknown): Json {
  const { offset = 0, limit = 100 } = (query ?? {}) as { offset?: number | string; limit?: number };
  const shown = found.slice(Number(offset), Number(offset) + limit);
  const viewTimestamp = new Date().toISOString();
  if (found.length === 0) return { details: { viewTimestamp } };
  return {
    details: { totalResult: String(found.length), viewTimestamp },
    ...(shown.length > 0 && { result: shown }),
  };
}
