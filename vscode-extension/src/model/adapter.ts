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

export type Found = { readonly program: string } | { readonly missing: string };

/** Finds the first candidate that can be executed, or says where it was looked for and what was wrong. */
export function findAdapter(places: Places): Found {
  const refused: string[] = [];
  const bundled = path.join(places.extension, 'bin', 'weft');
  const named = places.setting.trim();
  for (const [program, from] of [[bundled, 'in the extension'] as const, [named, 'weft.adapterPath'] as const]) {
    if (program === '') {
      continue;
    }
    const wrong = path.isAbsolute(program) ? whyNotExecutable(program) : 'is not an absolute path';
    if (wrong === undefined) {
      return { program };
    }
    refused.push(`${program} (${from}) ${wrong}`);
  }
  for (const folder of places.path.split(path.delimiter)) {
    // An empty or relative entry of PATH means the current directory, which an opened folder could fill.
    const program = path.join(folder, 'weft');
    if (path.isAbsolute(folder) && whyNotExecutable(program) === undefined) {
      return { program };
    }
  }
  refused.push('there is no weft on PATH');
  return { missing: `The weft debug adapter was not found: ${refused.join('; ')}.` };
}

function whyNotExecutable(file: string): string | undefined {
  try {
    if (!statSync(file).isFile()) {
      return 'is not a file';
    }
    accessSync(file, constants.X_OK);
    return undefined;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EACCES' ? 'is not executable' : 'does not exist';
  }
}
