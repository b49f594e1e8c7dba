/**
 * What one Rust file says of where a program begins: its `fn main`, its tests, and the modules it declares.
 *
 * The file is scanned, not compiled: what macros make is not seen, and a `#[cfg]` counts only where it can be told for Linux.
 */

import { tokens, type Token } from './rustTokens';

/** A function that can be started. */
export interface Entry {
  readonly kind: 'main' | 'test';
  readonly name: string;
  /** The modules around it in this file, the outermost first. */
  readonly modules: readonly string[];
  /** Where it begins, with its first attribute, as an offset. */
  readonly at: number;
  /** It is made into several tests, in a module of its name. */
  readonly cases: boolean;
}

/** A module whose text is in another file: `mod name;`. */
export interface Declared {
  readonly name: string;
  readonly modules: readonly string[];
  /** What `#[path]` says. */
  readonly path?: string;
}

export interface RustSource {
  readonly entries: readonly Entry[];
  readonly declared: readonly Declared[];
}

/** An attribute: `#[tokio::test(flavor = "…")]` is the path `tokio::test` and what is behind it. */
interface Attribute {
  readonly at: number;
  readonly path: string;
  readonly rest: readonly Token[];
}

/** What stands between two braces: a module, or what has no tests that can be told. */
interface Block {
  readonly module: string | undefined;
  /** Whether it is left out of tests, or of programs. */
  readonly off: Off;
}

interface Off {
  readonly test: boolean;
  readonly main: boolean;
}

const open = new Map([['(', ')'], ['[', ']'], ['{', '}']]);
const closing = new Set(open.values());
/** What may stand between an attribute and the word `fn` or `mod`. */
const qualifiers = new Set(['pub', 'async', 'unsafe', 'const', 'extern', 'safe']);
/** Attributes of a function, or of its parameters, that make several tests of it (rstest's). */
const multiplying = new Set(['case', 'values', 'files']);

export function rustSource(source: string): RustSource {
  return new Scan(tokens(source)).run();
}

class Scan {
  private readonly entries: Entry[] = [];
  private readonly declared: Declared[] = [];
  private readonly blocks: Block[] = [];
  private attributes: Attribute[] = [];
  private next = 0;

  constructor(private readonly all: readonly Token[]) {}

  run(): RustSource {
    while (this.next < this.all.length) {
      this.step();
    }
    return { entries: this.entries, declared: this.declared };
  }

  private step(): void {
    const text = this.mark(0);
    if (text === '#' && this.mark(1) === '[') {
      this.attributes.push(this.attribute(1));
    } else if (text === '#' && this.mark(1) === '!' && this.mark(2) === '[') {
      // Of what is around it, as `#![allow(…)]`.
      this.attribute(2);
    } else if (this.inModules && this.word(0) === 'mod' && this.word(1) !== undefined) {
      this.module();
    } else if (this.inModules && this.word(0) === 'fn' && this.word(1) !== undefined) {
      this.function();
    } else {
      this.other(text);
    }
  }

  /** Whether only modules are around this place: elsewhere there are neither tests nor modules with files. */
  private get inModules(): boolean {
    return this.blocks.every(({ module }) => module !== undefined);
  }

  private get modules(): string[] {
    return this.blocks.flatMap(({ module }) => module ?? []);
  }

  /** What is left out where this is, by the attributes of it and of all that is around it. */
  private get off(): Off {
    const around = this.blocks.at(-1)?.off ?? { test: false, main: false };
    const cfgs = this.attributes.filter(({ path }) => path === 'cfg').map(({ rest }) => rest);
    const is = (test: boolean): boolean => cfgs.some((cfg) => holds(cfg, test) === false);
    return { test: around.test || is(true), main: around.main || is(false) };
  }

  private module(): void {
    const [name = '', behind] = [this.word(1), this.mark(2)];
    if (behind === '{') {
      this.blocks.push({ module: name, off: this.off });
    } else if (behind === ';') {
      const path = this.attributes.find((attribute) => attribute.path === 'path')?.rest.find(({ kind }) => kind === 'string')?.text;
      this.declared.push({ name, modules: this.modules, ...(path === undefined ? {} : { path }) });
    }
    this.attributes = [];
    this.next += behind === '{' || behind === ';' ? 3 : 2;
  }

  private function(): void {
    const { all, attributes, off } = this;
    const [name = '', at] = [this.word(1), attributes[0]?.at ?? all[this.next]?.at ?? 0];
    const isTest = attributes.some(({ path }) => path.endsWith('test'));
    this.next += 2;
    if (isTest && !off.test) {
      const parameters = all.slice(this.next, this.parametersEnd());
      const inParameters = parameters.some(({ text }, index) => multiplying.has(text) && parameters[index - 1]?.text === '[' && parameters[index - 2]?.text === '#');
      const cases = inParameters || attributes.some(({ path }) => multiplying.has(path.split('::').at(-1) ?? ''));
      this.entries.push({ kind: 'test', name, modules: this.modules, at, cases });
    } else if (!isTest && name === 'main' && this.blocks.length === 0 && !off.main) {
      this.entries.push({ kind: 'main', name, modules: [], at, cases: false });
    }
    this.attributes = [];
  }

  /** Where the parameters end that begin here. */
  private parametersEnd(): number {
    const body = this.all.findIndex(({ kind, text }, index) => index >= this.next && kind === 'mark' && text === '{');
    return body < 0 ? this.all.length : body;
  }

  private other(text: string | undefined): void {
    const word = this.word(0);
    if (text !== undefined && open.has(text)) {
      this.blocks.push({ module: undefined, off: { test: true, main: true } });
    } else if (text !== undefined && closing.has(text)) {
      this.blocks.pop();
    }
    // What may stand between an attribute and its function are qualifiers, and what is in their parentheses: `pub(in path)`.
    if (text === '{' || text === '}' || text === ';' || (word !== undefined && this.inModules && !qualifiers.has(word))) {
      this.attributes = [];
    }
    this.next += 1;
  }

  /** Reads the attribute whose bracket is `ahead` tokens ahead. */
  private attribute(ahead: number): Attribute {
    const [at, begin] = [this.all[this.next]?.at ?? 0, this.next + ahead + 1];
    let depth = 1;
    let end = begin;
    for (; end < this.all.length && depth > 0; end += 1) {
      const { kind, text } = this.all[end] ?? { kind: 'mark', text: ']' };
      depth += kind !== 'mark' ? 0 : open.has(text) ? 1 : closing.has(text) ? -1 : 0;
    }
    this.next = end;
    const inside = this.all.slice(begin, end - 1);
    const behind = inside.findIndex(({ kind, text }) => kind !== 'word' && text !== ':');
    const path = behind < 0 ? inside : inside.slice(0, behind);
    return { at, path: path.map(({ text }) => text).join(''), rest: behind < 0 ? [] : inside.slice(behind) };
  }

  private mark(ahead: number): string | undefined {
    const token = this.all[this.next + ahead];
    return token?.kind === 'mark' ? token.text : undefined;
  }

  private word(ahead: number): string | undefined {
    const token = this.all[this.next + ahead];
    return token?.kind === 'word' ? token.text : undefined;
  }
}

/** What `cfg` knows of every program for Linux; the rest depends on the build. */
const known = new Map<string, string>([['target_os', 'linux'], ['target_family', 'unix'], ['target_arch', 'x86_64'], ['target_pointer_width', '64'], ['target_endian', 'little']]);

/** Whether `(…)` of a `#[cfg(…)]` holds for Linux; `undefined` where that depends on what is not seen here. */
function holds(cfg: readonly Token[], test: boolean): boolean | undefined {
  const [name, behind, value] = split(cfg)[0] ?? [];
  const inner = (): (boolean | undefined)[] => split(split(cfg)[0]?.slice(1) ?? []).map((part) => holds(wrapped(part), test));
  switch (name?.text) {
    case 'not': {
      const [one] = inner();
      return one === undefined ? undefined : !one;
    }
    case 'all': {
      const parts = inner();
      return parts.includes(false) ? false : parts.includes(undefined) ? undefined : true;
    }
    case 'any': {
      const parts = inner();
      return parts.includes(true) ? true : parts.includes(undefined) ? undefined : false;
    }
    case 'test':
      return test;
    case 'unix':
      return true;
    case 'windows':
      return false;
    default: {
      const expected = behind?.text === '=' && value?.kind === 'string' ? known.get(name?.text ?? '') : undefined;
      return expected === undefined ? undefined : expected === value?.text;
    }
  }
}

/** The parts between the commas of `(…)`. */
function split(list: readonly Token[]): Token[][] {
  const parts: Token[][] = [[]];
  let depth = 0;
  for (const token of list.slice(1, -1)) {
    depth += token.kind !== 'mark' ? 0 : open.has(token.text) ? 1 : closing.has(token.text) ? -1 : 0;
    if (token.kind === 'mark' && token.text === ',' && depth === 0) {
      parts.push([]);
    } else {
      parts.at(-1)?.push(token);
    }
  }
  return parts.filter((part) => part.length > 0);
}

function wrapped(part: readonly Token[]): Token[] {
  const mark = (text: string): Token => ({ kind: 'mark', text, at: 0 });
  return [mark('('), ...part, mark(')')];
}
