/**
 * What is known of one debug session's tasks: a value, and the one function that changes it.
 *
 * **Invariant:** a snapshot is shown only until the program moves on, and never replaced by an older one.
 * Three things hold it: `announced` (the newest generation the adapter spoke of), `asked` (the one request
 * whose answer counts; resuming forgets it) and `stale` (the rows of the last stop, once the program moved on).
 */

import { firstTaskThread, type Frame, type Task, type TaskFilter, type TasksBody, type TaskStop } from './protocol';

/** Tasks asked for at a time, and rows on one level: what a tree shows without a stall. */
export const pageSize = 1000;

/** Tasks asked for at a time when all are needed. */
export const largePage = 5000;

/** So many tasks are listed in full at most. */
export const mostListed = 200_000;

export type Run = 'starting' | 'running' | 'stopped' | 'ended';

/** What one `asyncTasks` request asks. `generation` is set on later pages of a snapshot. */
export interface Ask {
  readonly start: number;
  readonly count: number;
  readonly generation?: number;
  readonly filter?: TaskFilter;
}

/** Tasks of a snapshot that are asked for when they are looked at. */
export interface Query {
  readonly filter: TaskFilter;
  readonly start: number;
  readonly count: number;
}

/** What a query found: its tasks, and how many there are without `start` and `count`. */
export interface Part {
  readonly tasks: readonly Task[];
  readonly matched: number;
}

/** What the user typed, and what the adapter is asked for it. */
export interface Filter {
  readonly typed: string;
  readonly ask: TaskFilter;
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
  /** Parts of the snapshot that were asked for, by `queryKey`. */
  readonly parts: ReadonlyMap<string, Part>;
  readonly filter: Filter;
  /** The filter that the snapshot's tasks passed. */
  readonly applied: Filter;
  /** All tasks are needed, not only a first page: they are asked for one large page after the other. */
  readonly whole: boolean;
  /** The generation of which a page was refused: no further page of it is asked for. */
  readonly halted: number | undefined;
  /** Ids of the tasks' threads that Call Stack lists. */
  readonly pinned: ReadonlySet<number>;
  /** What tasks stop the program for, by task id. */
  readonly stops: ReadonlyMap<number, readonly TaskStop[]>;
  /** The newest generation the adapter announced; an answer older than it is dropped. -1: none yet. */
  readonly announced: number;
  /** A generation was announced that is neither shown nor asked for. */
  readonly news: boolean;
  readonly asked: { readonly ticket: number; readonly ask: Ask; readonly filter: Filter } | undefined;
  readonly wish: 'refresh' | undefined;
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
  | { readonly type: 'filter'; readonly filter: Filter }
  | { readonly type: 'whole'; readonly whole: boolean }
  | { readonly type: 'asked'; readonly ask: Ask }
  | { readonly type: 'answered'; readonly ticket: number; readonly body: TasksBody }
  | { readonly type: 'refused'; readonly ticket: number; readonly message: string }
  | { readonly type: 'stack'; readonly generation: number; readonly task: number; readonly frames: readonly Frame[] }
  | { readonly type: 'part'; readonly generation: number; readonly query: Query; readonly part: Part }
  /** A thread came or went, among them the tasks that are listed as threads. */
  | { readonly type: 'thread'; readonly id: number; readonly listed: boolean }
  | { readonly type: 'stops'; readonly task: number; readonly on: readonly TaskStop[] };

export const noFilter: Filter = { typed: '', ask: {} };

export const initial: SessionState = {
  run: 'starting',
  snapshot: undefined,
  stale: false,
  failure: undefined,
  stacks: new Map(),
  parts: new Map(),
  filter: noFilter,
  applied: noFilter,
  whole: false,
  halted: undefined,
  pinned: new Set(),
  stops: new Map(),
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
      return { ...cleared(state), run: 'ended', asked: undefined, wish: undefined, failure: undefined, pinned: new Set(), stops: new Map() };
    case 'changed':
      return {
        ...state,
        announced: Math.max(state.announced, action.generation),
        news: state.news || action.generation > shownGeneration(state),
      };
    case 'refresh':
      return state.run === 'starting' || state.run === 'ended' ? state : { ...state, wish: 'refresh' };
    case 'filter':
      // What was refused for another filter may be there for this one.
      return action.filter.typed === state.filter.typed ? state : { ...state, filter: action.filter, halted: undefined };
    case 'whole':
      return action.whole === state.whole ? state : { ...state, whole: action.whole };
    case 'asked':
      return {
        ...state,
        asked: { ticket: state.tickets, ask: action.ask, filter: state.filter },
        tickets: state.tickets + 1,
        news: false,
        wish: undefined,
      };
    case 'answered':
      return action.ticket === state.asked?.ticket ? answered({ ...state, asked: undefined }, state.asked.ask, state.asked.filter, action.body) : state;
    case 'refused':
      return action.ticket === state.asked?.ticket ? refused({ ...state, asked: undefined }, state.asked.ask, state.asked.filter, action.message) : state;
    case 'stack':
      return isCurrent(state, action.generation)
        ? { ...state, stacks: new Map(state.stacks).set(action.task, action.frames) }
        : state;
    case 'part':
      return isCurrent(state, action.generation)
        ? { ...state, parts: new Map(state.parts).set(queryKey(action.query), action.part) }
        : state;
    case 'thread':
      return action.id < firstTaskThread || action.listed === state.pinned.has(action.id)
        ? state
        : { ...state, pinned: new Set([...state.pinned].filter((id) => id !== action.id).concat(action.listed ? [action.id] : [])) };
    case 'stops':
      return { ...state, stops: new Map([...state.stops].filter(([task]) => task !== action.task).concat(action.on.length > 0 ? [[action.task, action.on]] : [])) };
  }
}

/** The request that is due now. `undefined` while one is under way, and when nothing is to be asked. */
export function due(state: SessionState): Ask | undefined {
  const { snapshot, filter } = state;
  if (state.asked || state.run === 'ended') {
    return undefined;
  }
  const only = isUnfiltered(filter) ? {} : { filter: filter.ask };
  // While the program runs a snapshot costs it milliseconds, so only the user may ask for one.
  const behind = state.run === 'stopped' && state.news;
  if (state.wish === 'refresh' || behind) {
    return { start: 0, count: pageSize, ...only };
  }
  if (!snapshot || state.stale || state.halted === snapshot.generation) {
    return undefined;
  }
  const { generation } = snapshot;
  if (filter !== state.applied) {
    return { start: 0, count: pageSize, generation, ...only };
  }
  return isReading(state) ? { start: snapshot.tasks.length, count: largePage, generation, ...only } : undefined;
}

/** Whether the snapshot has tasks that were not listed yet. */
export function hasMore(state: SessionState): boolean {
  return state.snapshot !== undefined && !state.stale && state.snapshot.tasks.length < state.snapshot.matched;
}

/** Whether pages of the snapshot are on their way, or about to be asked for. */
export function isReading(state: SessionState): boolean {
  const { snapshot } = state;
  return state.whole && hasMore(state) && snapshot !== undefined && snapshot.tasks.length < mostListed && state.halted !== snapshot.generation;
}

/** Whether the filter was changed, and the tasks that pass it are being asked for. */
export function isLooking(state: SessionState): boolean {
  return state.asked !== undefined && state.filter !== state.applied;
}

/** Under which name a query's part is kept. */
export function queryKey({ filter, start, count }: Query): string {
  return JSON.stringify([filter.text, filter.states, filter.runtime, start, count]);
}

function isUnfiltered({ ask }: Filter): boolean {
  return ask.text === undefined && ask.states === undefined && ask.runtime === undefined;
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
  return { ...state, snapshot: undefined, stale: false, stacks: new Map(), parts: new Map() };
}

function answered(state: SessionState, ask: Ask, filter: Filter, body: TasksBody): SessionState {
  if (ask.generation !== undefined) {
    if (body.generation !== ask.generation) {
      return halt(state, ask, filter);
    }
    return ask.start === 0 ? filtered(state, filter, body) : nextPage(state, body);
  }
  const shown = shownGeneration(state);
  if (body.generation < state.announced || body.generation < shown) {
    return state;
  }
  const kept = body.generation === shown ? { stacks: state.stacks } : { stacks: new Map<number, readonly Frame[]>() };
  return { ...state, ...kept, snapshot: body, applied: filter, parts: new Map(), stale: false, news: false, failure: undefined };
}

/** The first page of the same snapshot through another filter. */
function filtered(state: SessionState, filter: Filter, body: TasksBody): SessionState {
  return isCurrent(state, body.generation) ? { ...state, snapshot: body, applied: filter, parts: new Map(), failure: undefined } : state;
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

function refused(state: SessionState, ask: Ask, filter: Filter, message: string): SessionState {
  return { ...halt(state, ask, filter), failure: message };
}

/** No further page of the snapshot is asked for, unless another filter was typed meanwhile. */
function halt(state: SessionState, { generation }: Ask, filter: Filter): SessionState {
  return generation === undefined || filter !== state.filter ? state : { ...state, halted: generation };
}
