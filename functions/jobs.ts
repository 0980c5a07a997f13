import { OAUTH_CLIENTS } from '../shared/configuration/oauth-clients.ts';
import { MIGRATION } from '../shared/configuration/providers.ts';
import { SESSIONS } from '../shared/configuration/sessions.ts';
import type { Written } from '../shared/configuration/slice.ts';
import { COUNTERS, OPENFGA } from '../shared/configuration/stores.ts';
import { createDeps } from '../shared/deps.ts';
import type { Started } from '../shared/edge/function.ts';
import { standalone, type StandaloneJob } from '../shared/runs/job.ts';
import { functionsOn } from './catalogue.ts';
import { CATALOGUE, type FurtherDeps } from './configuration.ts';

/**
 * Functions whose jobs use fewer slices than the function itself. Those of any other are opened with it: they need no line
 * here. Loaded only when one is run.
 */
const FEWER_SLICES: Readonly<Record<string, () => Promise<Readonly<Record<string, StandaloneJob>>>>> = {
  alarms: async () => (await import('./alarms/standalone.ts')).STANDALONE,
  auth: async () => (await import('./auth/jobs.ts')).STANDALONE,
  figures: async () => (await import('./figures/standalone.ts')).STANDALONE,
  invites: async () => (await import('./invites/standalone.ts')).STANDALONE,
  mail: async () => (await import('./mail/standalone.ts')).STANDALONE,
  webhooks: async () => (await import('./webhooks/standalone.ts')).STANDALONE,
};

/** The job of a function that is on, as a command runs it; undefined when no schedule has it. */
export async function standaloneJob(
  name: string,
  written: Written,
  { further, starts } = CATALOGUE,
): Promise<StandaloneJob | undefined> {
  const theirs = functionsOn(written, further).find(({ schedule = {} }) => Object.hasOwn(schedule, name));
  if (theirs === undefined) return undefined;
  const fewer = await FEWER_SLICES[theirs.name]?.();
  if (fewer?.[name] !== undefined) return fewer[name];
  const [key = ''] = Object.entries(further).find(([, each]) => each === theirs) ?? [];
  const started = starts[key];
  if (started === undefined) throw new Error(`nothing starts the function of the job ${name}`);
  return withFunction(started, name);
}

/** A command has no cache entries, and leaves what is due to the job of the inbox. */
const nothing = (): void => undefined;

/** Starts the whole function, for one of its jobs. */
function withFunction(started: Started<FurtherDeps>, name: string): StandaloneJob {
  return standalone(
    started.and(OPENFGA).and(COUNTERS).and(SESSIONS).and(OAUTH_CLIENTS).and(MIGRATION),
    ({ start, ...config }, { platform, clock, log, database }) => {
      const own = { logLevel: 'silent', trustedProxies: [], database: null, mail: null } as const;
      const deps = createDeps({ ...config, ...own }, { clock, platform: { ...platform, log: () => log } });
      const asCaller = (): never => {
        throw new Error('a command serves no request');
      };
      const brought = start({ ...deps, database, forget: nothing, outbox: null, linked: nothing, asCaller });
      const job = brought.jobs?.[name];
      if (job === undefined) throw new Error(`no function brings the job ${name}`);
      return {
        job,
        async close() {
          await brought.close?.();
          await deps.close();
        },
      };
    },
  );
}
