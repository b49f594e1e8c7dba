/** What the status bar says of a debug session's tasks, and which of its problems nobody has been told of. */

import type { Problem } from './protocol';
import { counted } from './rows';
import type { SessionState } from './store';

export interface Status {
  /** With the names of icons. */
  readonly text: string;
  /** The same in words, for who hears or hovers. */
  readonly label: string;
  readonly severity: 'none' | 'warning' | 'error';
}

/** `undefined` while there is no session that has tasks to speak of. */
export function status(state: SessionState | undefined): Status | undefined {
  if (!state || state.run === 'starting' || state.run === 'ended') {
    return undefined;
  }
  const { snapshot } = state;
  if (!snapshot || state.stale) {
    return { text: '$(list-tree) Async tasks', label: state.run === 'running' ? 'The program is running' : 'Async tasks are not known yet', severity: 'none' };
  }
  const { total, problems } = snapshot;
  const tasks = counted(total, 'task');
  if (problems.length === 0) {
    return { text: `$(list-tree) ${tasks}`, label: tasks, severity: 'none' };
  }
  const isError = problems.some(({ severity }) => severity === 'error');
  return {
    text: `$(list-tree) ${tasks} $(${isError ? 'error' : 'warning'}) ${problems.length}`,
    label: `${tasks}, ${counted(problems.length, 'problem')}: ${problems.slice(0, 5).map(({ text }) => text).join('; ')}`,
    severity: isError ? 'error' : 'warning',
  };
}

/** A problem is the same as long as its kind and its tasks are: its words may count milliseconds. */
export function problemKey({ kind, tasks }: Problem): string {
  return `${kind}:${[...tasks].sort((one, other) => one - other).join(',')}`;
}

/** The problems of a stop that are not among those told before. */
export function news(state: SessionState, told: ReadonlySet<string>): readonly Problem[] {
  const current = state.run === 'stopped' && !state.stale ? (state.snapshot?.problems ?? []) : [];
  return current.filter((problem) => !told.has(problemKey(problem)));
}
