/** Executables that cargo left in a workspace, to offer when there is no launch.json yet. */

import { accessSync, constants, readdirSync } from 'node:fs';
import path from 'node:path';

/** A target folder of a large workspace has tens of thousands of entries; this many executables are offered. */
const maxPrograms = 50;

/** Paths below `folder` of the binaries and examples of the debug profile, sorted: `target/debug/server`. */
export function builtPrograms(folder: string): string[] {
  return ['target/debug', 'target/debug/examples']
    .flatMap((below) => executables(path.join(folder, below)).map((name) => path.posix.join(below, name)))
    .slice(0, maxPrograms);
}

function executables(folder: string): string[] {
  let entries;
  try {
    entries = readdirSync(folder, { withFileTypes: true });
  } catch {
    return [];
  }
  return entries
    .filter((entry) => entry.isFile() && isProgramName(entry.name) && isExecutable(path.join(folder, entry.name)))
    .map((entry) => entry.name)
    .sort();
}

/** Neither `.d`, `.so` and `.rlib` files nor cargo's hashed twins (`server-1f2e3d4c5b6a7980`). */
function isProgramName(name: string): boolean {
  return !name.includes('.') && !/-[0-9a-f]{16}$/.test(name);
}

function isExecutable(file: string): boolean {
  try {
    accessSync(file, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
