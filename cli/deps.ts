/**
 * The command line's composition root: what only commands need, and only on Node, so that no bundle for Workers carries it.
 */
export { openPgSession as openSession } from '../shared/adapters/database-session.ts';
