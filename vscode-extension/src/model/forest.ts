/** Who stands below whom in the tree of tasks: every task exactly once, whatever the program's graph looks like. */

import type { Task } from './protocol';

export interface Forest {
  readonly roots: readonly Task[];
  /** The tasks directly below one, in the order of the list. */
  readonly below: ReadonlyMap<number, readonly Task[]>;
}

/**
 * A task stands below the first listed task that awaits it; one that nobody awaits, below the task that spawned it.
 * Of tasks that stand below each other in a circle, the first in the list is a root.
 */
export function forest(tasks: readonly Task[]): Forest {
  const known = new Set(tasks.map((task) => task.id));
  const parents = new Map<number, number>();
  for (const task of tasks) {
    const above = [...task.awaitedBy.map((awaiter) => awaiter.task), task.spawnedBy].find((id) => id !== undefined && id !== task.id && known.has(id));
    if (above !== undefined) {
      parents.set(task.id, above);
    }
  }
  cutCircles(tasks, parents);
  const roots: Task[] = [];
  const below = new Map<number, Task[]>();
  for (const task of tasks) {
    const above = parents.get(task.id);
    if (above === undefined) {
      roots.push(task);
    } else {
      const siblings = below.get(above);
      if (siblings) {
        siblings.push(task);
      } else {
        below.set(above, [task]);
      }
    }
  }
  return { roots, below };
}

/** Takes the parent away from one member of every circle. Each task is walked over once. */
function cutCircles(tasks: readonly Task[], parents: Map<number, number>): void {
  const position = new Map(tasks.map((task, index) => [task.id, index]));
  const clear = new Set<number>();
  for (const task of tasks) {
    const path: number[] = [];
    const onPath = new Set<number>();
    let at: number | undefined = task.id;
    while (at !== undefined && !clear.has(at) && !onPath.has(at)) {
      path.push(at);
      onPath.add(at);
      at = parents.get(at);
    }
    if (at !== undefined && onPath.has(at)) {
      const circle = path.slice(path.indexOf(at));
      parents.delete(circle.reduce((first, id) => ((position.get(id) ?? 0) < (position.get(first) ?? 0) ? id : first)));
    }
    for (const id of path) {
      clear.add(id);
    }
  }
}
