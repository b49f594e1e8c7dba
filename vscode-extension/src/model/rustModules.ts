/** Which module of a target a file is, by the `mod` declarations on the way from the target's first file. */

import path from 'node:path';
import { rustSource, type Declared } from './rustSource';

/** A file's text; `undefined` where there is none. */
export type Read = (file: string) => string | undefined;

/** How many files are looked into on the way to one. Only `#[path]` leads aside, so that the way is short where people wrote it. */
export const maxFiles = 2000;

/** The path of the module that `file` is: empty for the target's first file, `undefined` where no declaration leads to it. */
export function modulePath(root: string, file: string, read: Read): readonly string[] | undefined {
  return root === file ? [] : below({ file: root, children: path.dirname(root), modules: [] }, file, read, new Set());
}

/** A file that is a module, and the folder in which those lie that it declares. */
interface Place {
  readonly file: string;
  readonly children: string;
  readonly modules: readonly string[];
}

/** `seen` are the places that were looked into: declarations with a path can lead to one by many ways, and in circles. */
function below(place: Place, wanted: string, read: Read, seen: Set<string>): readonly string[] | undefined {
  const key = `${place.file}\0${place.children}`;
  if (seen.has(key) || seen.size >= maxFiles) {
    return undefined;
  }
  seen.add(key);
  const source = read(place.file);
  for (const declared of source === undefined ? [] : rustSource(source).declared) {
    for (const next of candidates(place, declared)) {
      if (next.file === wanted) {
        return next.modules;
      }
      const found = isInside(wanted, next.children) ? below(next, wanted, read, seen) : undefined;
      if (found) {
        return found;
      }
    }
  }
  return undefined;
}

/** Where a declared module may be. */
function candidates(place: Place, { name, modules: around, path: given }: Declared): readonly Place[] {
  const modules = [...place.modules, ...around, name];
  if (given !== undefined) {
    // Within an inline module the folder it is taken from depends on more than the name: that is not followed.
    const file = path.resolve(path.dirname(place.file), given);
    return around.length === 0 ? [{ file, children: path.dirname(file), modules }] : [];
  }
  const folder = path.join(place.children, ...around.map(plain));
  const children = path.join(folder, plain(name));
  return [{ file: `${children}.rs`, children, modules }, { file: path.join(children, 'mod.rs'), children, modules }];
}

/** A raw name (`r#try`) is the file `try.rs`. */
function plain(name: string): string {
  return name.startsWith('r#') ? name.slice(2) : name;
}

function isInside(file: string, folder: string): boolean {
  return file.startsWith(folder.endsWith(path.sep) ? folder : folder + path.sep);
}
