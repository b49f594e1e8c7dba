/** What a Cargo workspace has to debug: its programs, examples and tests, as launch configurations that build them first. */

import { existsSync } from 'node:fs';
import path from 'node:path';

/** The attributes of a configuration that cargo's own words decide. */
export interface CargoLaunch {
  readonly name: string;
  readonly cargo: { readonly args: readonly string[]; readonly filter: { readonly name: string; readonly kind: string } };
  readonly cwd?: string;
}

/** A workspace can have thousands of targets; a list to choose from cannot. */
const maxTargets = 500;

/** What a new launch.json begins with is read, and thinned out, by a person. */
const maxWritten = 10;

/** The kinds of library that there are: all have their tests built by `--lib`. */
const libraries: readonly unknown[] = ['lib', 'rlib', 'dylib', 'cdylib', 'staticlib', 'proc-macro'];

export interface Target {
  readonly package: string;
  /** The folder of the package. */
  readonly folder: string;
  readonly name: string;
  readonly kind: string;
  /** The file that the compiler begins with. */
  readonly source: string;
  readonly hasTests: boolean;
  readonly features: readonly string[];
}

/** The words with which cargo is asked for what a workspace has. */
export const metadataArguments = ['metadata', '--no-deps', '--format-version', '1'] as const;

/** Where cargo may be: on the search path, or where rustup puts it, which an editor started from a desktop may not have there. */
export function cargoProgram(environment: Readonly<Record<string, string | undefined>>): string {
  const home = environment['CARGO_HOME'] ?? (environment['HOME'] === undefined ? undefined : path.join(environment['HOME'], '.cargo'));
  const folders = [...(environment['PATH'] ?? '').split(path.delimiter), ...(home === undefined ? [] : [path.join(home, 'bin')])];
  const found = folders.filter((folder) => path.isAbsolute(folder)).map((folder) => path.join(folder, 'cargo'));
  return found.find((file) => existsSync(file)) ?? 'cargo';
}

/** Why cargo has said nothing of a workspace: its own line about it, if it has one. */
export function cargoComplaint(error: unknown): string {
  const { stderr, code, killed, message } = (typeof error === 'object' && error !== null ? error : {}) as Readonly<Record<string, unknown>>;
  const line = (typeof stderr === 'string' ? stderr : '').split('\n').find((text) => text.startsWith('error'));
  if (line !== undefined) {
    return line;
  }
  if (code === 'ENOENT') {
    return 'cargo was not found on PATH or in the folder of rustup.';
  }
  return killed === true ? 'cargo metadata took too long and was ended.' : typeof message === 'string' ? message : String(error);
}

/** Programs first, then examples, then tests; in each by name. What is no metadata has nothing. */
export function cargoLaunches(metadata: unknown): readonly CargoLaunch[] {
  const targets = targetsOf(metadata);
  const several = severalPackages(targets);
  return [
    ...targets.filter(({ kind }) => kind === 'bin').map((target) => built(target, several, `Debug ${target.name}`)),
    ...targets.filter(({ kind }) => kind === 'example').map((target) => built(target, several, `Debug example ${target.name}`)),
    ...targets.filter(({ kind, hasTests }) => hasTests && (kind === 'lib' || kind === 'bin')).map((target) => testsOf(target, several)),
    ...targets.filter(({ kind }) => kind === 'test').map((target) => testsOf(target, several)),
  ].slice(0, maxTargets);
}

/** Those that a new launch.json begins with: the first programs, or else the first of what there is. */
export function writtenLaunches(launches: readonly CargoLaunch[]): readonly CargoLaunch[] {
  const programs = launches.filter(({ cargo }) => cargo.filter.kind === 'bin' && cargo.args[0] === 'build');
  return (programs.length > 0 ? programs : launches).slice(0, maxWritten);
}

/** The same for any machine, if it runs inside of the folder. */
export function portable(launch: CargoLaunch, folder: string): CargoLaunch {
  const inside = launch.cwd === undefined ? '..' : path.relative(folder, launch.cwd);
  if (inside.split(path.sep)[0] === '..' || path.isAbsolute(inside)) {
    return launch;
  }
  return { ...launch, cwd: inside === '' ? '${workspaceFolder}' : `\${workspaceFolder}/${inside}` };
}

/** What starts the program of a target, or its tests: what to name it is the caller's. */
export function launchOf(target: Target, what: 'program' | 'tests', several: boolean): CargoLaunch {
  const isProgram = what === 'program' && (target.kind === 'bin' || target.kind === 'example');
  return isProgram ? built(target, several, `Debug ${target.name}`) : testsOf(target, several);
}

/** Whether a target's name alone does not say whose it is. */
export function severalPackages(targets: readonly Target[]): boolean {
  return new Set(targets.map((target) => target.package)).size > 1;
}

function built(target: Target, several: boolean, label: string): CargoLaunch {
  return launch(target, several, label, ['build'], `--${target.kind}=${target.name}`);
}

/** Tests run in the folder of their package, as they do under cargo. */
function testsOf(target: Target, several: boolean): CargoLaunch {
  const which = target.kind === 'lib' ? '--lib' : `--${target.kind}=${target.name}`;
  const label = target.kind === 'test' ? `Debug test ${target.name}` : `Debug unit tests of ${target.name}`;
  return { ...launch(target, several, label, ['test', '--no-run'], which), cwd: target.folder };
}

function launch(target: Target, several: boolean, label: string, command: readonly string[], which: string): CargoLaunch {
  const features = target.features.length > 0 ? [`--features=${target.features.join(',')}`] : [];
  return {
    name: several && target.package !== target.name ? `${label} of ${target.package}` : label,
    cargo: { args: [...command, `--package=${target.package}`, which, ...features], filter: { name: target.name, kind: target.kind } },
  };
}

/** The folder of the workspace that metadata is of. */
export function workspaceRoot(metadata: unknown): string | undefined {
  const root = member(metadata, 'workspace_root');
  return typeof root === 'string' ? root : undefined;
}

/** The programs, examples, tests and libraries of a workspace, by name. */
export function targetsOf(metadata: unknown): readonly Target[] {
  return list(member(metadata, 'packages'))
    .flatMap((found) => {
      const [name, manifest] = [member(found, 'name'), member(found, 'manifest_path')];
      return typeof name === 'string' && typeof manifest === 'string' ? list(member(found, 'targets')).flatMap((target) => targetOf(target, name, path.dirname(manifest))) : [];
    })
    .sort((one, other) => one.name.localeCompare(other.name) || one.package.localeCompare(other.package));
}

/** A library is a `lib` for cargo's arguments and for weft's filter, whatever the kinds of library that it is. */
function targetOf(target: unknown, owner: string, folder: string): readonly Target[] {
  const name = member(target, 'name');
  const kinds = list(member(target, 'kind'));
  const kind = kinds.some((known) => libraries.includes(known)) ? 'lib' : kinds.find((known) => known === 'bin' || known === 'example' || known === 'test');
  const source = member(target, 'src_path');
  if (typeof name !== 'string' || typeof kind !== 'string') {
    return [];
  }
  const features = list(member(target, 'required-features')).filter((feature) => typeof feature === 'string');
  return [{ package: owner, folder, name, kind, source: typeof source === 'string' ? source : '', hasTests: member(target, 'test') === true, features }];
}

function member(of: unknown, name: string): unknown {
  return typeof of === 'object' && of !== null ? (of as Record<string, unknown>)[name] : undefined;
}

function list(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : [];
}
