import type { EventStore, Payload, StoredEvent } from './events.ts';
import { isRemoved } from './organizations.ts';
import {
  NO_HASH,
  userAfter,
  type Machine,
  type NewUser,
  type Profile,
  type User,
  type UserState,
} from './user.ts';

export type { User, UserState } from './user.ts';

/** Zitadel would refuse the command. `status`: of HTTP. */
export class UserRefused extends Error {
  override readonly name = 'UserRefused';
  readonly status: 400 | 403 | 404 | 409 | 500;
  /** Zitadel's own, for those who look for it in its source. */
  readonly id: string;
  readonly reason: string;

  constructor(status: UserRefused['status'], reason: string, id: string) {
    super(`${reason} (${id})`);
    this.status = status;
    this.reason = reason;
    this.id = id;
  }
}

const UNKNOWN = 'User could not be found';

/** In which states a command is taken, and what Zitadel says in others. */
const COMMANDS = {
  deactivate: {
    type: 'user.deactivated',
    from: ['active', 'locked'],
    refusal: ['User already inactive', 'COMMAND-5gunjw0cd7'],
  },
  reactivate: {
    type: 'user.reactivated',
    from: ['inactive'],
    refusal: ['User is not inactive', 'COMMAND-s5qqcz97hf'],
  },
  lock: {
    type: 'user.locked',
    from: ['active'],
    refusal: ['User is not active or initial', 'COMMAND-lgws8wtsqf'],
  },
  unlock: { type: 'user.unlocked', from: ['locked'], refusal: ['User is not locked', 'COMMAND-olb9vb0oca'] },
} as const satisfies Record<
  string,
  { readonly type: string; readonly from: readonly UserState[]; readonly refusal: readonly [string, string] }
>;

/** Who the stand-in says did it; the id of the service account. */
export const EDITOR = '350000000000000001';
export const ORGANIZATION = '350000000000000002';

const FIRST_ID = 350_000_000_000_001_000n;

/** A user's life as events; each command answers with the user it made or changed. */
export class Users {
  readonly #store: EventStore;
  readonly #publish: (event: StoredEvent) => void;
  readonly #ids = new Set<string>();
  /** Living users by name, without regard to case. */
  readonly #names = new Map<string, string>();
  #made = 0n;
  #losing = false;

  constructor(store: EventStore, publish: (event: StoredEvent) => void) {
    this.#store = store;
    this.#publish = publish;
  }

  /** By an administrator or the API. */
  create(user: NewUser): User {
    return this.#add('user.human.added', user);
  }

  createMachine(user: Omit<NewUser, 'email'>): User {
    return this.#add('user.machine.added', user);
  }

  /** By the person, at the sign-in page. */
  selfRegister(user: NewUser): User {
    return this.#add('user.human.selfregistered', user);
  }

  /** Runs a command whose deliveries are lost on their way. */
  lost<T>(command: () => T): T {
    this.#losing = true;
    try {
      return command();
    } finally {
      this.#losing = false;
    }
  }

  /** As things stand now. */
  copy(): Pick<Users, 'ids' | 'has' | 'get'> {
    const users = new Map([...this.#ids].map((id) => [id, this.get(id)]));
    return { ids: [...users.keys()], has: (id) => users.has(id), get: (id) => users.get(id) ?? this.get(id) };
  }

  rename(id: string, userName: string): User {
    return this.#change(id, 'user.username.changed', { userName });
  }

  changeEmail(id: string, email: string): User {
    return this.#change(id, 'user.human.email.changed', { email });
  }

  verifyEmail(id: string): User {
    return this.#change(id, 'user.human.email.verified');
  }

  changeProfile(id: string, { givenName, familyName, displayName }: Partial<Profile>): User {
    const names = { firstName: givenName, lastName: familyName, displayName };
    const given = Object.fromEntries(Object.entries(names).filter(([, name]) => name !== undefined));
    return this.#change(id, 'user.human.profile.changed', given);
  }

  /** `hash`: bcrypt. */
  setPassword(id: string, hash: string): User {
    return this.#change(id, 'user.human.password.changed', { encodedHash: hash });
  }

  changeMachine(id: string, machine: Machine): User {
    return this.#change(id, 'user.machine.changed', { ...machine });
  }

  /** What happened to a user that has no command of its own here. */
  happened(id: string, type: string, payload: Payload): User {
    return this.#change(id, type, payload);
  }

  deactivate(id: string): User {
    return this.#command(id, 'deactivate');
  }

  reactivate(id: string): User {
    return this.#command(id, 'reactivate');
  }

  lock(id: string): User {
    return this.#command(id, 'lock');
  }

  unlock(id: string): User {
    return this.#command(id, 'unlock');
  }

  remove(id: string): User {
    if (this.get(id).state === 'removed') throw new UserRefused(404, UNKNOWN, 'COMMAND-bd4ir1mblj');
    return this.#change(id, 'user.removed');
  }

  /** Ids of everybody who is or was there, in the order of creation. */
  get ids(): Iterable<string> {
    return this.#ids;
  }

  /** The living user of a name. */
  named(userName: string): User | undefined {
    const id = this.#names.get(userName.toLowerCase());
    const user = id === undefined ? undefined : this.get(id);
    const same = user?.userName.toLowerCase() === userName.toLowerCase();
    return user !== undefined && user.state !== 'removed' && same ? user : undefined;
  }

  /** Also of one that was removed: tokens outlive their users. */
  has(id: string): boolean {
    return this.#store.of(id).length > 0;
  }

  /** Throws UserRefused when there never was such a user. */
  get(id: string): User {
    const user = userAfter(id, this.#store.of(id));
    if (user === undefined) throw new UserRefused(404, UNKNOWN, 'QUERY-Dfbg2');
    return isRemoved(this.#store, user.organization) ? { ...user, state: 'removed' } : user;
  }

  #add(type: string, user: NewUser): User {
    const { id = this.#nextId(), userName, organization = ORGANIZATION, emailVerified = true } = user;
    if (this.has(id) && this.get(id).state !== 'removed')
      throw new UserRefused(400, 'Errors.User.AlreadyExisting', 'COMMAND-7yiox1isql');
    const profile = user.profile ?? { givenName: userName, familyName: 'Example', displayName: userName };
    const machine = { userName, name: userName, ...user.machine };
    const human = {
      ...{ userName, firstName: profile.givenName, lastName: profile.familyName },
      displayName: profile.displayName,
      email: user.email ?? (userName.includes('@') ? userName : `${userName}@example.org`),
      encodedHash: user.hash ?? NO_HASH,
    };
    const verified = emailVerified ? [{ type: 'user.human.email.verified' }] : [];
    if (type === 'user.machine.added') this.#push(id, organization, [{ type, payload: machine }]);
    else this.#push(id, organization, [{ type, payload: human }, ...verified]);
    this.#ids.add(id);
    this.#names.set(userName.toLowerCase(), id);
    return this.get(id);
  }

  #command(id: string, name: keyof typeof COMMANDS): User {
    const { type, from, refusal } = COMMANDS[name];
    const states: readonly UserState[] = from;
    const { state } = this.get(id);
    if (state !== 'removed' && !states.includes(state)) throw new UserRefused(400, refusal[0], refusal[1]);
    return this.#change(id, type);
  }

  #change(id: string, type: string, payload?: Payload): User {
    const { state, organization } = this.get(id);
    if (state === 'removed') throw new UserRefused(404, UNKNOWN, 'QUERY-Dfbg2');
    this.#push(id, organization, [{ type, ...(payload && { payload }) }]);
    const user = this.get(id);
    this.#names.set(user.userName.toLowerCase(), id);
    return user;
  }

  #push(
    id: string,
    organization: string,
    events: readonly { readonly type: string; readonly payload?: Payload }[],
  ): void {
    const of = { aggregateType: 'user', aggregateId: id, organization, editor: EDITOR } as const;
    const stored = this.#store.push(events.map((event) => ({ ...of, ...event })));
    if (!this.#losing) for (const event of stored) this.#publish(event);
  }

  #nextId(): string {
    this.#made += 1n;
    return String(FIRST_ID + this.#made);
  }
}
