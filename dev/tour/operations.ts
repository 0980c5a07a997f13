import type { Step } from './step.ts';

/** What an operator asks, by the commands of docs/doctor.md and docs/zitadel-setup.md. */
export const OPERATIONS: readonly Step[] = [
  {
    title: 'The doctor looks at all that requests need: one line each, with the cause and the next command',
    command: ['doctor', '--for', 'requests'],
    says: 'asks for nothing that model',
  },
  {
    title: 'and asks Zitadel whether its tokens count, and whether every event comes here',
    command: ['doctor', '--only', 'zitadel-token', '--only', 'webhooks', '--only', 'pat-age'],
    says: 'takes a signed probe',
  },
  {
    title: 'What a file would make of this Zitadel; nothing is changed',
    command: ['zitadel', 'setup', '--dry-run', '--file', 'dev/zitadel/setup.json'],
    says: 'would make   service account gateway-service',
  },
  {
    title:
      'Why Olga still gets in by the name that was changed: her e-mail was changed by hand, in one table of two',
    command: ['zitadel', 'login-names', 'explain', 'admin@acme.id.example.org', '--login', 'v1'],
    says: 'olga',
  },
];
