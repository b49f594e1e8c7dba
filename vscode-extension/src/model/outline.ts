/**
 * A snapshot through a grouping: which rows stand at the top, and which below one. Rows are made when somebody opens
 * what they stand in; what is made ahead takes one walk over the tasks.
 */

import { both } from './filter';
import { forest, type Forest } from './forest';
import { taskStates, type Problem, type Task, type TaskFilter, type TasksBody } from './protocol';
import { counted, longPlace, shortPlace, taskDescription, taskLabel, type Contents, type GroupRow, type NoteRow, type Row, type TaskRow } from './rows';
import { mostListed, pageSize, queryKey, type Query, type SessionState } from './store';

/** How tasks can be grouped, and what a user is told of it. */
export const groupings = {
  none: 'No groups',
  tree: 'Who awaits or spawned them',
  state: 'State',
  entry: 'Entry function',
  runtime: 'Runtime',
} as const;
export type Grouping = keyof typeof groupings;

/** Whether the grouping can be told only of tasks that are all listed: the adapter cannot be asked for its groups. */
export function needsAll(grouping: Grouping): boolean {
  return grouping === 'tree' || grouping === 'entry';
}

export function isGrouping(value: unknown): value is Grouping {
  return typeof value === 'string' && Object.hasOwn(groupings, value);
}

export interface Outline {
  readonly snapshot: TasksBody;
  readonly grouping: Grouping;
  readonly filter: TaskFilter;
  readonly known: ReadonlyMap<number, Task>;
  readonly forest: Forest | undefined;
}

export function outline(snapshot: TasksBody, filter: TaskFilter, grouping: Grouping): Outline {
  const known = new Map(snapshot.tasks.map((task) => [task.id, task]));
  return { snapshot, grouping, filter, known, forest: grouping === 'tree' ? forest(snapshot.tasks) : undefined };
}

/** What must be counted by the adapter before the top rows can be made: the groups of tasks that are not all listed. */
export function uncounted(from: Outline): readonly Query[] {
  return isComplete(from.snapshot) ? [] : conditions(from).flatMap(({ filter }) => (filter ? [{ filter, start: 0, count: 0 }] : []));
}

/** The rows at the top of the tree: problems first, then tasks, then what could not be seen. */
export function topRows(state: SessionState, from: Outline | undefined): readonly Row[] {
  const failure = state.failure === undefined ? [] : [note('failure', 'failure', state.failure)];
  if (!from) {
    return failure;
  }
  const { snapshot } = from;
  return [
    ...failure,
    ...snapshot.problems.map((problem, index) => problemRow(problem, index, from)),
    ...groupRows(state, from),
    ...(needsAll(from.grouping) && snapshot.tasks.length >= mostListed && !isComplete(snapshot)
      ? [note('note', 'unlisted', `Only the first ${snapshot.tasks.length} of ${snapshot.matched} tasks are grouped. A filter makes them fewer.`)]
      : []),
    ...snapshot.notes.map((text, index) => note('note', `note:${index}`, text)),
  ];
}

/** The rows below one, or what must be asked first. A task's frames are the caller's to add. */
export function rowsBelow(from: Outline, row: Row): readonly Row[] | Query {
  switch (row.kind) {
    case 'group':
      return spread(from, row.key, row.contents);
    case 'task':
      return row.below.length === 0 ? [] : [...asRows(spread(from, row.key, { from: 'list', tasks: row.below })), stackRow(row)];
    case 'problem':
      return row.problem.tasks.slice(0, pageSize).map((id) => taskRow(from, from.known.get(id) ?? unlisted(id), `${row.key}/`));
    case 'frame':
      return row.rows;
    default:
      return [];
  }
}

/** The rows of tasks that a query found. */
export function taskRows(from: Outline, tasks: readonly Task[]): readonly TaskRow[] {
  return tasks.map((task) => taskRow(from, task));
}

function groupRows(state: SessionState, from: Outline): readonly Row[] {
  const { snapshot, grouping } = from;
  const { tasks } = snapshot;
  if (grouping === 'tree') {
    return asRows(spread(from, 'top', { from: 'list', tasks: from.forest?.roots ?? tasks }));
  }
  if (grouping === 'entry') {
    return entryRows(from);
  }
  const { groups, others } = isComplete(snapshot) ? listedGroups(from) : { groups: askedGroups(state, from), others: [] };
  // One runtime is no news, and states that the adapter could not tell make no groups.
  if (groups.length >= (grouping === 'runtime' ? 2 : 1)) {
    return [...groups, ...others];
  }
  const all: Contents = isComplete(snapshot) ? { from: 'list', tasks } : { from: 'adapter', query: { filter: from.filter, start: 0, count: snapshot.matched } };
  return asRows(spread(from, 'top', all));
}

/** A group that is told by a condition of the adapter's filter. */
interface Condition {
  readonly key: string;
  readonly of: 'runtime' | 'state';
  readonly label: string;
  readonly aside: string;
  readonly lets: (task: Task) => boolean;
  /** `undefined`: the user's own filter excludes the group. */
  readonly filter: TaskFilter | undefined;
}

function conditions({ snapshot, grouping, filter }: Outline): readonly Condition[] {
  if (grouping === 'state') {
    return taskStates.map((state) => ({
      key: `state:${state}`,
      of: 'state',
      label: state,
      aside: '',
      lets: (task) => task.state === state,
      filter: both(filter, { states: [state] }),
    }));
  }
  if (grouping !== 'runtime') {
    return [];
  }
  return snapshot.runtimes.map(({ id, kind, name }) => ({
    key: `runtime:${id}`,
    of: 'runtime',
    label: name === undefined || name === '' ? kind : name,
    aside: name === undefined || name === '' ? '' : kind,
    lets: (task) => task.runtime === id,
    filter: typeof id === 'number' ? both(filter, { runtime: id }) : undefined,
  }));
}

function listedGroups(from: Outline): { groups: readonly Row[]; others: readonly Row[] } {
  const all = conditions(from);
  const members = new Map<string, Task[]>();
  const others: Task[] = [];
  const place = placer(from, all);
  for (const task of from.snapshot.tasks) {
    const key = place(task);
    const group = key === undefined ? others : (members.get(key) ?? []);
    group.push(task);
    if (key !== undefined) {
      members.set(key, group);
    }
  }
  const groups: Row[] = all.flatMap((condition) => {
    const tasks = members.get(condition.key);
    return tasks ? [groupRow(from, condition, { from: 'list', tasks }, tasks.length)] : [];
  });
  return { groups, others: asRows(spread(from, 'others', { from: 'list', tasks: others })) };
}

/** Finds the group of a task without trying each. */
function placer({ grouping }: Outline, all: readonly Condition[]): (task: Task) => string | undefined {
  const keys = new Set(all.map(({ key }) => key));
  return (task) => {
    const key = grouping === 'state' ? `state:${task.state ?? ''}` : `runtime:${task.runtime ?? ''}`;
    return keys.has(key) ? key : undefined;
  };
}

function askedGroups(state: SessionState, from: Outline): readonly Row[] {
  return conditions(from).flatMap((condition) => {
    const { filter } = condition;
    const count = filter ? (state.parts.get(queryKey({ filter, start: 0, count: 0 }))?.matched ?? 0) : 0;
    return filter && count > 0 ? [groupRow(from, condition, { from: 'adapter', query: { filter, start: 0, count } }, count)] : [];
  });
}

function groupRow(from: Outline, { key, of, label, aside }: Pick<Condition, 'key' | 'label' | 'aside'> & { of: GroupRow['of'] }, contents: Contents, count: number): GroupRow {
  const size = counted(count, 'task');
  return {
    kind: 'group',
    of,
    key,
    label,
    description: aside === '' ? size : `${aside} · ${size}`,
    tooltip: [label, ...(aside === '' ? [] : [aside]), size],
    open: from.snapshot.matched <= pageSize,
    contents,
  };
}

/** Groups by where the entry function is declared, or its name where that is unknown; the largest first. */
function entryRows(from: Outline): readonly Row[] {
  const members = new Map<string, Task[]>();
  for (const task of from.snapshot.tasks) {
    const key = task.entry ? longPlace(task.entry) : `name:${task.name}`;
    const group = members.get(key);
    if (group) {
      group.push(task);
    } else {
      members.set(key, [task]);
    }
  }
  const sorted = [...members].sort(([, a], [, b]) => b.length - a.length);
  const rest = sorted.slice(pageSize - 1).flatMap(([, tasks]) => tasks);
  const rows = sorted.slice(0, pageSize - 1).map(([key, tasks]) => {
    const [first] = tasks;
    // Tasks that were given names of their own do not say their function's.
    const same = first !== undefined && tasks.every((task) => task.name === first.name);
    const place = first?.entry ? shortPlace(first.entry) : '';
    const label = same || place === '' ? (first ? taskLabel(first) : key) : place;
    return groupRow(from, { key: `entry:${key}`, of: 'entry', label, aside: label === place ? '' : place }, { from: 'list', tasks }, tasks.length);
  });
  return rest.length === 0 ? rows : [...rows, groupRow(from, { key: 'entries', of: 'entry', label: 'Other functions', aside: '' }, { from: 'list', tasks: rest }, rest.length)];
}

/** The rows of a group's tasks; of more than a page, ranges of a page each. */
function spread(from: Outline, key: string, contents: Contents): readonly Row[] | Query {
  const size = contents.from === 'list' ? contents.tasks.length : contents.query.count;
  if (size <= pageSize) {
    return contents.from === 'list' ? taskRows(from, contents.tasks) : contents.query;
  }
  return Array.from({ length: Math.ceil(size / pageSize) }, (_, index) => {
    const [start, end] = [index * pageSize, Math.min((index + 1) * pageSize, size)];
    return rangeRow(`${key}/from:${start}`, slice(from, contents, start, end), start, end, key === 'top' && index === 0);
  });
}

function slice({ snapshot, filter }: Outline, contents: Contents, start: number, end: number): Contents {
  if (contents.from === 'list') {
    return { from: 'list', tasks: contents.tasks.slice(start, end) };
  }
  const { query } = contents;
  const listed = query.filter === filter && end <= snapshot.tasks.length;
  return listed ? { from: 'list', tasks: snapshot.tasks.slice(start, end) } : { from: 'adapter', query: { filter: query.filter, start: query.start + start, count: end - start } };
}

function rangeRow(key: string, contents: Contents, start: number, end: number, open: boolean): GroupRow {
  const label = `Tasks ${start + 1} to ${end}`;
  return { kind: 'group', of: 'range', key, label, description: '', tooltip: [label], open, contents };
}

function taskRow(from: Outline, task: Task, prefix = ''): TaskRow {
  const below = prefix === '' ? (from.forest?.below.get(task.id) ?? []) : [];
  return {
    kind: 'task',
    key: `${prefix}task:${task.id}`,
    label: taskLabel(task),
    description: taskDescription(task),
    tooltip: [],
    task,
    generation: from.snapshot.generation,
    below,
    open: below.length > 0 && from.snapshot.matched <= pageSize,
  };
}

function stackRow({ key, task, generation }: TaskRow): Row {
  return { kind: 'stack', key: `${key}/stack`, label: 'Stack', description: taskLabel(task), tooltip: ['Its logical frames, the outermost first.'], task, generation };
}

/** A task that is named and not listed. */
function unlisted(id: number): Task {
  return { id, name: '', kind: 'task', awaitedBy: [] };
}

function problemRow(problem: Problem, index: number, { known }: Outline): Row {
  const lines = problem.tasks.map((id) => named(known, id));
  return { kind: 'problem', key: `problem:${index}:${problem.kind}`, label: problem.text, description: problem.kind, tooltip: [problem.text, ...lines], problem };
}

/** `task 7 shop::order` */
export function named(known: ReadonlyMap<number, Task>, id: number): string {
  const task = known.get(id);
  return task && task.name !== '' ? `task ${id} ${task.name}` : `task ${id}`;
}

function note(kind: 'note' | 'failure', key: string, text: string): NoteRow {
  return { kind, key, label: text, description: '', tooltip: [text] };
}

function isComplete(snapshot: TasksBody): boolean {
  return snapshot.tasks.length >= snapshot.matched;
}

/** Lists are never asked for. */
function asRows(rows: readonly Row[] | Query): readonly Row[] {
  return Array.isArray(rows) ? (rows as readonly Row[]) : [];
}
