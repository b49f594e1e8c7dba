/** The processes a user may attach to, read from a procfs. */

import { readdirSync, readFileSync, readlinkSync, statSync } from 'node:fs';
import path from 'node:path';
import { hasDebugInformation } from './elf';

export interface Process {
  readonly pid: number;
  readonly name: string;
  /** The command line, its arguments joined by spaces. */
  readonly command: string;
  readonly runtime: 'native' | 'python';
  /** What keeps weft from debugging it, or from showing much of it. */
  readonly why?: string;
}

const interpreter = /^(?:python|pypy)[0-9.]*t?$/;

/**
 * Processes of user `uid` that have a command line (kernel threads have none): first those that weft can show the most of, then
 * the others; in each the newest first.
 */
export function listProcesses(uid: number, proc = '/proc'): Process[] {
  const found: Process[] = [];
  const looked = new Map<string, boolean | undefined>();
  for (const name of readdirSync(proc)) {
    if (/^[1-9][0-9]*$/.test(name)) {
      const process = readProcess(path.join(proc, name), Number(name), uid, looked);
      if (process) {
        found.push(process);
      }
    }
  }
  return found.sort((a, b) => Number(a.why !== undefined) - Number(b.why !== undefined) || b.pid - a.pid);
}

/** What attaches to a process: Python ones have a way of their own. */
export function attachTo({ pid, name, runtime }: Process): { name: string; runtime: 'native' | 'python' } & ({ pid: number } | { processId: number }) {
  return { name: `Attach to ${name} (${pid})`, runtime, ...(runtime === 'python' ? { processId: pid } : { pid }) };
}

function readProcess(folder: string, pid: number, uid: number, looked: Map<string, boolean | undefined>): Process | undefined {
  try {
    if (uid !== 0 && statSync(folder).uid !== uid) {
      return undefined;
    }
    const command = readFileSync(path.join(folder, 'cmdline'), 'utf8').split('\0').join(' ').trim();
    if (command === '') {
      return undefined;
    }
    const name = readFileSync(path.join(folder, 'comm'), 'utf8').trim();
    const executable = linked(path.join(folder, 'exe'));
    const runtime = executable !== undefined && interpreter.test(path.basename(executable)) ? 'python' : 'native';
    const why = isTraced(folder) ? 'has a debugger already' : executable === undefined ? 'may not be looked into' : runtime === 'python' ? undefined : unknown(folder, executable, looked);
    return { pid, name, command, runtime, ...(why === undefined ? {} : { why }) };
  } catch {
    // It ended while it was looked at.
    return undefined;
  }
}

/** Why little can be shown of a compiled program, as far as its file tells: the adapter also finds debug files that lie elsewhere. */
function unknown(folder: string, executable: string, looked: Map<string, boolean | undefined>): string | undefined {
  if (!looked.has(executable)) {
    // By the process, which has the file even if it was replaced meanwhile.
    looked.set(executable, hasDebugInformation(path.join(folder, 'exe')));
  }
  const has = looked.get(executable);
  return has === undefined ? 'whether it has debug information is not known' : has ? undefined : 'no debug information in its file';
}

function linked(file: string): string | undefined {
  try {
    return readlinkSync(file).replace(/ \(deleted\)$/, '');
  } catch {
    return undefined;
  }
}

function isTraced(folder: string): boolean {
  try {
    return /^TracerPid:\s*[1-9]/m.test(readFileSync(path.join(folder, 'status'), 'utf8'));
  } catch {
    return false;
  }
}
