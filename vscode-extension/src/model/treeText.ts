/** The tasks as text to paste somewhere, in the form of `weft tasks`. */

import { forest } from './forest';
import { counted, shortPlace, taskLabel } from './rows';
import type { Runtime, Task, TasksBody } from './protocol';

/** A task stands below the task that awaits it, or spawned it; every task is there once. */
export function treeText(body: TasksBody): string {
  const { roots, below } = forest(body.tasks);
  const lines: string[] = [];
  const known = new Set(body.runtimes.map((runtime) => runtime.id));
  const add = (tops: readonly Task[]): void => {
    // A chain of awaits can be longer than a call stack is deep.
    const todo = [...tops].reverse().map((task) => ({ task, depth: 0 }));
    for (let next = todo.pop(); next; next = todo.pop()) {
      const { task, depth } = next;
      lines.push(taskLine(task, depth));
      todo.push(...[...(below.get(task.id) ?? [])].reverse().map((child) => ({ task: child, depth: depth + 1 })));
    }
  };
  for (const runtime of body.runtimes) {
    lines.push(runtimeLine(runtime));
    add(roots.filter((task) => task.runtime === runtime.id));
  }
  add(roots.filter((task) => task.runtime === undefined || !known.has(task.runtime)));
  lines.push(...body.problems.map(({ kind, text }) => `${kind}: ${text}`), ...body.notes.map((note) => `note: ${note}`));
  return lines.map((line) => `${line}\n`).join('');
}

function runtimeLine({ kind, name, taskCount, threads }: Runtime): string {
  return [`${kind}${name === undefined ? '' : ` "${name}"`}`, counted(taskCount ?? 0, 'task'), counted(threads ?? 0, 'thread')].join(', ');
}

/** So deep is a line indented at most: deeper ones would be blanks for the most part. */
const deepest = 100;

function taskLine(task: Task, depth: number): string {
  const kind = task.kind === 'task' ? '' : ` (${task.kind})`;
  const place = task.location ? ` at ${shortPlace(task.location)}` : '';
  return `${'  '.repeat(Math.min(depth, deepest))}${String(task.id).padStart(4)} ${taskLabel(task)}${kind} ${doing(task)}${place}`;
}

function doing({ state, error, waitingOn, osThread }: Task): string {
  const word = state ?? '?';
  if (error !== undefined) {
    return `${word}: ${error}`;
  }
  return waitingOn ? `${word}: ${waitingOn.text}` : osThread === undefined ? word : `${word} on thread ${osThread}`;
}
