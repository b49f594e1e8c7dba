/** What a launch configuration means, apart from the editor that holds it. */

import path from 'node:path';

/** The fields the extension looks into; the adapter reads, and judges, all of them. */
export interface Configuration {
  readonly request: string;
  readonly program?: unknown;
  readonly pid?: unknown;
  readonly cwd?: unknown;
  readonly envFile?: unknown;
}

/** The sentence that stops a session which cannot begin, or `undefined`. */
export function whyNotStart(configuration: Configuration): string | undefined {
  if (configuration.request === 'launch' && !isText(configuration.program)) {
    return 'The configuration names no program. Set "program" in launch.json to the executable to debug.';
  }
  const { pid } = configuration;
  if (configuration.request === 'attach' && !isText(pid) && !(typeof pid === 'number' && Number.isInteger(pid) && pid > 0)) {
    return 'The configuration names no process. Set "pid" in launch.json to a process id, or to "${command:pickProcess}" to be asked.';
  }
  return undefined;
}

/**
 * The configuration with its defaults: `cwd` is the workspace folder, and relative paths begin there, since the
 * adapter is started elsewhere.
 */
export function completed<C extends Configuration>(configuration: C, folder: string | undefined): C {
  const based = (value: unknown): unknown =>
    folder !== undefined && isText(value) && !path.isAbsolute(value) ? path.join(folder, value) : value;
  const filled: Record<string, unknown> = { ...(configuration as Configuration & Record<string, unknown>) };
  for (const key of ['program', 'cwd', 'envFile'] as const) {
    if (filled[key] !== undefined) {
      filled[key] = based(filled[key]);
    }
  }
  if (configuration.request === 'launch' && filled['cwd'] === undefined && folder !== undefined) {
    filled['cwd'] = folder;
  }
  return filled as C;
}

function isText(value: unknown): value is string {
  return typeof value === 'string' && value.trim() !== '';
}
