import { readFileSync, readlinkSync } from 'node:fs';
import type { ProcessGroups, Processes } from '../../ports/runtime.ts';
import { systemCode } from '../../system-errors.ts';

const MARK = /^(?<here>\S+ \S+) (?<pid>[1-9]\d*) (?<start>\d+)$/;

/**
 * Processes by /proc, proc(5). A mark is the boot of the machine, the PID namespace, the PID and the start time. Those of
 * another machine, container or boot never count as dead. Systems without /proc have no marks.
 */
export function linuxProcesses(): Processes & ProcessGroups {
  const boot = read(() => readFileSync('/proc/sys/kernel/random/boot_id', 'latin1').trim());
  const namespace = read(() => readlinkSync('/proc/self/ns/pid'));
  const here = boot === undefined || namespace === undefined ? undefined : `${boot} ${namespace}`;
  const mark = (pid: number): string | null => {
    const start = startOf(pid);
    return here === undefined || start === undefined ? null : `${here} ${pid} ${start}`;
  };
  return {
    own: mark(process.pid),
    mark,
    isDead(mark) {
      const parts = MARK.exec(mark)?.groups;
      if (parts === undefined || parts['here'] !== here) return false;
      const pid = Number(parts['pid']);
      const found = startOf(pid);
      // With hidepid, proc(5), the files of other users' processes are missing: only a free PID is proof.
      return found === undefined ? isFree(pid) : found !== parts['start'];
    },
    endGroup(mark) {
      const parts = MARK.exec(mark)?.groups;
      if (parts === undefined || parts['here'] !== here) return;
      const pid = Number(parts['pid']);
      if (startOf(pid) !== parts['start']) return;
      try {
        process.kill(-pid, 'SIGKILL');
      } catch (error) {
        if (systemCode(error) !== 'ESRCH') throw error;
      }
    },
  };
}

/** In clock ticks since boot; '' for a zombie. */
function startOf(pid: number): string | undefined {
  const stat = read(() => readFileSync(`/proc/${pid}/stat`, 'latin1'));
  if (stat === undefined) return undefined;
  // The preceding command name is in brackets and may hold brackets itself.
  const [state, ...fields] = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return state === 'Z' || state === 'X' ? '' : fields[18];
}

function isFree(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return false;
  } catch (error) {
    return systemCode(error) === 'ESRCH';
  }
}

function read(from: () => string): string | undefined {
  try {
    return from();
  } catch {
    return undefined;
  }
}
