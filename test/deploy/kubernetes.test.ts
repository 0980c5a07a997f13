import { execFile } from 'node:child_process';
import { chmod, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { promisify } from 'node:util';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';

const run = promisify(execFile);

/** Notes what it is asked, with the rules it is given; the cluster serves SERVING and ends every job but FAILING. */
const KUBECTL = `#!/bin/sh
case "$*" in
  "get configmap sallyport-rules --ignore-not-found -o name") [ -z "$SERVING" ] || echo configmap/sallyport-rules ;;
  "get configmap sallyport-rules -o"*) printf '%s' "$SERVING" ;;
  "get configmap"*) ;;
  "get job $FAILING-"*) echo FailureTarget Failed ;;
  "get job"*) echo SuccessCriteriaMet Complete ;;
  "create configmap"*) echo "kind: $3"; cat "$(echo "$5" | cut -d= -f2)" ;;
  "apply -f"*) echo "apply $(grep -E '^kind: sallyport|args:|^\\[' "$3" | tr -s ' \\n' ' ')" >> "$LOG" ;;
  "set image"*|"rollout status"*) echo "$1 $2 $3" >> "$LOG" ;;
esac
`;

describe('deploy/kubernetes/deploy.sh', () => {
  let folder: string;
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'sallyport-deploy-'));
    await writeFile(join(folder, 'kubectl'), KUBECTL);
    await chmod(join(folder, 'kubectl'), 0o755);
    await writeFile(join(folder, 'rules.json'), '["new"]');
    await writeFile(join(folder, 'log'), '');
  });
  afterEach(() => rm(folder, { recursive: true }));

  const deploy = async (variables: Record<string, string>) => {
    const { PATH = '' } = process.env;
    const ended = await run('deploy/kubernetes/deploy.sh', [join(folder, 'rules.json')], {
      env: {
        PATH: `${folder}${delimiter}${PATH}`,
        LOG: join(folder, 'log'),
        IMAGE: 'registry/sallyport:1',
        VERSION: '1',
        SERVING: '["old"]',
        FAILING: 'none',
        ...variables,
      },
    }).then(
      () => 0,
      (error: unknown) => (error as { code: number }).code,
    );
    const log = await readFile(join(folder, 'log'), 'utf8');
    return { ended, log: log.trim().split('\n') };
  };

  it('expands before the new rules serve and contracts after the rollout', async () => {
    const { ended, log } = await deploy({});
    expect(ended).toBe(0);
    expect(log).toEqual([
      expect.stringContaining('sallyport-rules-1'),
      expect.stringContaining('["db","migrate"]'),
      expect.stringContaining('["rules","sync","--phase","expand"]'),
      expect.stringMatching(/kind: sallyport-rules /),
      'set image deployment/sallyport',
      'rollout status deployment/sallyport',
      expect.stringContaining('["rules","sync","--phase","contract"]'),
    ]);
  });

  it('rolls nothing out when expand is refused', async () => {
    const { ended, log } = await deploy({ FAILING: 'sallyport-expand' });
    expect(ended).toBe(1);
    expect(log.join('\n')).not.toContain('set image');
  });
});
