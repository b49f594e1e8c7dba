/** Whether an executable has debug information, by the names of its sections. */

import { closeSync, openSync, readSync } from 'node:fs';

const headerSize = 64;
const sectionSize = 64;
/** More sections, or longer names, than programs have. */
const maxSections = 2000;
const maxNames = 1 << 20;

/** `undefined` for what cannot be read, or is no 64-bit little-endian ELF file. */
export function hasDebugInformation(file: string): boolean | undefined {
  let handle: number;
  try {
    handle = openSync(file, 'r');
  } catch {
    return undefined;
  }
  try {
    return sectionNames(handle)?.some((name) => name === '.debug_info' || name === '.zdebug_info' || name === '.gnu_debuglink');
  } catch {
    return undefined;
  } finally {
    closeSync(handle);
  }
}

function sectionNames(handle: number): readonly string[] | undefined {
  const header = read(handle, 0, headerSize);
  // The magic number, 64 bits, little endian.
  if (header.readUInt32BE(0) !== 0x7f454c46 || header[4] !== 2 || header[5] !== 1) {
    return undefined;
  }
  const [offset, count, names] = [Number(header.readBigUInt64LE(40)), header.readUInt16LE(60), header.readUInt16LE(62)];
  if (count > maxSections || names >= count) {
    return undefined;
  }
  const sections = read(handle, offset, count * sectionSize);
  const [start, size] = [Number(sections.readBigUInt64LE(names * sectionSize + 24)), Number(sections.readBigUInt64LE(names * sectionSize + 32))];
  return size > maxNames ? undefined : read(handle, start, size).toString('latin1').split('\0');
}

function read(handle: number, at: number, size: number): Buffer {
  const buffer = Buffer.alloc(size);
  if (!Number.isSafeInteger(at) || readSync(handle, buffer, 0, size, at) < size) {
    throw new RangeError('the file is shorter than it says');
  }
  return buffer;
}
