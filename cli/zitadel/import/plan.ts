import { existsSync } from 'node:fs';
import * as z from 'zod';
import { readText } from '../../input.ts';
import { writePrivately } from '../../private-file.ts';
import { Failure } from '../../failure.ts';
import { rowsOf, type Dump } from '../dump/inspect.ts';
import { numbered, type Check } from './preflight/check.ts';
import type { RunFacts } from './run.ts';
import { sizeOf } from './size.ts';
import { STEPS } from './steps.ts';

/** What makes a plan the same one. */
const Identity = z.object({
  dump: z.object({ file: z.string(), fingerprint: z.string() }),
  to: z.string(),
  server: z.string(),
  oid: z.number().nullable(),
});

export interface Plan {
  readonly identity: z.output<typeof Identity>;
  readonly dump: Readonly<Record<string, unknown>>;
  readonly target: {
    readonly database: string;
    readonly server: string;
    readonly workloads: readonly { readonly name: string; readonly replicas: number }[];
  };
  readonly checks: readonly Check[];
  readonly steps: readonly { readonly name: string; readonly does: string }[];
}

export interface Planned {
  readonly dump: Dump;
  readonly checks: readonly Check[];
  readonly facts: Pick<RunFacts, 'to' | 'server' | 'target' | 'oid' | 'zitadel' | 'login'>;
  /** Whether Zitadel's API is known, so that what follows the swap can be done. */
  readonly api: boolean;
}

export function planOf({ dump, checks, facts, api }: Planned): Plan {
  const { source } = dump;
  return {
    identity: {
      dump: { file: source.file, fingerprint: source.fingerprint },
      to: facts.to,
      server: facts.server,
      oid: facts.oid,
    },
    dump: {
      file: source.file,
      format: source.format,
      bytes: source.bytes,
      script_bytes: dump.scriptBytes,
      postgres: dump.server,
      owners: dump.owners,
      extensions: dump.extensions,
      instances: dump.instances.map(({ id, name }) => ({
        id,
        name,
        domains: dump.domains.filter(({ instance }) => instance === id).map(({ domain }) => domain),
      })),
      organisations: rowsOf(dump, 'orgs'),
      users: rowsOf(dump, 'users'),
      events: dump.tables.get('eventstore.events2') ?? 0,
      setup_steps: dump.steps.length,
    },
    target: {
      database: facts.target,
      server: facts.server,
      workloads: [...facts.zitadel, ...facts.login].map(({ name, replicas }) => ({ name, replicas })),
    },
    checks,
    steps: STEPS.filter((step) => step.isMeant(facts.to) && (api || !step.needsApi)).map(
      ({ name, does }) => ({ name, does }),
    ),
  };
}

/** For people. */
export function planLines({ identity, dump, target, checks, steps }: Plan): readonly string[] {
  const mark = { ok: 'ok', warning: 'warning', skipped: 'skipped', no: 'NO' };
  return [
    `${identity.dump.file} (${String(dump['format'])}, ${sizeOf(Number(dump['bytes']))}) into ${identity.server}`,
    ...checks.map(({ name, verdict, says }) => `  ${mark[verdict].padEnd(8)} ${name}: ${says}`),
    ...target.workloads.map(
      ({ name, replicas }) => `  in the cluster: ${name}, ${numbered(replicas, 'replica')}`,
    ),
    'what will be done:',
    ...steps.map(({ name, does }, at) => `  ${String(at + 1).padStart(2)}. ${name}: ${does}`),
  ];
}

const Kept = z.looseObject({ identity: Identity });

/** Keeps the plan in a file, readable by its owner alone. Throws Failure when the file holds another plan. */
export async function keepPlan(file: string, plan: Plan): Promise<void> {
  if (!existsSync(file)) {
    await writePrivately(file, (write) => write(`${JSON.stringify(plan, null, 2)}\n`));
    return;
  }
  const before = parsed(file, await readText(file));
  const was = before.identity;
  const is = plan.identity;
  const differs = [
    ...(was.dump.file === is.dump.file ? [] : [`the dump was ${was.dump.file}`]),
    ...(was.dump.file === is.dump.file && was.dump.fingerprint !== is.dump.fingerprint
      ? ['the dump has changed since']
      : []),
    ...(was.to === is.to ? [] : [`it was --to ${was.to}`]),
    ...(was.server === is.server ? [] : [`the target was ${was.server}`]),
    ...(was.oid === is.oid ? [] : ['the target is another database than then']),
  ];
  if (differs.length > 0)
    throw new Failure(
      `${file} holds another plan: ${differs.join('; ')}. Remove it to plan anew; nothing was changed`,
    );
}

function parsed(file: string, text: string): z.output<typeof Kept> {
  try {
    return Kept.parse(JSON.parse(text));
  } catch (error) {
    throw new Failure(`${file} is no plan of an import: nothing was changed`, { cause: error });
  }
}
