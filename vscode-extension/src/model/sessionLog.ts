/** The extension's own log: a line for whatever happens to an adapter, in a file that does not grow without end. */

import { appendFileSync, closeSync, fstatSync, mkdirSync, openSync, readSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import path from 'node:path';

/** A file of this size is put aside, and the one before it goes; in bytes. */
const maxSize = 256 * 1024;

/** How much of what an adapter said is looked at, in bytes. */
const maxSaid = 16 * 1024;

export class SessionLog {
  readonly file: string;

  constructor(private readonly folder: string) {
    this.file = path.join(folder, 'weft.log');
  }

  /** Notes something, with the time. A log that cannot be written holds nothing up. */
  note(text: string): void {
    this.quietly(() => {
      mkdirSync(this.folder, { recursive: true });
      if ((statSync(this.file, { throwIfNoEntry: false })?.size ?? 0) > maxSize) {
        renameSync(this.file, path.join(this.folder, 'weft.old.log'));
      }
      appendFileSync(this.file, `${new Date().toISOString()} ${text.trimEnd()}\n`);
    });
  }

  /** An empty file for what one process writes; `undefined` where there can be none. */
  fileOf(name: string): string | undefined {
    const file = path.join(this.folder, `${name}.log`);
    return this.quietly(() => {
      mkdirSync(this.folder, { recursive: true });
      writeFileSync(file, '');
      return file;
    });
  }

  /** The end of what a process has written to its file, which goes into the log and is removed. */
  take(file: string): string {
    const said = this.quietly(() => tail(file)) ?? '';
    this.quietly(() => {
      rmSync(file, { force: true });
    });
    if (said.trim() !== '') {
      this.note(`it said:\n${said}`);
    }
    return said;
  }

  private quietly<T>(act: () => T): T | undefined {
    try {
      return act();
    } catch {
      return undefined;
    }
  }
}

function tail(file: string): string {
  const handle = openSync(file, 'r');
  try {
    const { size } = fstatSync(handle);
    const buffer = Buffer.alloc(Math.min(size, maxSaid));
    const length = readSync(handle, buffer, 0, buffer.length, size - buffer.length);
    return buffer.toString('utf8', 0, length);
  } finally {
    closeSync(handle);
  }
}
