/** Where the adapter program is: inside the extension, else where the setting says, else on PATH. */

import { accessSync, constants, statSync } from 'node:fs';
import path from 'node:path';

export interface Places {
  /** The extension's own folder. */
  readonly extension: string;
  /** The value of `weft.adapterPath`; empty when it is not set. */
  readonly setting: string;
  /** The value of the PATH variable. */
  readonly path: string;
}

/** Where the adapter was found. */
export type Origin = 'extension' | 'setting' | 'path';

export type Found = { readonly program: string; readonly from: Origin } | { readonly missing: string; readonly fix: string };

/** Finds the first candidate that can be executed, or says where it was looked for and what was wrong. */
export function findAdapter(places: Places): Found {
  const refused: string[] = [];
  const bundled = path.join(places.extension, 'bin', 'weft');
  const named = places.setting.trim();
  for (const [program, from, place] of [[bundled, 'extension', 'in the extension'] as const, [named, 'setting', 'weft.adapterPath'] as const]) {
    if (program === '') {
      continue;
    }
    const wrong = path.isAbsolute(program) ? whyNotExecutable(program) : 'is not an absolute path';
    if (wrong === undefined) {
      return { program, from };
    }
    refused.push(`${program} (${place}) ${wrong}`);
  }
  for (const folder of places.path.split(path.delimiter)) {
    // An empty or relative entry of PATH means the current directory, which an opened folder could fill.
    const program = path.join(folder, 'weft');
    if (path.isAbsolute(folder) && whyNotExecutable(program) === undefined) {
      return { program, from: 'path' };
    }
  }
  refused.push('there is no weft on PATH');
  return { missing: `The weft debug adapter was not found: ${refused.join('; ')}.`, fix: fix(bundled, named) };
}

/** A file that is there and may not be executed needs its permission back; what is not there has to be installed. */
function fix(bundled: string, named: string): string {
  const locked = [named, bundled].find((file) => path.isAbsolute(file) && whyNotExecutable(file) === notExecutable);
  return locked === undefined
    ? 'Install the extension again for this machine (Linux on x86-64), or the adapter alone (cargo install --path adapter), and set "weft.adapterPath" to where it is.'
    : `Make it executable: chmod +x '${locked}'.`;
}

const notExecutable = 'is not executable';

function whyNotExecutable(file: string): string | undefined {
  try {
    if (!statSync(file).isFile()) {
      return 'is not a file';
    }
    accessSync(file, constants.X_OK);
    return undefined;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EACCES' ? notExecutable : 'does not exist';
  }
}

/** What the version that an adapter tells of itself (`weft 0.1.0`) means beside the extension's; `undefined` if they are of one kind. */
export function versionAdvice(told: string, expected: string, { program, from }: { readonly program: string; readonly from: Origin }): string | undefined {
  const version = /^weft (\S+)\s*$/.exec(told)?.[1];
  if (version === expected) {
    return undefined;
  }
  const what = version === undefined ? `${program} does not say that it is weft` : `The debug adapter ${program} is version ${version}, and this extension is ${expected}`;
  switch (from) {
    case 'extension':
      return `${what}. Install the extension again: the file in it was replaced.`;
    case 'setting':
      return `${what}. Set "weft.adapterPath" to an adapter of version ${expected}, or install that one (cargo install --path adapter).`;
    case 'path':
      return `${what}. It was found on PATH: install version ${expected} (cargo install --path adapter), or set "weft.adapterPath" to one.`;
  }
}
