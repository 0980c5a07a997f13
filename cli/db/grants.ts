import type { DatabaseError } from '../../shared/ports/database.ts';

const INSUFFICIENT_PRIVILEGE = '42501';

/** Postgres' wording of a lacking right -> what gives it, to be run by the object's owner. Texts of PostgreSQL 13 to 17. */
const REMEDIES: readonly [RegExp, (name: string, role: string) => string][] = [
  [
    /permission denied for schema ([^\s;]+)/,
    (schema, role) => `grant usage, create on schema ${schema} to ${role};`,
  ],
  [
    /must be owner of (?:table|relation|view|materialized view) ([^\s;]+)/,
    (table, role) =>
      `alter table ${table} owner to ${role};  -- or run this command as the owner of the tables`,
  ],
  [
    /must be owner of (?:function|type|sequence) ([^\s;]+)/,
    (name, role) => `run this command as the owner of ${name}, or make ${role} a member of it`,
  ],
  [
    /permission denied for (?:table|relation|view) ([^\s;]+)/,
    (table, role) => `grant select, insert, update, delete on ${table} to ${role};`,
  ],
  [
    /permission denied for sequence ([^\s;]+)/,
    (name, role) => `grant usage, select on sequence ${name} to ${role};`,
  ],
  [
    /permission denied for function ([^\s;]+)/,
    (name, role) => `grant execute on function ${name} to ${role};`,
  ],
  [
    /permission denied for database ([^\s;]+)/,
    (name, role) => `grant create, temporary on database ${name} to ${role};`,
  ],
  [
    /permission denied to create extension "([^"]+)"/,
    (name) => `create extension if not exists "${name}";  -- by a role that may, then run this command again`,
  ],
];

/** What to run for a right that Postgres says is lacking; empty when the error is another. */
export function grantFor(error: DatabaseError, role: string): string {
  if (error.code !== INSUFFICIENT_PRIVILEGE) return '';
  const quoted =
    /^[a-z_][a-z0-9_$]*$/.test(role) || role === 'ROLE' ? role : `"${role.replaceAll('"', '""')}"`;
  for (const [pattern, remedy] of REMEDIES) {
    const name = pattern.exec(error.message)?.[1];
    if (name !== undefined) return `\n  what is missing: ${remedy(name, quoted)}`;
  }
  return '\n  the role of DATABASE_URL lacks a right: run this command as the owner of the database';
}
