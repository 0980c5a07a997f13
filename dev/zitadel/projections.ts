import type { Grants } from './grants.ts';
import type { Organizations } from './organizations.ts';
import type { Users } from './users.ts';

/** What lists are made of. */
export interface Views {
  readonly users: Pick<Users, 'ids' | 'has' | 'get'>;
  readonly organizations: Pick<Organizations, 'all'>;
  readonly grants: Pick<Grants, 'of' | 'project'>;
}

const KINDS = ['users', 'organizations', 'grants'] as const satisfies readonly (keyof Views)[];

/**
 * Zitadel lists from projections of its events, which lag behind what was written; a single user is read from the events. With `lag` the
 * first list of each kind after a command is as old as the command before it: the next one has caught up.
 */
export class Projections {
  readonly #live: Views;
  readonly #lag: boolean;
  readonly #copies: () => Views;
  readonly #kept = new Map<keyof Views, Views>();

  constructor(live: { readonly [Kind in keyof Views]: Views[Kind] & { copy(): Views[Kind] } }, lag: boolean) {
    this.#live = live;
    this.#lag = lag;
    this.#copies = () => ({
      users: live.users.copy(),
      organizations: live.organizations.copy(),
      grants: live.grants.copy(),
    });
  }

  beforeCommand(): void {
    if (!this.#lag || this.#kept.size === KINDS.length) return;
    const views = this.#copies();
    for (const kind of KINDS) if (!this.#kept.has(kind)) this.#kept.set(kind, views);
  }

  /** For one list. */
  of<Kind extends keyof Views>(kind: Kind): Views[Kind] {
    const views = this.#kept.get(kind) ?? this.#live;
    this.#kept.delete(kind);
    return views[kind];
  }
}
