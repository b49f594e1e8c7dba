/**
 * Whose logical stack the Async Call Stack view shows, and which request that calls for: a value, and the one
 * function that changes it.
 *
 * **Invariants:** nothing is asked while nobody sees the view, and an answer is shown only if it is of the
 * *moment* (the generation that the adapter announced at this stop) and of the task that is wanted now.
 */

import type { Frame } from './protocol';

/** A task as far as a view has to know it. */
export interface Subject {
  readonly id: number;
  readonly name: string;
}

/** What the debugger has its focus on. */
export interface Focus {
  readonly thread: number;
  readonly frame: number | undefined;
}

/** Whose stack to ask for: a task's, or that of the task which a thread runs. */
export type Wanted = { readonly task: Subject } | { readonly thread: number };

export interface CallStackState {
  readonly visible: boolean;
  /** The generation of this stop. `undefined` while the program runs, and until the adapter announces it. */
  readonly moment: number | undefined;
  /** The newest generation that was announced before the program went on. */
  readonly past: number;
  readonly focus: Focus | undefined;
  /** The task that the user chose, until the debugger's focus moves. */
  readonly chosen: Subject | undefined;
  /** Which tasks threads run, `undefined` for none: as told at this moment. */
  readonly owners: ReadonlyMap<number, Subject | undefined>;
  readonly shown: Shown | undefined;
  readonly asked: string | undefined;
}

/** What the rows are made of. */
export interface Shown {
  /** What was asked: see `key`. */
  readonly key: string;
  /** `undefined` when the thread runs no task. */
  readonly subject: Subject | undefined;
  readonly frames: readonly Frame[];
  /** Why there are none, in the adapter's words. */
  readonly failure: string | undefined;
}

export type Action =
  | { readonly type: 'visible'; readonly visible: boolean }
  /** The session's own state: whether it is stopped, and the newest generation the adapter spoke of. */
  | { readonly type: 'session'; readonly stopped: boolean; readonly announced: number }
  /** The program has been running for long enough, or has ended: the rows of the last stop go. */
  | { readonly type: 'cleared' }
  | { readonly type: 'focused'; readonly focus: Focus }
  | { readonly type: 'chose'; readonly task: Subject }
  | { readonly type: 'asked'; readonly key: string }
  | { readonly type: 'owned'; readonly moment: number; readonly thread: number; readonly task: Subject | undefined }
  | { readonly type: 'answered'; readonly shown: Shown };

export const initial: CallStackState = {
  visible: false,
  moment: undefined,
  past: -1,
  focus: undefined,
  chosen: undefined,
  owners: new Map(),
  shown: undefined,
  asked: undefined,
};

export function reduce(state: CallStackState, action: Action): CallStackState {
  switch (action.type) {
    case 'visible':
      return action.visible === state.visible ? state : { ...state, visible: action.visible };
    case 'session':
      return action.stopped ? stopped(state, action.announced) : resumed(state, action.announced);
    case 'cleared':
      return state.shown || state.chosen ? { ...state, shown: undefined, chosen: undefined, focus: undefined } : state;
    case 'focused':
      return isSame(action.focus, state.focus) ? state : { ...state, focus: action.focus, chosen: undefined };
    case 'chose':
      return state.chosen?.id === action.task.id ? state : { ...state, chosen: action.task };
    case 'asked':
      return { ...state, asked: action.key };
    case 'owned':
      return action.moment === state.moment ? { ...state, owners: new Map(state.owners).set(action.thread, action.task) } : state;
    case 'answered':
      // Told under another name meanwhile: a thread's task is known once it was asked for.
      return action.shown.key === state.asked ? { ...state, asked: undefined, shown: action.shown } : state;
  }
}

/** Whose stack is wanted. `undefined` while that is not known. */
export function wanted(state: CallStackState): Wanted | undefined {
  const { chosen, focus, owners } = state;
  if (chosen) {
    return { task: chosen };
  }
  const task = focus && owners.get(focus.thread);
  return task ? { task } : focus && { thread: focus.thread };
}

/** Under which name an answer is kept: what was asked, and at which moment. */
export function key(moment: number, whose: Wanted): string {
  return 'task' in whose ? `${moment}/task:${whose.task.id}` : `${moment}/thread:${whose.thread}`;
}

/** The request that is due now. `undefined` when what is wanted is shown or on its way, or nobody looks. */
export function due(state: CallStackState): { readonly key: string; readonly moment: number; readonly whose: Wanted } | undefined {
  const { moment } = state;
  const whose = wanted(state);
  if (!state.visible || moment === undefined || !whose) {
    return undefined;
  }
  const name = key(moment, whose);
  return name === state.asked || (name === state.shown?.key && state.asked === undefined) ? undefined : { key: name, moment, whose };
}

/** Whether the rows are of now. Those of a stop that is over stay for the time of a step. */
export function isCurrent(state: CallStackState): boolean {
  return state.moment !== undefined && state.shown?.key.startsWith(`${state.moment}/`) === true;
}

/** Beside the view's title: whose stack it is, and why, if the debugger's focus is elsewhere. */
export function description(state: CallStackState): string | undefined {
  const subject = state.shown?.subject;
  if (!subject) {
    return undefined;
  }
  return state.chosen?.id === subject.id && !isFocused(state, subject) ? `${label(subject)} (selected)` : label(subject);
}

/** The line above the rows, where they do not speak for themselves. */
export function message(state: CallStackState): string | undefined {
  const { shown } = state;
  if (!shown) {
    return state.moment === undefined ? 'The program is running.' : undefined;
  }
  return shown.failure ?? (shown.subject ? undefined : 'The focused thread runs no async task. Select a task in Async Tasks to see its stack.');
}

export function label({ id, name }: Subject): string {
  return name === '' ? `task ${id}` : `task ${id} ${name}`;
}

/** Whether the debugger's focus is on the task, too. */
export function isFocused(state: CallStackState, task: Subject): boolean {
  return state.focus !== undefined && state.owners.get(state.focus.thread)?.id === task.id;
}

function stopped(state: CallStackState, announced: number): CallStackState {
  if (announced <= state.past || announced === state.moment) {
    return state;
  }
  // Numbers of frames end also when memory was written to: the stop is the same, the moment is another.
  return { ...state, moment: announced, owners: new Map(), asked: undefined };
}

function resumed(state: CallStackState, announced: number): CallStackState {
  const past = Math.max(state.past, announced);
  if (state.moment === undefined) {
    return past === state.past ? state : { ...state, past };
  }
  return { ...state, moment: undefined, past, focus: undefined, chosen: undefined, owners: new Map(), asked: undefined };
}

function isSame(one: Focus, other: Focus | undefined): boolean {
  return one.thread === other?.thread && one.frame === other.frame;
}
