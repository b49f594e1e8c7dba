/** Scopes and variables as DAP tells them, and the pages in which large ones are read. */

export interface Container {
  readonly reference: number;
  readonly named?: number | undefined;
  readonly indexed?: number | undefined;
  /** The first element, for a part of a long list. */
  readonly start?: number | undefined;
}

export interface Scope extends Container {
  readonly name: string;
  readonly expensive: boolean;
  readonly hint: string | undefined;
}

export interface Variable extends Container {
  readonly name: string;
  readonly value: string;
  readonly type: string | undefined;
}

/** A `variables` request, or a part of a list that is read when it is opened. */
export type Portion =
  | { readonly kind: 'request'; readonly arguments: object }
  | { readonly kind: 'part'; readonly label: string; readonly container: Container };

/** Elements that are read at a time, and parts on one level. */
const pageSize = 100;

/** Values without pages are shown up to here. */
export const mostValues = 1000;

/** How a container is read: what it has by name, and its elements a page at a time. */
export function portions({ reference, named, indexed, start = 0 }: Container): readonly Portion[] {
  if (indexed === undefined || indexed === 0) {
    return [{ kind: 'request', arguments: { variablesReference: reference } }];
  }
  const names: readonly Portion[] =
    named === undefined || named === 0 ? [] : [{ kind: 'request', arguments: { variablesReference: reference, filter: 'named' } }];
  if (indexed <= pageSize) {
    return [...names, { kind: 'request', arguments: { variablesReference: reference, filter: 'indexed', start, count: indexed } }];
  }
  let size = pageSize;
  while (indexed > size * pageSize) {
    size *= pageSize;
  }
  const parts = Array.from({ length: Math.ceil(indexed / size) }, (_, index): Portion => {
    const from = index * size;
    const count = Math.min(size, indexed - from);
    return { kind: 'part', label: `[${start + from}..${start + from + count - 1}]`, container: { reference, indexed: count, start: start + from } };
  });
  return [...names, ...parts];
}

/** Reads the body of a `scopes` answer. */
export function decodeScopes(body: unknown): readonly Scope[] {
  return items(body, 'scopes').map((from) => ({
    ...container(from),
    name: text(from['name']) ?? 'Scope',
    expensive: from['expensive'] === true,
    hint: text(from['presentationHint']),
  }));
}

/** Reads the body of a `variables` answer. */
export function decodeVariables(body: unknown): readonly Variable[] {
  return items(body, 'variables').map((from) => ({
    ...container(from),
    name: text(from['name']) ?? '',
    value: text(from['value']) ?? '',
    type: text(from['type']),
  }));
}

function container(from: Readonly<Record<string, unknown>>): Container {
  return { reference: count(from['variablesReference']) ?? 0, named: count(from['namedVariables']), indexed: count(from['indexedVariables']) };
}

function items(body: unknown, name: string): readonly Readonly<Record<string, unknown>>[] {
  const list = typeof body === 'object' && body !== null ? (body as Record<string, unknown>)[name] : undefined;
  return Array.isArray(list) ? list.filter((item): item is Readonly<Record<string, unknown>> => typeof item === 'object' && item !== null) : [];
}

function text(value: unknown): string | undefined {
  return typeof value === 'string' ? value : undefined;
}

function count(value: unknown): number | undefined {
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= 0 ? value : undefined;
}

/** Longer values are cut at the ends of lines. */
const longestInline = 60;

/** What a native frame says of a variable that has no value here. */
const absent = /^<(?:not |moved|optimi[sz]ed|unavailable)/;

/**
 * The variables of a frame by name: those that have a value, and the names of which several are in scope, where
 * the source alone does not tell which one is meant.
 */
export function inlineVariables(variables: readonly Variable[]): { values: ReadonlyMap<string, string>; shadowed: ReadonlySet<string> } {
  const values = new Map<string, string>();
  const shadowed = new Set<string>();
  for (const { name, value } of variables) {
    const hidden = /^(.+) \(shadowed\)/.exec(name)?.[1];
    if (hidden !== undefined) {
      shadowed.add(hidden);
    } else if (values.has(name)) {
      shadowed.add(name);
    } else if (!absent.test(value)) {
      values.set(name, value);
    }
  }
  return { values, shadowed };
}

/** `order = 3`, on one line and not too long. */
export function inlineText(name: string, value: string): string {
  const line = value.replace(/\s+/g, ' ');
  return `${name} = ${line.length > longestInline ? `${line.slice(0, longestInline - 1)}…` : line}`;
}
