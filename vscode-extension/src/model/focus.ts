/**
 * Which tasks are threads, learned from `asyncFocusTask`: its success is followed by a `stopped` event that names the
 * task's thread. None follows when a task is only listed (`listed`), or when the request fails.
 */

import { firstTaskThread } from './protocol';

export class FocusedThreads {
  /** The task of a request that was not answered yet, by the request's number. */
  private readonly asked = new Map<number, number>();
  /** The task whose `stopped` event is on its way. */
  private awaited: number | undefined;
  private readonly tasks = new Map<number, number>();

  requested(seq: number, from: unknown): void {
    const { task, listed } = (from ?? {}) as { readonly task?: unknown; readonly listed?: unknown };
    if (typeof task === 'number' && listed === undefined) {
      this.asked.set(seq, task);
    }
  }

  answered(seq: number, success: boolean): void {
    const task = this.asked.get(seq);
    this.asked.delete(seq);
    if (success && task !== undefined) {
      this.awaited = task;
    }
  }

  /** The program stops, or says again that it stands. */
  stopped(reason: string | undefined, thread: number | undefined): void {
    if (this.awaited !== undefined && reason === 'pause' && thread !== undefined && thread >= firstTaskThread) {
      this.tasks.set(thread, this.awaited);
    }
    this.awaited = undefined;
  }

  /** The program runs: what stops it next is something else. */
  resumed(): void {
    this.awaited = undefined;
  }

  /** The task that is this thread, which holds for the session. */
  taskOf(thread: number): number | undefined {
    return this.tasks.get(thread);
  }
}
