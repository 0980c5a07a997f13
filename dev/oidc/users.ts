/** A person of the demo. The id is the `sub` of their tokens and `user:<id>` in OpenFGA. */
export interface DemoUser {
  readonly id: string;
  readonly name: string;
  /** What dev/seed.ts lets them do. */
  readonly may: string;
}

export const DEMO_USERS: readonly DemoUser[] = [
  { id: 'alice', name: 'Alice', may: 'views the reports and owns document 1' },
  { id: 'bob', name: 'Bob', may: 'administers the admin panel' },
  { id: 'carol', name: 'Carol', may: 'has no permission yet' },
];

/** Whether the user directory behind the provider has or had this user. */
export type IsUser = (id: string) => boolean;

export function findUser(id: string): DemoUser | undefined {
  return DEMO_USERS.find((user) => user.id === id);
}
