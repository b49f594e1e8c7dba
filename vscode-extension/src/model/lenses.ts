/** What can be started from a place in a source file, and how. */

import path from 'node:path';
import { launchOf, severalPackages, type CargoLaunch, type Target } from './cargo';
import { modulePath, type Read } from './rustModules';
import { rustSource, type Entry } from './rustSource';

/** A launch of a Cargo target, with the arguments of what it builds. */
export type Start = CargoLaunch & { readonly args: readonly string[] };

/** One lens: what it starts, or, where that cannot be told, why. */
export interface Lens {
  readonly line: number;
  /** What is started, in the words of the source. */
  readonly subject: string;
  /** Several, if the file belongs to several targets. */
  readonly starts: readonly Start[];
  readonly why?: string;
}

/** The lenses of a Rust file, if the targets of its workspace are these; or if cargo does not tell them, for this reason. */
export function rustLenses(source: string, file: string, targets: readonly Target[] | { readonly why: string }, read: Read): readonly Lens[] {
  const { entries } = rustSource(source);
  if (entries.length === 0) {
    return [];
  }
  const lineOf = lines(source);
  if ('why' in targets) {
    const why = `What this file belongs to cannot be told, as cargo metadata failed: ${targets.why}`;
    return entries.map(({ at, name }) => ({ line: lineOf(at), subject: name, starts: [], why }));
  }
  const several = severalPackages(targets);
  // Modules may be files outside of their package; what looks for them is not paid by every workspace.
  const near = targets.filter(({ folder }) => file.startsWith(folder + path.sep));
  const homes = near.flatMap((target) => {
    const modules = modulePath(target.source, file, read);
    return modules ? [{ target, modules }] : [];
  });
  return entries.flatMap((entry) => {
    const starts =
      entry.kind === 'main'
        ? homes.filter(({ target, modules }) => modules.length === 0 && target.kind !== 'lib').map(({ target }) => ({ ...launchOf(target, 'program', several), args: [] }))
        : tested(entry, homes, several);
    const lens = { line: lineOf(entry.at), subject: entry.name, starts };
    return starts.length > 0 ? [lens] : entry.kind === 'test' ? [{ ...lens, why: nowhere }] : [];
  });
}

const nowhere =
  'Which test program this file belongs to cannot be told: no `mod` declarations lead from a target of the Cargo workspace to it. ' +
  'Those that macros make, and #[path] within an inline module, are not followed. Start the test from a launch.json, with "cargo" and the test\'s name in "args".';

/** A library that a program shares files with is the one whose tests people mean. */
function tested(entry: Entry, homes: readonly { readonly target: Target; readonly modules: readonly string[] }[], several: boolean): Start[] {
  const harnessed = homes.filter(({ target }) => target.hasTests || target.kind === 'test');
  const libraries = harnessed.filter(({ target }) => target.kind === 'lib');
  return (libraries.length > 0 ? libraries : harnessed).map(({ target, modules }) => {
    const name = [...modules, ...entry.modules, entry.name].join('::');
    // Tests made of cases are in a module of their function's name, and cannot be named exactly by it.
    const args = entry.cases ? [`${name}::`] : [name, '--exact'];
    return { ...launchOf(target, 'tests', several), name: `Debug test ${name}`, args: [...args, '--include-ignored', '--nocapture'] };
  });
}

/** The lines at which a Python file begins when it is run: `if __name__ == "__main__":`, counted from 0. */
export function pythonMains(source: string): readonly number[] {
  const guard = /^if\s*\(?\s*(?:__name__\s*==\s*(["'])__main__\1|(["'])__main__\2\s*==\s*__name__)\s*\)?\s*:/;
  const found: number[] = [];
  let quoted: string | undefined;
  source.split('\n').forEach((line, index) => {
    if (quoted === undefined && guard.test(line)) {
      found.push(index);
    }
    quoted = tripleAfter(line, quoted);
  });
  return found;
}

/** The quotes of a long string that is open at a line's end, if these were at its begin. */
function tripleAfter(line: string, before: string | undefined): string | undefined {
  let quoted = before;
  for (let at = 0; at < line.length; at += 1) {
    const triple = ['"""', "'''"].find((mark) => line.startsWith(mark, at));
    if (line[at] === '\\') {
      at += 1;
    } else if (triple !== undefined && (quoted === undefined || quoted === triple)) {
      quoted = quoted === undefined ? triple : undefined;
      at += 2;
    } else if (quoted === undefined && line[at] === '#') {
      break;
    } else if (quoted === undefined && (line[at] === '"' || line[at] === "'")) {
      at = shortEnd(line, at);
    }
  }
  return quoted;
}

/** Where the string ends that begins with the quote at `at`: at the line's end, if it is left open. */
function shortEnd(line: string, at: number): number {
  for (let place = at + 1; place < line.length; place += 1) {
    if (line[place] === '\\') {
      place += 1;
    } else if (line[place] === line[at]) {
      return place;
    }
  }
  return line.length;
}

/** A function from offsets to lines, counted from 0. */
function lines(source: string): (at: number) => number {
  const starts = [0, ...[...source.matchAll(/\n/g)].map(({ index }) => index + 1)];
  return (at) => {
    let [low, high] = [0, starts.length];
    while (high - low > 1) {
      const middle = (low + high) >> 1;
      [low, high] = (starts[middle] ?? 0) <= at ? [middle, high] : [low, middle];
    }
    return low;
  };
}
