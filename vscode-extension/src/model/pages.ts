/** All tasks of a snapshot, page by page, as far as a bound allows. */

import type { TasksBody } from './protocol';
import { largePage } from './store';

/** More tasks are not drawn: a picture of them would say no more, and the pages would take seconds. */
export const mostDrawn = 50_000;

/** The page, if it is of the snapshot that was asked for: parts of two are never one answer. */
export function ofGeneration(page: TasksBody, generation: number): TasksBody {
  if (page.generation !== generation) {
    throw new Error('The program has moved on.');
  }
  return page;
}

/**
 * `ask` gets a page of `generation` without looking at the program again, and rejects when that is gone; without a
 * generation it looks, and the further pages are of that look. Rejects rather than give a part as the whole.
 */
export async function allPages(
  ask: (page: { readonly start: number; readonly count: number; readonly generation?: number }) => Promise<TasksBody>,
  wanted: number | undefined,
  most: number,
): Promise<TasksBody> {
  const first = await ask({ start: 0, count: Math.min(largePage, most), ...(wanted === undefined ? {} : { generation: wanted }) });
  const generation = wanted ?? first.generation;
  const tasks = new Map(ofGeneration(first, generation).tasks.map((task) => [task.id, task]));
  let read = first.tasks.length;
  while (read < Math.min(first.matched, most)) {
    const page = ofGeneration(await ask({ start: read, count: Math.min(largePage, most - read), generation }), generation);
    if (page.tasks.length === 0) {
      throw new Error(`The adapter told of ${first.matched} tasks and listed only ${read}.`);
    }
    read += page.tasks.length;
    for (const task of page.tasks) {
      tasks.set(task.id, task);
    }
  }
  return { ...first, tasks: [...tasks.values()] };
}
