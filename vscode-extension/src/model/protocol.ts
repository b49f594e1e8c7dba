/**
 * The async extension of the Debug Adapter Protocol as this extension reads it.
 *
 * Answers come from another program, so nothing of them is believed: `decode*` keeps what has the right
 * type, leaves out what has not, and bounds what could grow without end. A task is never dropped for a bad
 * field; only one without an id, which no request could name, is.
 */

export interface Source {
  readonly name?: string;
  readonly path?: string;
  readonly sourceReference?: number;
}

/** A place in a source file. `line` counts from 1. */
export interface Location {
  readonly source: Source;
  readonly line: number;
}

export interface Runtime {
  readonly id: number | string;
  readonly kind: string;
  readonly name?: string;
  readonly taskCount?: number;
  /** How many threads drive it. */
  readonly threads?: number;
}

export const taskStates = ['created', 'ready', 'running', 'waiting', 'done', 'failed', 'cancelled'] as const;
export type TaskState = (typeof taskStates)[number];

/** A lock, a channel, …: `id` is the object's address, the same for all who wait for it or hold it. */
export interface Resource {
  readonly id: number;
  readonly type: string;
}

export interface Wait {
  readonly kind: string;
  readonly text: string;
  /** Until its timer fires, counted from the look at the task. */
  readonly remainingMs?: number;
  readonly resource?: Resource;
  /** Tasks that have what is waited for. */
  readonly holders: readonly number[];
  /** Tasks that are waited for. */
  readonly tasks: readonly number[];
}

export interface Task {
  readonly id: number;
  /** Works in steps and `stackTrace`. */
  readonly threadId?: number;
  readonly name: string;
  readonly kind: string;
  readonly runtime?: number | string;
  /** Left out when the adapter could not tell. */
  readonly state?: TaskState;
  readonly location?: Location;
  readonly entry?: Location;
  readonly spawnedAt?: Location;
  readonly spawnedBy?: number;
  readonly osThread?: number;
  readonly waitingOn?: Wait;
  readonly awaitedBy: readonly { readonly task: number; readonly via: string }[];
  /** How deep its logical stack is. */
  readonly frames?: number;
  readonly error?: string;
}

export interface Problem {
  readonly kind: string;
  readonly severity: string;
  readonly text: string;
  readonly tasks: readonly number[];
  /** Ids of resources. */
  readonly resources: readonly number[];
}

/** Which tasks `asyncTasks` is asked for: all conditions hold. */
export interface TaskFilter {
  readonly text?: string;
  readonly states?: readonly TaskState[];
  readonly runtime?: number;
}

/** What a task can stop the program for, in the order in which they are offered. */
export const taskStops = ['polled', 'completed', 'cancelled', 'panicked'] as const;
export type TaskStop = (typeof taskStops)[number];

/** Ids of tasks as threads begin here; those of the system's threads are smaller. */
export const firstTaskThread = 2 ** 30;

/** The body of `asyncTasks`: one page of a snapshot. */
export interface TasksBody {
  readonly generation: number;
  readonly total: number;
  readonly matched: number;
  readonly runtimes: readonly Runtime[];
  readonly tasks: readonly Task[];
  readonly problems: readonly Problem[];
  readonly notes: readonly string[];
}

export type FrameKind = 'await' | 'physical' | 'leaf' | 'branch' | 'boundary';

/** A node of `asyncStack`: the outermost future first, `children` go inward. */
export interface Frame {
  /** Works in `scopes`, until the program goes on. */
  readonly id?: number;
  readonly name: string;
  readonly kind: FrameKind;
  readonly source?: Source;
  readonly line?: number;
  /** A function that is not the user's own. */
  readonly subtle?: boolean;
  /** The task a `boundary` names, or a `leaf` waits for. */
  readonly task?: number;
  /** What a reader should know beyond the rest: which branches are live, that a future was never polled. */
  readonly note?: string;
  readonly children: readonly Frame[];
}

/** How deep and how wide a frame tree is read. Real ones are far smaller; a cyclic one would never end. */
const maxFrameDepth = 200;
const maxFrames = 5000;

type Fields = Readonly<Record<string, unknown>>;

function fields(value: unknown): Fields | undefined {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Fields) : undefined;
}

function list(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : [];
}

function text(value: unknown): string | undefined {
  return typeof value === 'string' ? value : undefined;
}

function count(value: unknown): number | undefined {
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= 0 ? value : undefined;
}

function key(value: unknown): number | string | undefined {
  return typeof value === 'string' ? value : count(value);
}

function counts(value: unknown): readonly number[] {
  return list(value).flatMap((item) => count(item) ?? []);
}

/** The given fields without those that are `undefined`. */
function present<T extends object>(given: { [K in keyof T]: T[K] | undefined }): Partial<T> {
  return Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined)) as Partial<T>;
}

function decodeSource(value: unknown): Source | undefined {
  const from = fields(value);
  if (!from) {
    return undefined;
  }
  return present<Required<Source>>({
    name: text(from['name']),
    path: text(from['path']),
    sourceReference: count(from['sourceReference']),
  });
}

function decodeLocation(value: unknown): Location | undefined {
  const from = fields(value);
  const source = decodeSource(from?.['source']);
  const line = count(from?.['line']);
  return source && line !== undefined ? { source, line } : undefined;
}

function decodeWait(value: unknown): Wait | undefined {
  const from = fields(value);
  if (!from) {
    return undefined;
  }
  const kind = text(from['kind']) ?? 'unknown';
  const said = { kind, text: text(from['text']) ?? kind, holders: counts(from['holders']), tasks: counts(from['tasks']) };
  return { ...said, ...present<{ remainingMs: number; resource: Resource }>({ remainingMs: count(from['remainingMs']), resource: decodeResource(from['resource']) }) };
}

function decodeResource(value: unknown): Resource | undefined {
  const from = fields(value);
  const id = count(from?.['id']);
  return id === undefined ? undefined : { id, type: text(from?.['type']) ?? 'resource' };
}

function decodeTask(value: unknown): Task | undefined {
  const from = fields(value);
  const id = count(from?.['id']);
  if (!from || id === undefined) {
    return undefined;
  }
  const state = taskStates.find((known) => known === from['state']);
  return {
    id,
    name: text(from['name']) ?? '',
    kind: text(from['kind']) ?? 'task',
    awaitedBy: list(from['awaitedBy']).flatMap((item) => {
      const task = count(fields(item)?.['task']);
      return task === undefined ? [] : [{ task, via: text(fields(item)?.['via']) ?? 'await' }];
    }),
    ...present<Omit<Required<Task>, 'id' | 'name' | 'kind' | 'awaitedBy'>>({
      threadId: count(from['threadId']),
      runtime: key(from['runtime']),
      state,
      location: decodeLocation(from['location']),
      entry: decodeLocation(from['entry']),
      spawnedAt: decodeLocation(from['spawnedAt']),
      spawnedBy: count(from['spawnedBy']),
      osThread: count(from['osThread']),
      waitingOn: decodeWait(from['waitingOn']),
      frames: count(from['frames']),
      error: text(from['error']),
    }),
  };
}

function decodeRuntime(value: unknown): Runtime[] {
  const from = fields(value);
  const id = key(from?.['id']);
  if (!from || id === undefined) {
    return [];
  }
  const rest = present<{ name: string; taskCount: number; threads: number }>({
    name: text(from['name']),
    taskCount: count(from['taskCount']),
    threads: Array.isArray(from['osThreads']) ? from['osThreads'].length : undefined,
  });
  return [{ id, kind: text(from['kind']) ?? 'runtime', ...rest }];
}

function decodeProblem(value: unknown): Problem[] {
  const from = fields(value);
  const said = text(from?.['text']);
  if (!from || said === undefined) {
    return [];
  }
  return [
    {
      kind: text(from['kind']) ?? 'problem',
      severity: text(from['severity']) ?? 'warning',
      text: said,
      tasks: counts(from['tasks']),
      resources: counts(from['resources']),
    },
  ];
}

/** Reads the body of an `asyncTasks` answer. `undefined` when it is not one. */
export function decodeTasks(value: unknown): TasksBody | undefined {
  const from = fields(value);
  const generation = count(from?.['generation']);
  if (!from || generation === undefined || !Array.isArray(from['tasks'])) {
    return undefined;
  }
  const seen = new Set<number>();
  const tasks: Task[] = [];
  for (const item of from['tasks'] as readonly unknown[]) {
    const task = decodeTask(item);
    if (task && !seen.has(task.id)) {
      seen.add(task.id);
      tasks.push(task);
    }
  }
  const total = count(from['total']) ?? tasks.length;
  return {
    generation,
    total,
    matched: count(from['matched']) ?? total,
    runtimes: list(from['runtimes']).flatMap(decodeRuntime),
    tasks,
    problems: list(from['problems']).flatMap(decodeProblem),
    notes: list(from['notes']).flatMap((note) => text(note) ?? []),
  };
}

const frameKinds: readonly FrameKind[] = ['await', 'physical', 'leaf', 'branch', 'boundary'];

/** Reads the body of an `asyncStack` answer. `undefined` when it is not one. */
export function decodeStack(value: unknown): readonly Frame[] | undefined {
  const frames = fields(value)?.['frames'];
  if (!Array.isArray(frames)) {
    return undefined;
  }
  let left = maxFrames;
  const decodeFrame = (item: unknown, depth: number): Frame[] => {
    const from = fields(item);
    if (!from || depth > maxFrameDepth || left <= 0) {
      return [];
    }
    left -= 1;
    return [
      {
        name: text(from['name']) ?? '',
        kind: frameKinds.find((known) => known === from['kind']) ?? 'await',
        children: list(from['children']).flatMap((child) => decodeFrame(child, depth + 1)),
        ...present<Omit<Required<Frame>, 'name' | 'kind' | 'children'>>({
          id: count(from['id']),
          subtle: from['presentationHint'] === 'subtle' ? true : undefined,
          source: decodeSource(from['source']),
          line: count(from['line']),
          task: count(from['task']),
          note: text(from['note']),
        }),
      },
    ];
  };
  return frames.flatMap((frame) => decodeFrame(frame, 0));
}

/** Reads the body of an `asyncTasksChanged` event: the generation it announces. */
export function decodeChanged(value: unknown): number | undefined {
  return count(fields(value)?.['generation']);
}
