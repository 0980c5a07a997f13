import type { EventStore, Payload, StoredEvent } from './events.ts';

export type UserState = 'active' | 'inactive' | 'locked' | 'removed';

export interface User {
  readonly id: string;
  readonly organization: string;
  readonly state: UserState;
  readonly userName: string;
  readonly email: string;
  readonly events: readonly StoredEvent[];
}

export interface NewUser {
  readonly userName: string;
  /** Made up when absent. */
  readonly id?: string;
  readonly email?: string;
  readonly organization?: string;
}

/** Zitadel would refuse the command: no such user, or not in this state. */
export class UserRefused extends Error {
  override readonly name = 'UserRefused';
  readonly status: 404 | 400;

  constructor(status: 404 | 400, message: string) {
    super(message);
    this.status = status;
  }
}

/** Who the stand-in says did it; the id of the service account. */
export const EDITOR = '350000000000000001';
export const ORGANIZATION = '350000000000000002';

const FIRST_ID = 350_000_000_000_001_000n;

/** A user's life as events; each command answers with the user it made or changed. */
export class Users {
  readonly #store: EventStore;
  readonly #publish: (event: StoredEvent) => void;
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

  rename(id: string, userName: string): User {
    return this.#change(id, LIVING, 'user.username.changed', { userName });
  }

  changeEmail(id: string, email: string): User {
    return this.#change(id, LIVING, 'user.human.email.changed', { email });
  }

  deactivate(id: string): User {
    return this.#change(id, ['active', 'locked'], 'user.deactivated');
  }

  reactivate(id: string): User {
    return this.#change(id, ['inactive'], 'user.reactivated');
  }

  lock(id: string): User {
    return this.#change(id, ['active'], 'user.locked');
  }

  unlock(id: string): User {
    return this.#change(id, ['locked'], 'user.unlocked');
  }

  remove(id: string): User {
    return this.#change(id, LIVING, 'user.removed');
  }

  /** Also of one that was removed: tokens outlive their users. */
  has(id: string): boolean {
    return this.#store.of(id).length > 0;
  }

  /** Throws UserRefused when there never was such a user. */
  get(id: string): User {
    const [first, ...rest] = this.#store.of(id);
    if (first === undefined) throw new UserRefused(404, 'User could not be found (QUERY-Dfbg2)');
    return rest.reduce(applied, {
      id,
      organization: first.organization,
      state: 'active',
      userName: String(first.payload?.['userName']),
      email: String(first.payload?.['email']),
      events: [first],
    });
  }

  #add(type: string, { id = this.#nextId(), userName, email, organization = ORGANIZATION }: NewUser): User {
    if (this.has(id)) throw new UserRefused(400, 'User already exists (COMMAND-7yiox1isql)');
    const address = email ?? (userName.includes('@') ? userName : `${userName}@example.org`);
    const names = { userName, firstName: userName, lastName: 'Example', displayName: userName };
    // As the real one does, the hash of the password goes out with the event.
    const payload = {
      ...names,
      email: address,
      encodedHash: '$2a$04$standinstandinstandinOhsecrethashofnobody',
    };
    this.#append(id, organization, type, payload);
    this.#append(id, organization, 'user.human.email.verified');
    return this.get(id);
  }

  #change(id: string, allowed: readonly UserState[], type: string, payload?: Payload): User {
    const { state, organization } = this.get(id);
    if (!allowed.includes(state)) throw new UserRefused(400, `User is ${state} (COMMAND-refused)`);
    this.#append(id, organization, type, payload);
    return this.get(id);
  }

  #append(userId: string, organization: string, type: string, payload?: Payload): void {
    const event = { userId, organization, type, editor: EDITOR, ...(payload && { payload }) };
    const stored = this.#store.append(event);
    if (!this.#losing) this.#publish(stored);
  }

  #nextId(): string {
    this.#made += 1n;
    return String(FIRST_ID + this.#made);
  }
}

const LIVING: readonly UserState[] = ['active', 'inactive', 'locked'];

const STATES: Readonly<Record<string, UserState>> = {
  'user.deactivated': 'inactive',
  'user.reactivated': 'active',
  'user.locked': 'locked',
  'user.unlocked': 'active',
  'user.removed': 'removed',
};

function applied(user: User, event: StoredEvent): User {
  const { userName = user.userName, email = user.email } = event.payload ?? {};
  return {
    ...user,
    state: STATES[event.type] ?? user.state,
    userName: String(userName),
    email: String(email),
    events: [...user.events, event],
  };
}
