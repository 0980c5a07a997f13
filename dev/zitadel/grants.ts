import { UserRefused } from './users.ts';

export interface Authorization {
  readonly id: string;
  readonly userId: string;
  readonly projectId: string;
  readonly organizationId: string;
  roleKeys: readonly string[];
}

interface Project {
  readonly id: string;
  readonly name: string;
  readonly organizationId: string;
  readonly roles: Map<string, string>;
}

/** Larger than a number holds exactly. */
const FIRST_ID = 350_000_000_000_800_000n;

/** Projects, their roles, and who has them. */
export class Grants {
  readonly #projects = new Map<string, Project>();
  readonly #authorizations = new Map<string, Authorization>();
  /** Of a user, by project. */
  readonly #byUser = new Map<string, Authorization[]>();
  /** Of a role, by its project and key. */
  readonly #groups = new Map<string, string>();
  #made = 0n;

  createProject(organizationId: string, name: string): string {
    const taken = [...this.#projects.values()].some(
      (each) => each.name === name && each.organizationId === organizationId,
    );
    if (taken) throw new UserRefused(409, 'Project already exists on organization', 'V3-DKcYh');
    const id = this.#nextId();
    this.#projects.set(id, { id, name, organizationId, roles: new Map() });
    return id;
  }

  project(id: string): Project {
    const project = this.#projects.get(id);
    if (project === undefined) throw new UserRefused(404, 'Project could not be found', 'QUERY-fk2fs');
    return project;
  }

  addRole(projectId: string, key: string, displayName: string, group = ''): void {
    const { roles } = this.project(projectId);
    if (roles.has(key)) throw new UserRefused(409, 'Project role already exists', 'V3-DKcYh');
    roles.set(key, displayName);
    this.#groups.set(`${projectId} ${key}`, group);
  }

  changeRole(projectId: string, key: string, displayName: string, group: string): void {
    const { roles } = this.project(projectId);
    if (!roles.has(key)) throw new UserRefused(404, "Role doesn't exist", 'COMMAND-2M0fs');
    roles.set(key, displayName);
    this.#groups.set(`${projectId} ${key}`, group);
  }

  groupOf(projectId: string, key: string): string {
    return this.#groups.get(`${projectId} ${key}`) ?? '';
  }

  #mustBeRoles(projectId: string, keys: readonly string[]): void {
    const { roles } = this.project(projectId);
    if (keys.every((key) => roles.has(key))) return;
    throw new UserRefused(400, "Role doesn't exist", 'COMMAND-mm9F4');
  }

  authorize(request: Omit<Authorization, 'id'>): Authorization {
    const { userId, projectId, organizationId, roleKeys } = request;
    this.#mustBeRoles(projectId, roleKeys);
    const same = this.of(userId).some(
      (each) => each.projectId === projectId && each.organizationId === organizationId,
    );
    if (same) throw new UserRefused(409, 'User grant already exists', 'V3-DKcYh');
    const authorization = { id: this.#nextId(), ...request };
    this.#authorizations.set(authorization.id, authorization);
    this.#byUser.set(userId, [...this.of(userId), authorization]);
    return authorization;
  }

  of(userId: string): readonly Authorization[] {
    return this.#byUser.get(userId) ?? [];
  }

  /** As things stand now. */
  copy(): Pick<Grants, 'of' | 'project'> {
    const projects = new Map(
      [...this.#projects].map(([id, each]) => [id, { ...each, roles: new Map(each.roles) }]),
    );
    const byUser = new Map([...this.#byUser].map(([id, all]) => [id, all.map((each) => ({ ...each }))]));
    return {
      of: (userId) => byUser.get(userId) ?? [],
      project: (id) => projects.get(id) ?? this.project(id),
    };
  }

  get(id: string): Authorization {
    const authorization = this.#authorizations.get(id);
    if (authorization === undefined) throw new UserRefused(404, 'User grant not found', 'COMMAND-D8m3x');
    return authorization;
  }

  update(id: string, roleKeys: readonly string[]): void {
    const authorization = this.get(id);
    this.#mustBeRoles(authorization.projectId, roleKeys);
    authorization.roleKeys = roleKeys;
  }

  delete(id: string): void {
    const { userId } = this.get(id);
    this.#authorizations.delete(id);
    this.#byUser.set(
      userId,
      this.of(userId).filter((each) => each.id !== id),
    );
  }

  /** A user's go with them. */
  forget(userId: string): void {
    for (const { id } of this.of(userId)) this.delete(id);
  }

  #nextId(): string {
    this.#made += 1n;
    return String(FIRST_ID + this.#made);
  }
}
