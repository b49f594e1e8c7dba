/** What the compiler says while a program is built, from the adapter's `output` events, and where it belongs. */

/** A place in a file, counted from 0, and what is said of it. */
export interface Diagnostic {
  readonly file: string;
  readonly line: number;
  readonly column: number;
  /** Where the underlined part ends. */
  readonly end: number;
  readonly severity: 'error' | 'warning';
  readonly code?: string;
  readonly message: string;
}

const head = /^(error|warning)(?:\[([A-Za-z0-9_:]+)\])?: (.+)/;

/** A message of the compiler's; what else is said has no place in a file, or does not begin like one. */
export function diagnosticOf(body: unknown): Diagnostic | undefined {
  const [output, file] = [member(body, 'output'), member(member(body, 'source'), 'path')];
  const [line, column] = [member(body, 'line'), member(body, 'column')];
  const found = typeof output === 'string' ? head.exec(output) : null;
  if (typeof output !== 'string' || !found || typeof file !== 'string' || !isPlace(line)) {
    return undefined;
  }
  const [, severity, code, summary] = found;
  const start = isPlace(column) ? column - 1 : 0;
  return {
    file,
    line: line - 1,
    column: start,
    end: start + underlined(output),
    severity: severity === 'error' ? 'error' : 'warning',
    ...(code === undefined ? {} : { code }),
    message: [summary ?? '', ...advice(output)].join('\n'),
  };
}

/** How much of its line the compiler underlines: at least one character. */
function underlined(text: string): number {
  return /^[ 0-9]*\|[^^\n]*?(\^+)/m.exec(text)?.[1]?.length ?? 1;
}

/** What it adds: the words at the underlined part, notes and help. */
function advice(text: string): readonly string[] {
  const said = [...text.matchAll(/^[ 0-9]*\|[^^\n]*\^+ (.+)$|^ *= ((?:note|help): .+)$|^((?:note|help): .+)$/gm)];
  return said.map(([, label, note, help]) => label ?? note ?? help ?? '').filter((line) => line !== '');
}

function isPlace(value: unknown): value is number {
  return typeof value === 'number' && Number.isSafeInteger(value) && value > 0;
}

function member(of: unknown, name: string): unknown {
  return typeof of === 'object' && of !== null ? (of as Record<string, unknown>)[name] : undefined;
}
