/** The processes a user may attach to, read from a procfs. */

import { readdirSync, readFileSync, statSync } from 'node:fs';
import path from 'node:path';

export interface Process {
  readonly pid: number;
  readonly name: string;
  /** The command line, its arguments joined by spaces. */
  readonly command: string;
}

/** Processes of user `uid` that have a command line (kernel threads have none), the newest first. */
export function listProcesses(uid: number, proc = '/proc'): Process[] {
  const found: Process[] = [];
  for (const name of readdirSync(proc)) {
    if (/^[1-9][0-9]*$/.test(name)) {
      const process = readProcess(path.join(proc, name), Number(name), uid);
      if (process) {
        found.push(process);
      }
    }
  }
  return found.sort((a, b) => b.pid - a.pid);
}

function readProcess(folder: string, pid: number, uid: number): Process | undefined {
  try {
    if (uid !== 0 && statSync(folder).uid !== uid) {
      return undefined;
    }
    const command = readFileSync(path.join(folder, 'cmdline'), 'utf8').split('\0').join(' ').trim();
    const name = readFileSync(path.join(folder, 'comm'), 'utf8').trim();
    return command === '' ? undefined : { pid, name, command };
  } catch {
    // It ended while it was looked at.
    return undefined;
  }
}
