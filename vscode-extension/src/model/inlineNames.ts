/**
 * Where a function's variables are named in its source, up to the line where it stopped: found by reading the
 * text as the language does, so that neither comments nor strings count.
 */

/** A name in code. Lines and columns count from 0. */
export interface Place {
  readonly name: string;
  readonly line: number;
  readonly column: number;
}

/** A name together with the function it is in, told by the line of its `fn` or `def` (-1: none). */
interface Token extends Place {
  readonly owner: number;
}

/** What a reader of a language finds: names, and for each line in which function it begins. */
interface Reading {
  readonly tokens: readonly Token[];
  readonly owners: readonly number[];
}

/** Larger files are not read: names at the ends of lines are not worth a stall. */
const longestText = 2_000_000;

/**
 * The first place of each of `names` on each line of the stopped function, up to and including `stopped`.
 * A name of which several variables are in scope (`only on the stopped line`) counts there alone.
 */
export function inlineNames(language: 'rust' | 'python', text: string, stopped: number, names: ReadonlySet<string>, shadowed: ReadonlySet<string>): readonly Place[] {
  if (text.length > longestText) {
    return [];
  }
  const { tokens, owners } = language === 'rust' ? readRust(text, stopped) : readPython(text, stopped);
  const owner = owners[stopped];
  const seen = new Set<string>();
  return tokens
    .filter((token) => {
      const key = `${token.line} ${token.name}`;
      const wanted = token.owner === owner && names.has(token.name) && (token.line === stopped || !shadowed.has(token.name)) && !seen.has(key);
      seen.add(key);
      return wanted;
    })
    .map(({ name, line, column }) => ({ name, line, column }));
}

const identifier = /[\p{XID_Start}_][\p{XID_Continue}]*/uy;
const number = /[0-9][\p{XID_Continue}]*/uy;

/** A text that is read from its begin, and knows the line and column where it is. */
class Reader {
  at = 0;
  line = 0;
  private begin = 0;

  constructor(readonly text: string) {}

  get done(): boolean {
    return this.at >= this.text.length;
  }

  get column(): number {
    return this.at - this.begin;
  }

  peek(ahead = 0): string {
    return this.text[this.at + ahead] ?? '';
  }

  has(what: string): boolean {
    return this.text.startsWith(what, this.at);
  }

  skip(count = 1): void {
    for (let left = count; left > 0 && !this.done; left -= 1) {
      this.at += 1;
      if (this.text[this.at - 1] === '\n') {
        this.line += 1;
        this.begin = this.at;
      }
    }
  }

  /** Skips up to the text and over it. */
  past(what: string): void {
    const end = this.text.indexOf(what, this.at);
    this.skip((end < 0 ? this.text.length : end + what.length) - this.at);
  }

  /** Skips to the end of the line. */
  restOfLine(): void {
    const end = this.text.indexOf('\n', this.at);
    this.skip((end < 0 ? this.text.length : end) - this.at);
  }

  /** What the (sticky) pattern finds here; it is not skipped. */
  match(pattern: RegExp): string | undefined {
    pattern.lastIndex = this.at;
    return pattern.exec(this.text)?.[0];
  }

  /** Skips over a string whose opening quote was skipped. */
  string(quote: string): void {
    while (!this.done && !this.has(quote)) {
      this.skip(this.peek() === '\\' ? 2 : 1);
    }
    this.skip(quote.length);
  }
}

interface RustBlock {
  readonly bracket: string;
  /** The line of the function whose body it is, or lies in. */
  readonly owner: number;
}

const rustRawString = /(?:b|c)?r(#*)"/y;
const rustChar = /b?'(?:[^\\'\n]|\\(?:[^xu]|x[0-9a-fA-F]{2}|u\{[^}]*\}))'/uy;
const rustLifetime = /'[\p{XID_Start}_][\p{XID_Continue}]*/uy;

function readRust(text: string, last: number): Reading {
  const reader = new Reader(text);
  const tokens: Token[] = [];
  const owners: number[] = [];
  const blocks: RustBlock[] = [];
  /** A function whose `{` has not come, and how many brackets were open at its `fn`. */
  let pending: { line: number; depth: number } | undefined;
  let before = '';
  const owner = (): number => pending?.line ?? blocks.at(-1)?.owner ?? -1;
  while (!reader.done && reader.line <= last) {
    owners[reader.line] ??= owner();
    const raw = reader.match(rustRawString);
    const char = reader.match(rustChar) ?? reader.match(rustLifetime);
    const next = reader.peek();
    if (/\s/.test(next)) {
      reader.skip();
      continue;
    }
    if (reader.has('//')) {
      reader.restOfLine();
      continue;
    }
    if (reader.has('/*')) {
      rustComment(reader, owners, owner());
      continue;
    }
    if (raw !== undefined) {
      reader.skip(raw.length);
      reader.past(`"${raw.replace(/[^#]/g, '')}`);
      before = '"';
    } else if (next === '"' || /^[bc]"/.test(next + reader.peek(1))) {
      reader.skip(next === '"' ? 1 : 2);
      reader.string('"');
      before = '"';
    } else if (char !== undefined) {
      reader.skip(char.length);
      before = "'";
    } else {
      before = rustToken(reader, before);
    }
    for (let line = owners.length; line <= Math.min(reader.line, last); line += 1) {
      owners[line] = owner();
    }
  }
  owners[last] ??= owner();
  return { tokens, owners };

  function rustToken(from: Reader, previous: string): string {
    const word = from.match(identifier);
    if (word === undefined) {
      return rustSymbol(from);
    }
    const { line, column } = from;
    from.skip(word.length);
    if (word === 'r' && from.peek() === '#') {
      // `r#type` is the name `type`.
      from.skip();
      return 'r#';
    }
    const rest = /^\s*(::|!|:|\()?(.)?/s.exec(from.text.slice(from.at, from.at + 80)) ?? [];
    if (word === 'fn' && rest[1] !== '(') {
      pending = { line, depth: blocks.length };
      owners[line] = line;
    }
    const isPath = previous === '::' || rest[1] === '::';
    const isMacro = rest[1] === '!' && rest[2] !== '=';
    // `Order { id: 3 }`: a field's name, as in a type's definition.
    const isField = previous === '.' || (rest[1] === ':' && blocks.at(-1)?.bracket === '{' && (previous === '{' || previous === ','));
    if (!isPath && !isMacro && !isField) {
      tokens.push({ name: word, line, column, owner: owner() });
    }
    return word;
  }

  function rustSymbol(from: Reader): string {
    const digits = from.match(number);
    const two = from.peek() + from.peek(1);
    const symbol = digits ?? (two === '::' || two === '..' ? two : from.peek());
    from.skip(symbol.length);
    if (symbol === '{') {
      blocks.push({ bracket: symbol, owner: owner() });
      pending = undefined;
    } else if (symbol === '(' || symbol === '[') {
      blocks.push({ bracket: symbol, owner: blocks.at(-1)?.owner ?? -1 });
    } else if (symbol === '}' || symbol === ')' || symbol === ']') {
      blocks.pop();
    } else if (symbol === ';' && pending && blocks.length <= pending.depth) {
      pending = undefined;
    }
    return symbol;
  }
}

/** Comments nest. */
function rustComment(reader: Reader, owners: number[], owner: number): void {
  let depth = 0;
  do {
    const opens = reader.has('/*');
    const closes = reader.has('*/');
    depth += opens ? 1 : closes ? -1 : 0;
    reader.skip(opens || closes ? 2 : 1);
    owners[reader.line] ??= owner;
  } while (depth > 0 && !reader.done);
}

const pythonString = /([rRbBuUfFtT]{0,2})("""|'''|"|')/y;

function readPython(text: string, last: number): Reading {
  const reader = new Reader(text);
  const tokens: Token[] = [];
  const owners: number[] = [];
  const scopes: { column: number; line: number }[] = [];
  let depth = 0;
  /** Between `def` and its colon, where `name=` gives a parameter its default. */
  let signature = false;
  let begins = true;
  let before = '';
  const owner = (): number => scopes.at(-1)?.line ?? -1;
  const mark = (): void => {
    for (let line = owners.length; line <= Math.min(reader.line, last); line += 1) {
      owners[line] = owner();
    }
  };
  while (!reader.done && reader.line <= last) {
    const next = reader.peek();
    if (next === '\n') {
      begins = depth === 0;
      reader.skip();
    } else if (reader.has('\\\n')) {
      reader.skip(2);
    } else if (/\s/.test(next)) {
      reader.skip();
    } else if (next === '#') {
      reader.restOfLine();
    } else {
      code();
    }
  }
  mark();
  owners[last] ??= owner();
  return { tokens, owners };

  function code(): void {
    if (begins) {
      begins = false;
      while ((scopes.at(-1)?.column ?? -1) >= reader.column) {
        scopes.pop();
      }
      // Lines without code belong to what follows them.
      if (/^(?:async\s+def|def|class)\s/.test(text.slice(reader.at, reader.at + 200))) {
        scopes.push({ column: reader.column, line: reader.line });
      }
    }
    mark();
    const string = reader.match(pythonString);
    if (string !== undefined) {
      quoted(string);
    } else {
      token();
    }
    mark();
  }

  function token(): void {
    const word = reader.match(identifier);
    if (word === undefined) {
      symbol(reader.match(number) ?? reader.peek());
      return;
    }
    const { line, column } = reader;
    reader.skip(word.length);
    signature = signature || word === 'def';
    const rest = /^[ \t]*(==|=)?/.exec(text.slice(reader.at, reader.at + 80))?.[1];
    const isArgument = depth > 0 && !signature && rest === '=' && (before === '(' || before === ',');
    if (before !== '.' && !isArgument) {
      tokens.push({ name: word, line, column, owner: owner() });
    }
    before = word;
  }

  function symbol(what: string): void {
    reader.skip(what.length);
    depth += '([{'.includes(what) ? 1 : ')]}'.includes(what) ? -1 : 0;
    depth = Math.max(depth, 0);
    if (what === ':' && depth === 0) {
      signature = false;
    }
    before = what;
  }

  /** A string. Names in the braces of an f-string are code, also in its format. */
  function quoted(opening: string): void {
    const quote = opening.replace(/^[a-zA-Z]*/, '');
    const prefix = opening.slice(0, opening.length - quote.length).toLowerCase();
    reader.skip(opening.length);
    if (/[ft]/.test(prefix)) {
      literal(quote, prefix.includes('r'));
      reader.skip(quote.length);
    } else {
      // In a raw string a backslash keeps a quote from ending it, too.
      plain(quote);
    }
    before = quote;
  }

  function plain(quote: string): void {
    while (!reader.done && !reader.has(quote)) {
      if (quote.length === 1 && reader.peek() === '\n') {
        return;
      }
      reader.skip(reader.peek() === '\\' ? 2 : 1);
    }
    reader.skip(quote.length);
  }

  /** Up to where `end` stands: the text between the braces of an f-string, or the format of a value. */
  function literal(end: string, raw: boolean): void {
    while (!reader.done && !reader.has(end)) {
      if (end.length === 1 && reader.peek() === '\n') {
        return;
      }
      if (end !== '}' && (reader.has('{{') || reader.has('}}'))) {
        reader.skip(2);
      } else if (reader.peek() === '{') {
        reader.skip();
        field(raw);
      } else {
        reader.skip(reader.peek() === '\\' && !raw ? 2 : 1);
      }
    }
  }

  /** What stands in braces: an expression, perhaps `!r`, perhaps `:` and a format, the closing brace. */
  function field(raw: boolean): void {
    const outside = depth;
    before = '{';
    while (!reader.done && reader.line <= last) {
      const next = reader.peek();
      if (depth === outside && next === '}') {
        reader.skip();
        return;
      }
      if (depth === outside && next === ':') {
        reader.skip();
        literal('}', raw);
      } else if (depth === outside && next === '!' && reader.peek(1) !== '=') {
        reader.skip(2);
      } else if (/\s/.test(next)) {
        reader.skip();
      } else {
        const string = reader.match(pythonString);
        if (string !== undefined) {
          quoted(string);
        } else {
          token();
        }
      }
    }
  }
}
