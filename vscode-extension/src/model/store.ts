/**
 * What is known of one debug session's tasks: a value, and the one function that changes it.
 *
 * **Invariant:** a snapshot is shown only until the program moves on, and never replaced by an older one.
 * Three things hold it: `announced` (the newest generation the adapter spoke of), `asked` (the one request
 * whose answer counts; resuming forgets it) and `stale` (the rows of the last stop, once the program moved on).
 */

import type { Frame, TasksBody } from './protocol';

/** Tasks asked for at a time. */
export const pageSize = 1000;

export type Run = 'starting' | 'running' | 'stopped' | 'ended';

/** What one `asyncTasks` request asks. `generation` is set on later pages of a snapshot. */
export interface Ask {
  readonly start: number;
  readonly count: number;
  readonly generation?: number;
}

export interface SessionState {
  readonly run: Run;
  readonly snapshot: TasksBody | undefined;
  /** The rows belong to a stop that is over. They stay for a moment, so that a step does not blink. */
  readonly stale: boolean;
  /** Why the last request was refused, in the adapter's words. */
  readonly failure: string | undefined;
  /** Logical stacks of the snapshot's tasks that were asked for, by task id. */
  readonly stacks: ReadonlyMap<number, readonly Frame[]>;
  /** The newest generation the adapter announced; an answer older than it is dropped. -1: none yet. */
  readonly announced: number;
  /** A generation was announced that is neither shown nor asked for. */
  readonly news: boolean;
  readonly asked: { readonly ticket: number; readonly ask: Ask } | undefined;
  readonly wish: 'refresh' | 'more' | undefined;
  readonly tickets: number;
}

export type Action =
  /** The debuggee is there: what was asked for was launched, or attached to. */
  | { readonly type: 'started' }
  | { readonly type: 'stopped' }
  | { readonly type: 'resumed' }
  /** The program has been running long enough for the rows of the last stop to go. */
  | { readonly type: 'settled' }
  | { readonly type: 'ended' }
  | { readonly type: 'changed'; readonly generation: number }
  /** The user wants the tasks of now, whether or not the program runs. */
  | { readonly type: 'refresh' }
  | { readonly type: 'more' }
  | { readonly type: 'asked'; readonly ask: Ask }
  | { readonly type: 'answered'; readonly ticket: number; readonly body: TasksBody }
  | { readonly type: 'refused'; readonly ticket: number; readonly message: string }
  | { readonly type: 'stack'; readonly generation: number; readonly task: number; readonly frames: readonly Frame[] };

export const initial: SessionState = {
  run: 'starting',
  snapshot: undefined,
  stale: false,
  failure: undefined,
  stacks: new Map(),
  announced: -1,
  news: false,
  asked: undefined,
  wish: undefined,
  tickets: 0,
};

export function reduce(state: SessionState, action: Action): SessionState {
  switch (action.type) {
    case 'started':
      return state.run === 'starting' ? { ...state, run: 'running' } : state;
    case 'stopped':
      return state.run === 'ended' ? state : { ...state, run: 'stopped' };
    case 'resumed':
      return state.run === 'ended'
        ? state
        : {
            ...state,
            run: 'running',
            stale: state.snapshot !== undefined,
            news: false,
            asked: undefined,
            wish: undefined,
            failure: undefined,
          };
    case 'settled':
      return state.run === 'running' && state.stale ? cleared(state) : state;
    case 'ended':
      return { ...cleared(state), run: 'ended', asked: undefined, wish: undefined, failure: undefined };
    case 'changed':
      return {
        ...state,
        announced: Math.max(state.announced, action.generation),
        news: state.news || action.generation > shownGeneration(state),
      };
    case 'refresh':
      return state.run === 'starting' || state.run === 'ended' ? state : { ...state, wish: 'refresh' };
    case 'more':
      return hasMore(state) && state.wish === undefined ? { ...state, wish: 'more' } : state;
    case 'asked':
      return {
        ...state,
        asked: { ticket: state.tickets, ask: action.ask },
        tickets: state.tickets + 1,
        news: false,
        wish: undefined,
      };
    case 'answered':
      return action.ticket === state.asked?.ticket ? answered({ ...state, asked: undefined }, state.asked.ask, action.body) : state;
    case 'refused':
      return action.ticket === state.asked?.ticket ? refused({ ...state, asked: undefined }, state.asked.ask, action.message) : state;
    case 'stack':
      return isCurrent(state, action.generation)
        ? { ...state, stacks: new Map(state.stacks).set(action.task, action.frames) }
        : state;
  }
}

/** The request that is due now. `undefined` while one is under way, and when nothing is to be asked. */
export function due(state: SessionState): Ask | undefined {
  if (state.asked || state.run === 'ended') {
    return undefined;
  }
  if (state.wish === 'more' && state.snapshot && hasMore(state)) {
    const { tasks, generation } = state.snapshot;
    return { start: tasks.length, count: pageSize, generation };
  }
  // While the program runs a snapshot costs it milliseconds, so only the user may ask for one.
  const behind = state.run === 'stopped' && state.news;
  return state.wish === 'refresh' || behind ? { start: 0, count: pageSize } : undefined;
}

/** Whether the snapshot has tasks that were not listed yet. */
export function hasMore(state: SessionState): boolean {
  return state.snapshot !== undefined && !state.stale && state.snapshot.tasks.length < state.snapshot.matched;
}

/** Whether this generation is what is shown, so that ids and places of it still mean something. */
export function isCurrent(state: SessionState, generation: number): boolean {
  return !state.stale && state.snapshot?.generation === generation;
}

/** The generation of the rows, -1 when they are none or over. */
function shownGeneration(state: SessionState): number {
  return state.stale ? -1 : (state.snapshot?.generation ?? -1);
}

function cleared(state: SessionState): SessionState {
  return { ...state, snapshot: undefined, stale: false, stacks: new Map() };
}

function answered(state: SessionState, ask: Ask, body: TasksBody): SessionState {
  if (ask.generation !== undefined) {
    return nextPage(state, body);
  }
  const shown = shownGeneration(state);
  if (body.generation < state.announced || body.generation < shown) {
    return state;
  }
  const stacks = body.generation === shown ? state.stacks : new Map<number, readonly Frame[]>();
  return { ...state, snapshot: body, stale: false, news: false, failure: undefined, stacks };
}

function nextPage(state: SessionState, body: TasksBody): SessionState {
  const { snapshot } = state;
  if (!snapshot || !isCurrent(state, body.generation)) {
    return state;
  }
  const listed = new Set(snapshot.tasks.map((task) => task.id));
  const fresh = body.tasks.filter((task) => !listed.has(task.id));
  if (fresh.length === 0) {
    // The page is empty though more was promised: what is here is all there is.
    return { ...state, snapshot: { ...snapshot, matched: snapshot.tasks.length } };
  }
  return { ...state, snapshot: { ...snapshot, tasks: [...snapshot.tasks, ...fresh] } };
}

function refused(state: SessionState, ask: Ask, message: string): SessionState {
  // A later page can be refused because its snapshot is gone; the tasks of now are still to be had.
  return ask.generation === undefined ? { ...state, failure: message } : { ...state, wish: 'refresh' };
}
