/**
 * The rows of the Async Tasks view, as plain data: what is said where, and in which order.
 *
 * **Invariant:** every task of a snapshot has a row that is visible without a click. Groups (runtimes, when
 * there are several) are open from the start, and only a task's own frames are folded.
 */

import { taskStates, type Frame, type Location, type Problem, type Runtime, type Source, type Task, type TasksBody } from './protocol';
import { hasMore, pageSize, type SessionState } from './store';

/** `key` is unique in the tree and lasts from one snapshot to the next, which keeps rows open over a stop. */
interface RowBase {
  readonly key: string;
  readonly label: string;
  readonly description: string;
  /** One line of the hover text each. */
  readonly tooltip: readonly string[];
}

export type RuntimeRow = RowBase & { readonly kind: 'runtime'; readonly rows: readonly Row[] };
export type TaskRow = RowBase & { readonly kind: 'task'; readonly task: Task; readonly generation: number };
export type FrameRow = RowBase & { readonly kind: 'frame'; readonly frame: Frame; readonly rows: readonly Row[] };
export type ProblemRow = RowBase & { readonly kind: 'problem'; readonly problem: Problem };
export type NoteRow = RowBase & { readonly kind: 'note' | 'failure' };
export type MoreRow = RowBase & { readonly kind: 'more' };
export type Row = RuntimeRow | TaskRow | FrameRow | ProblemRow | NoteRow | MoreRow;

/** The rows at the top of the tree: problems first, then tasks, then what could not be seen. */
export function topRows(state: SessionState): readonly Row[] {
  const rows: Row[] = [];
  if (state.failure !== undefined) {
    rows.push({ kind: 'failure', key: 'failure', label: state.failure, description: '', tooltip: [state.failure] });
  }
  const { snapshot } = state;
  if (!snapshot) {
    return rows;
  }
  const names = new Map(snapshot.tasks.map((task) => [task.id, taskLabel(task)]));
  rows.push(...snapshot.problems.map((problem, index) => problemRow(problem, index, names)));
  rows.push(...taskRows(snapshot, names));
  if (hasMore(state)) {
    rows.push(moreRow(snapshot));
  }
  rows.push(...snapshot.notes.map((note, index) => noteRow(note, index)));
  return rows;
}

/** More rows than are seen at a glance: from here on a line above them counts. */
const countFrom = 20;

/**
 * The line above the tree, or `undefined` when the rows speak for themselves. The count stands here and not
 * beside the view's title, which is the name by which a screen reader announces the view.
 */
export function message(state: SessionState): string | undefined {
  const { snapshot } = state;
  if (snapshot) {
    return snapshot.total > countFrom ? summary(snapshot) : snapshot.total === 0 && !state.stale ? 'No async tasks.' : undefined;
  }
  const quiet = !state.asked && state.failure === undefined && state.run === 'running';
  return quiet ? 'The program is running. Refresh shows its tasks of now, and stops it for milliseconds.' : undefined;
}

/** `214 tasks: 3 running, 211 waiting`; without the states while some tasks are not listed. */
function summary(snapshot: TasksBody): string {
  const total = `${snapshot.total} tasks`;
  if (snapshot.tasks.length < snapshot.total) {
    return total;
  }
  const states = taskStates
    .map((state) => ({ state, count: snapshot.tasks.filter((task) => task.state === state).length }))
    .filter(({ count }) => count > 0)
    .map(({ state, count }) => `${count} ${state}`);
  return states.length > 0 ? `${total}: ${states.join(', ')}` : total;
}

/**
 * The rows of a task's logical stack. A frame with one child is followed by it on the same level, since a
 * chain of ten awaits indented ten times cannot be read; a branch keeps its children below it.
 */
export function frameRows(parent: string, frames: readonly Frame[]): readonly Row[] {
  if (frames.length === 0) {
    const label = 'No frames: the task has not been polled yet, or its future could not be read.';
    return [{ kind: 'note', key: `${parent}/none`, label, description: '', tooltip: [label] }];
  }
  return chainRows(parent, frames);
}

function chainRows(parent: string, frames: readonly Frame[]): Row[] {
  const rows: Row[] = [];
  for (const first of frames) {
    let frame: Frame | undefined = first;
    while (frame) {
      const [child, ...others]: readonly Frame[] = frame.children;
      const inline: boolean = child !== undefined && others.length === 0 && frame.kind !== 'branch' && frame.kind !== 'boundary';
      rows.push(frameRow(`${parent}/${rows.length}`, frame, inline ? [] : frame.children));
      frame = inline ? child : undefined;
    }
  }
  return rows;
}

function frameRow(key: string, frame: Frame, children: readonly Frame[]): FrameRow {
  const place = frame.source && frame.line !== undefined ? { source: frame.source, line: frame.line } : undefined;
  const label = frame.name === '' ? (frame.kind === 'boundary' ? 'awaited by' : frame.kind) : frame.name;
  return {
    kind: 'frame',
    key,
    label,
    description: [...(place ? [shortPlace(place)] : []), ...(frame.note === undefined ? [] : [frame.note])].join(' · '),
    tooltip: [label, ...(place ? [longPlace(place)] : []), frameMeaning(frame)],
    frame,
    rows: chainRows(key, children),
  };
}

function frameMeaning(frame: Frame): string {
  switch (frame.kind) {
    case 'await':
      return 'Suspended here, awaiting the frame below.';
    case 'physical':
      return 'Running on a thread.';
    case 'leaf':
      return 'What the task waits for.';
    case 'branch':
      return 'Awaits several futures at once.';
    case 'boundary':
      return 'The task that awaits this one.';
  }
}

function taskRows(snapshot: TasksBody, names: ReadonlyMap<number, string>): Row[] {
  const rowOf = (task: Task): TaskRow => taskRow(task, snapshot, names);
  const used = snapshot.runtimes.filter((runtime) => snapshot.tasks.some((task) => task.runtime === runtime.id));
  if (used.length < 2) {
    return snapshot.tasks.map(rowOf);
  }
  const known = new Set(used.map((runtime) => runtime.id));
  const groups: Row[] = used.map((runtime) =>
    runtimeRow(runtime, snapshot.tasks.filter((task) => task.runtime === runtime.id).map(rowOf)),
  );
  const others = snapshot.tasks.filter((task) => task.runtime === undefined || !known.has(task.runtime));
  return [...groups, ...others.map(rowOf)];
}

function runtimeRow(runtime: Runtime, rows: readonly Row[]): RuntimeRow {
  const count = runtime.taskCount ?? rows.length;
  const label = runtime.name === undefined || runtime.name === '' ? runtime.kind : runtime.name;
  const description = [label === runtime.kind ? '' : runtime.kind, count === 1 ? '1 task' : `${count} tasks`];
  return {
    kind: 'runtime',
    key: `runtime:${runtime.id}`,
    label,
    description: description.filter((part) => part !== '').join(' · '),
    tooltip: [`Runtime ${runtime.id}: ${runtime.kind}`],
    rows,
  };
}

function taskRow(task: Task, snapshot: TasksBody, names: ReadonlyMap<number, string>): TaskRow {
  return {
    kind: 'task',
    key: `task:${task.id}`,
    label: taskLabel(task),
    description: taskDescription(task),
    tooltip: taskTooltip(task, snapshot, names),
    task,
    generation: snapshot.generation,
  };
}

/** The task's name, which is what people recognise it by; a number only when it has none. */
export function taskLabel(task: Task): string {
  return task.name === '' ? `task ${task.id}` : task.name;
}

export function taskDescription(task: Task): string {
  return [
    task.state ?? (task.error === undefined ? 'state unknown' : ''),
    task.waitingOn?.text ?? '',
    task.location ? shortPlace(task.location) : '',
    task.error ?? '',
  ]
    .filter((part) => part !== '')
    .join(' · ');
}

function taskTooltip(task: Task, snapshot: TasksBody, names: ReadonlyMap<number, string>): string[] {
  const runtime = snapshot.runtimes.find((known) => known.id === task.runtime);
  const named = (id: number): string => (names.has(id) ? `task ${id} ${names.get(id) ?? ''}` : `task ${id}`);
  const lines: (string | undefined)[] = [
    taskLabel(task),
    `Task ${task.id}${task.kind === 'task' ? '' : ` (${task.kind})`}${task.state ? `, ${task.state}` : ''}`,
    task.waitingOn && `Waits on: ${task.waitingOn.text}`,
    task.location && `At: ${longPlace(task.location)}`,
    task.entry && `Entry: ${longPlace(task.entry)}`,
    task.spawnedAt && `Spawned at: ${longPlace(task.spawnedAt)}`,
    task.spawnedBy === undefined ? undefined : `Spawned by: ${named(task.spawnedBy)}`,
    ...task.awaitedBy.map(({ task: id, via }) => `Awaited by: ${named(id)} (${via})`),
    task.osThread === undefined ? undefined : `Thread: ${task.osThread}`,
    runtime && `Runtime: ${runtime.name ?? runtime.kind}`,
    task.error === undefined ? undefined : `Could not be read: ${task.error}`,
  ];
  return lines.filter((line): line is string => line !== undefined);
}

function problemRow(problem: Problem, index: number, names: ReadonlyMap<number, string>): ProblemRow {
  return {
    kind: 'problem',
    key: `problem:${index}:${problem.kind}`,
    label: problem.text,
    description: problem.kind,
    tooltip: [problem.text, ...problem.tasks.map((id) => `Task ${id} ${names.get(id) ?? ''}`.trimEnd())],
    problem,
  };
}

function noteRow(note: string, index: number): NoteRow {
  return { kind: 'note', key: `note:${index}`, label: note, description: '', tooltip: [note] };
}

function moreRow(snapshot: TasksBody): MoreRow {
  const left = snapshot.matched - snapshot.tasks.length;
  return {
    kind: 'more',
    key: 'more',
    label: 'Show more…',
    description: `${Math.min(left, pageSize)} of ${left} not listed`,
    tooltip: [`${snapshot.tasks.length} of ${snapshot.matched} tasks are listed.`],
  };
}

/** `main.rs:12` */
export function shortPlace({ source, line }: Location): string {
  return `${sourceName(source)}:${line}`;
}

function longPlace({ source, line }: Location): string {
  return `${source.path ?? sourceName(source)}:${line}`;
}

function sourceName(source: Source): string {
  return source.name ?? source.path?.split(/[\\/]/).at(-1) ?? 'unknown source';
}
