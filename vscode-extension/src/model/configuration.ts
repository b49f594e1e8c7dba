/** What a launch configuration means, apart from the editor that holds it. */

import path from 'node:path';

/** The fields the extension looks into; the adapter reads, and judges, all of them. */
export interface Configuration {
  readonly request: string;
  readonly program?: unknown;
  readonly cwd?: unknown;
  readonly envFile?: unknown;
  readonly stdin?: unknown;
  readonly coreFile?: unknown;
  readonly runtime?: unknown;
  readonly python?: unknown;
}

/** Stands for the path of what cargo builds; the adapter knows it. */
const builtProgram = '${cargo:program}';

export type Runtime = 'native' | 'python';

/** Attributes that only a Python program has. */
const pythonOnly = ['module', 'code', 'connect', 'listen', 'processId'] as const;

/** What kind of program a configuration is about: what it says, else what its other attributes mean. */
export function runtimeOf(configuration: Readonly<Record<string, unknown>>): Runtime {
  const { runtime, program } = configuration;
  if (runtime === 'native' || runtime === 'python') {
    return runtime;
  }
  const script = isText(program) && program.endsWith('.py');
  return script || pythonOnly.some((name) => configuration[name] !== undefined && configuration[name] !== null) ? 'python' : 'native';
}

/** Settings that stand in for what a configuration leaves out: the keys of its `async` and `asyncio`. */
export interface Defaults {
  readonly async: Readonly<Record<string, unknown>>;
  readonly asyncio: Readonly<Record<string, unknown>>;
}

/** The configuration with what the user's settings add to it; what it says itself wins. */
export function withDefaults<C extends Readonly<Record<string, unknown>>>(configuration: C, { async, asyncio }: Defaults): C {
  const added = { async: merged(configuration['async'], async), asyncio: runtimeOf(configuration) === 'python' ? merged(configuration['asyncio'], asyncio) : undefined };
  return { ...configuration, ...Object.fromEntries(Object.entries(added).filter(([, value]) => value !== undefined)) };
}

/** What is no object is the adapter's to refuse. */
function merged(given: unknown, settings: Readonly<Record<string, unknown>>): unknown {
  const isObject = typeof given === 'object' && given !== null && !Array.isArray(given);
  return Object.keys(settings).length === 0 || (given !== undefined && !isObject) ? undefined : { ...settings, ...(isObject ? given : {}) };
}

/** What starts one Python file. */
export function pythonFile(program: string): { runtime: 'python'; name: string; program: string; console: string } {
  return { runtime: 'python', name: `Debug ${path.basename(program)}`, program, console: 'integratedTerminal' };
}

/**
 * The configuration with its defaults: `cwd` is the workspace folder, and relative paths begin there, since the
 * adapter is started elsewhere.
 */
export function completed<C extends Configuration>(configuration: C, folder: string | undefined): C {
  const based = (value: unknown): unknown =>
    folder !== undefined && isText(value) && !path.isAbsolute(value) && !value.startsWith(builtProgram) ? path.join(folder, value) : value;
  const filled: Record<string, unknown> = { ...(configuration as Configuration & Record<string, unknown>) };
  for (const key of ['program', 'cwd', 'envFile', 'stdin', 'coreFile'] as const) {
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
