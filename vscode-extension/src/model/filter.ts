/** What is typed into the filter box, as a filter of `asyncTasks`. */

import { taskStates, type Runtime, type TaskFilter, type TaskState } from './protocol';

/** A filter, or the sentence that says what is wrong with what was typed. */
export type Parsed = { readonly filter: TaskFilter } | { readonly error: string };

/**
 * `state:waiting,ready` and `runtime:NAME` (or its number) are conditions of their own, wherever they stand; the
 * rest is looked for as it was typed.
 */
export function parseFilter(typed: string, runtimes: readonly Runtime[]): Parsed {
  const states: TaskState[] = [];
  let runtime: number | undefined;
  const rest: string[] = [];
  for (const word of typed.trim().split(/\s+/)) {
    const [, key, value = ''] = /^(state|runtime):(.+)$/i.exec(word) ?? [];
    if (key === undefined) {
      rest.push(word);
    } else if (key.toLowerCase() === 'state') {
      for (const name of value.toLowerCase().split(',').filter((part) => part !== '')) {
        const state = taskStates.find((known) => known === name);
        if (!state) {
          return { error: `There is no state "${name}". States are ${taskStates.join(', ')}.` };
        }
        states.push(state);
      }
    } else {
      const found = findRuntime(value, runtimes);
      if (found === undefined) {
        return { error: `There is no runtime "${value}". ${runtimeNames(runtimes)}` };
      }
      runtime = found;
    }
  }
  const text = rest.join(' ');
  return { filter: { ...(text === '' ? {} : { text }), ...(states.length > 0 ? { states } : {}), ...(runtime === undefined ? {} : { runtime }) } };
}

/** Whether it lets every task through. */
export function isEmpty({ text, states, runtime }: TaskFilter): boolean {
  return text === undefined && states === undefined && runtime === undefined;
}

/** Both filters at once; `undefined` when no task can pass them. */
export function both(one: TaskFilter, other: { readonly states?: readonly TaskState[]; readonly runtime?: number }): TaskFilter | undefined {
  const states = one.states && other.states ? one.states.filter((state) => other.states?.includes(state)) : (one.states ?? other.states);
  const clash = one.runtime !== undefined && other.runtime !== undefined && one.runtime !== other.runtime;
  if (clash || states?.length === 0) {
    return undefined;
  }
  return { ...one, ...other, ...(states ? { states } : {}) };
}

function findRuntime(value: string, runtimes: readonly Runtime[]): number | undefined {
  const wanted = value.toLowerCase();
  const found = runtimes.find(({ id, name, kind }) => [String(id), name?.toLowerCase(), kind].includes(wanted));
  return typeof found?.id === 'number' ? found.id : undefined;
}

function runtimeNames(runtimes: readonly Runtime[]): string {
  const names = runtimes.map(({ id, name, kind }) => `${name ?? kind} (${id})`);
  return names.length === 0 ? 'None is known yet.' : `Runtimes are ${names.join(', ')}.`;
}
