/** The composition root of commands that need a database session alone: they start in half the time without all other adapters. */
export { openPgSession as openSession } from '../shared/adapters/postgres/session.ts';
