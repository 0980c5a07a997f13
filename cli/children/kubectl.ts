import { messageOf } from '../../shared/errors.ts';
import type { RowParser } from '../../shared/ports/database.ts';
import { Failure } from '../failure.ts';
import { runChild, type ChildCall } from './child.ts';
import { inPath } from './programs.ts';

export interface KubeConfig {
  /** KUBE_NAMESPACE; null: as kubectl's own configuration has it. */
  readonly namespace: string | null;
  /** KUBE_CONTEXT. */
  readonly context: string | null;
}

export interface Kubectl {
  /** Returns stdout. Throws ChildFailed with what kubectl said. */
  run(args: readonly string[], options?: KubectlOptions): Promise<string>;
  /** Of `--output=json`. Throws Failure when it has another shape. */
  read<T>(args: readonly string[], shape: RowParser<T>): Promise<T>;
}

export interface KubectlOptions {
  /** Milliseconds; a minute when absent. */
  readonly timeoutMs?: number;
  /** A manifest, for `apply --filename=-`: secrets go this way. */
  readonly input?: string;
}

const CALL_MS = 60_000;

/** Throws Failure when there is no kubectl in PATH. `base` goes into every call. */
export function openKubectl(
  { namespace, context }: KubeConfig,
  base: Pick<ChildCall, 'signal' | 'log' | 'onStart'> = {},
): Kubectl {
  const program = inPath('kubectl');
  if (program === undefined)
    throw new Failure('kubectl is not in PATH: install it, or name the database alone with --to postgres');
  const where = [
    ...(namespace === null ? [] : [`--namespace=${namespace}`]),
    ...(context === null ? [] : [`--context=${context}`]),
  ];
  const run = (args: readonly string[], { timeoutMs = CALL_MS, input }: KubectlOptions = {}) =>
    runChild({ ...base, program, args: [...args, ...where], timeoutMs, input });
  return {
    run,
    async read(args, shape) {
      const text = await run([...args, '--output=json']);
      try {
        return shape.parse(JSON.parse(text));
      } catch (error) {
        throw new Failure(`kubectl ${args.join(' ')}: its answer is not understood (${brief(error)})`, {
          cause: error,
        });
      }
    },
  };
}

/** Names and kinds alone: an answer may hold secrets. */
function brief(error: unknown): string {
  return error instanceof SyntaxError ? 'no JSON' : messageOf(error).replaceAll(/\s+/g, ' ').slice(0, 200);
}
