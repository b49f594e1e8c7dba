/**
 * The rows of the Async Tasks view, as plain data: what is said where, and in which order.
 *
 * **Invariant:** up to `pageSize` tasks, every task of a snapshot has a row that is visible without a click: groups are
 * open from the start, and only a task's own frames are folded. Of more tasks, groups and ranges are closed and made of
 * their rows when they are opened, so that no level of the tree has more than a page of rows.
 */

import { isEmpty } from './filter';
import { taskStates, type Frame, type Location, type Problem, type Source, type Task, type TasksBody } from './protocol';
import { waitText } from './remaining';
import { isLooking, isReading, type Query, type SessionState } from './store';

/** `key` is unique in the tree and lasts from one snapshot to the next, which keeps rows open over a stop. */
interface RowBase {
  readonly key: string;
  readonly label: string;
  readonly description: string;
  /** One line of the hover text each. */
  readonly tooltip: readonly string[];
}

/** The tasks of a group: known, or to be asked for when it is opened. */
export type Contents = { readonly from: 'list'; readonly tasks: readonly Task[] } | { readonly from: 'adapter'; readonly query: Query };

export type GroupRow = RowBase & {
  readonly kind: 'group';
  readonly of: 'runtime' | 'state' | 'entry' | 'range';
  readonly open: boolean;
  readonly contents: Contents;
};
/** `below` are the tasks that stand below it in the tree of tasks; `open` is whether they are seen from the start. */
export type TaskRow = RowBase & { readonly kind: 'task'; readonly task: Task; readonly generation: number; readonly below: readonly Task[]; readonly open: boolean };
/** The frames of a task that has tasks below it. */
export type StackRow = RowBase & { readonly kind: 'stack'; readonly task: Task; readonly generation: number };
export type FrameRow = RowBase & { readonly kind: 'frame'; readonly frame: Frame; readonly rows: readonly Row[] };
export type ProblemRow = RowBase & { readonly kind: 'problem'; readonly problem: Problem };
export type NoteRow = RowBase & { readonly kind: 'note' | 'failure' };
export type Row = GroupRow | TaskRow | StackRow | FrameRow | ProblemRow | NoteRow;

/** More rows than are seen at a glance: from here on a line above them counts. */
const countFrom = 20;

/**
 * The line above the tree, or `undefined` when the rows speak for themselves. The count stands here and not
 * beside the view's title, which is the name by which a screen reader announces the view.
 */
export function message(state: SessionState): string | undefined {
  const { snapshot, filter, applied } = state;
  if (!snapshot) {
    const quiet = !state.asked && state.failure === undefined && state.run === 'running';
    return quiet ? 'The program is running. Refresh shows its tasks of now, and stops it for milliseconds.' : undefined;
  }
  if (isReading(state)) {
    return `Reading tasks: ${snapshot.tasks.length} of ${snapshot.matched}.`;
  }
  if (isLooking(state) && !isEmpty(filter.ask)) {
    return `Looking for "${filter.typed.trim()}"…`;
  }
  // The rows below are those of the filter that was applied, whatever was typed since.
  if (!isEmpty(applied.ask)) {
    return `Filter "${applied.typed.trim()}": ${snapshot.matched} of ${counted(snapshot.total, 'task')}. Clear Filter, above, shows all.`;
  }
  return snapshot.total > countFrom ? summary(snapshot) : snapshot.total === 0 && !state.stale ? 'No async tasks.' : undefined;
}

/** `214 tasks: 3 running, 211 waiting`; without the states while some tasks are not listed. */
function summary(snapshot: TasksBody): string {
  const total = counted(snapshot.total, 'task');
  if (snapshot.tasks.length < snapshot.total) {
    return total;
  }
  const counts = new Map<string, number>();
  for (const { state } of snapshot.tasks) {
    counts.set(state ?? '', (counts.get(state ?? '') ?? 0) + 1);
  }
  const states = taskStates.flatMap((state) => (counts.has(state) ? [`${counts.get(state) ?? 0} ${state}`] : []));
  return states.length > 0 ? `${total}: ${states.join(', ')}` : total;
}

/** `1 task`, `2 tasks` */
export function counted(count: number, thing: string): string {
  return count === 1 ? `1 ${thing}` : `${count} ${thing}s`;
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

/** The task's name, which is what people recognise it by; a number only when it has none. */
export function taskLabel(task: Task): string {
  return task.name === '' ? `task ${task.id}` : task.name;
}

/** What the task does, waits for, and where; `elapsed` milliseconds after the adapter looked at it. */
export function taskDescription(task: Task, elapsed = 0): string {
  return [
    task.state ?? (task.error === undefined ? 'state unknown' : ''),
    task.waitingOn ? waitText(task.waitingOn, elapsed) : '',
    task.location ? shortPlace(task.location) : '',
    task.error ?? '',
  ]
    .filter((part) => part !== '')
    .join(' · ');
}

/** A row in the words of a screen reader. */
export function spoken(row: Row): string {
  if (row.kind !== 'task') {
    return [row.label, row.description].filter((part) => part !== '').join(', ');
  }
  const { task } = row;
  const parts = [
    row.label,
    task.state ?? 'state unknown',
    task.waitingOn ? (task.state === 'waiting' ? `for ${task.waitingOn.text}` : task.waitingOn.text) : '',
    task.location ? `at ${sourceName(task.location.source)} line ${task.location.line}` : '',
    task.error ?? '',
    row.below.length > 0 ? `${counted(row.below.length, 'task')} below` : '',
  ];
  return parts.filter((part) => part !== '').join(', ');
}

/** The hover text of a task. `named` says a task's number and name. */
export function taskTooltip(task: Task, snapshot: TasksBody, named: (id: number) => string): string[] {
  const runtime = snapshot.runtimes.find((known) => known.id === task.runtime);
  const holders = task.waitingOn?.holders ?? [];
  const lines: (string | undefined)[] = [
    taskLabel(task),
    `Task ${task.id}${task.kind === 'task' ? '' : ` (${task.kind})`}${task.state ? `, ${task.state}` : ''}`,
    task.waitingOn && `Waits on: ${task.waitingOn.text}`,
    ...holders.slice(0, mostHolders).map((id) => `Held by: ${named(id)}`),
    holders.length > mostHolders ? `and by ${holders.length - mostHolders} more` : undefined,
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

/** So many holders are named. */
const mostHolders = 8;

/** `main.rs:12` */
export function shortPlace({ source, line }: Location): string {
  return `${sourceName(source)}:${line}`;
}

export function longPlace({ source, line }: Location): string {
  return `${source.path ?? sourceName(source)}:${line}`;
}

function sourceName(source: Source): string {
  return source.name ?? source.path?.split(/[\\/]/).at(-1) ?? 'unknown source';
}
