/** All tasks of a snapshot, page by page, as far as a bound allows. */

import type { TasksBody } from './protocol';

/** More tasks are not asked for: a picture of them would say no more, and the pages would take seconds. */
export const maxTasks = 50_000;

const tasksOfPage = 5000;

/** `ask` gets a page of `generation` without looking at the program again; it rejects when that is gone. */
export async function allPages(
  ask: (page: { readonly start: number; readonly count: number; readonly generation: number }) => Promise<TasksBody>,
  generation: number,
  most = maxTasks,
): Promise<TasksBody> {
  const first = await ask({ start: 0, count: Math.min(tasksOfPage, most), generation });
  const tasks = new Map(first.tasks.map((task) => [task.id, task]));
  let asked = first.tasks.length;
  while (asked < Math.min(first.matched, most)) {
    const page = await ask({ start: asked, count: Math.min(tasksOfPage, most - asked), generation });
    if (page.generation !== generation || page.tasks.length === 0) {
      break;
    }
    asked += page.tasks.length;
    for (const task of page.tasks) {
      tasks.set(task.id, task);
    }
  }
  return { ...first, tasks: [...tasks.values()] };
}
