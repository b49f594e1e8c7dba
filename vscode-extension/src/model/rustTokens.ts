/** The words and marks of Rust source: what is left of it without comments, strings and characters. */

export interface Token {
  readonly kind: 'word' | 'mark' | 'string';
  /** A word or a mark as it stands; the content of a string, escapes as they were written. */
  readonly text: string;
  /** Where it begins, as an offset. */
  readonly at: number;
}

/** Whatever may stand before the quotes of a string: `b`, `c`, `r` and what is made of them. */
const stringPrefix = /(?:b|c|r|br|cr)?(?=")|(?:r|br|cr)(?=#+")/y;
const word = /(?:r#)?[\p{XID_Start}_][\p{XID_Continue}]*/uy;
const number = /[0-9][0-9A-Za-z_]*(?:\.[0-9][0-9A-Za-z_]*)?/y;
/** A character, or a byte: in quotes one of them, or an escape. What is no such thing after a quote is a lifetime. */
const character = /b?'(?:\\(?:u\{[^}']*\}|x[0-9a-fA-F]{2}|[^ux])|[^\\'\n])'/uy;
const lifetime = /'[\p{XID_Start}_][\p{XID_Continue}]*/uy;

/** All tokens of a source. What is left open at its end (a comment, a string) ends there. */
export function tokens(source: string): Token[] {
  const found: Token[] = [];
  // A script may name what runs it.
  let at = /^#!(?!\s*\[).*/.exec(source)?.[0].length ?? 0;
  while (at < source.length) {
    const next = source.startsWith('//', at) ? lineEnd(source, at) : source.startsWith('/*', at) ? commentEnd(source, at) : undefined;
    if (next !== undefined) {
      at = next;
    } else if (/\s/.test(source.charAt(at))) {
      at += 1;
    } else {
      at = token(source, at, found);
    }
  }
  return found;
}

/** Reads one token, and returns where the next may begin. */
function token(source: string, at: number, found: Token[]): number {
  const prefix = match(stringPrefix, source, at);
  if (prefix !== undefined) {
    return text(source, at, at + prefix.length, prefix.endsWith('r'), found);
  }
  const skipped = match(character, source, at) ?? match(lifetime, source, at) ?? match(number, source, at);
  if (skipped !== undefined) {
    return at + skipped.length;
  }
  const name = match(word, source, at);
  found.push({ kind: name === undefined ? 'mark' : 'word', text: name ?? source.charAt(at), at });
  return at + (name?.length ?? 1);
}

/** Reads a string, whose hashes and quotes begin at `open`. */
function text(source: string, at: number, open: number, raw: boolean, found: Token[]): number {
  const hashes = /#*/y;
  hashes.lastIndex = open;
  const count = raw ? (hashes.exec(source)?.[0].length ?? 0) : 0;
  const begin = open + count + 1;
  const end = raw ? source.indexOf(`"${'#'.repeat(count)}`, begin) : quote(source, begin);
  const stop = end < 0 ? source.length : end;
  found.push({ kind: 'string', text: source.slice(begin, stop), at });
  return stop + count + 1;
}

/** Where the string that began before `at` has its closing quote; -1 if nowhere. */
function quote(source: string, at: number): number {
  for (let place = at; place < source.length; place += 1) {
    if (source[place] === '\\') {
      place += 1;
    } else if (source[place] === '"') {
      return place;
    }
  }
  return -1;
}

function lineEnd(source: string, at: number): number {
  const end = source.indexOf('\n', at);
  return end < 0 ? source.length : end;
}

/** Comments in `/*` can hold others. */
function commentEnd(source: string, at: number): number {
  let depth = 0;
  const marks = /\/\*|\*\//g;
  marks.lastIndex = at;
  for (let mark = marks.exec(source); mark; mark = marks.exec(source)) {
    depth += mark[0] === '/*' ? 1 : -1;
    if (depth === 0) {
      return marks.lastIndex;
    }
  }
  return source.length;
}

function match(pattern: RegExp, source: string, at: number): string | undefined {
  pattern.lastIndex = at;
  return pattern.exec(source)?.[0];
}
