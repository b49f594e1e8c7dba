/**
 * Who waits for whom and what holds what, as boxes and edges: the Task Graph before it is laid out.
 *
 * Tasks are merged that have the same stack: entry, kind, state, place, depth and wait (what differs from look to look, as the
 * time left or the place in a queue, does not count). Resources are merged when only one task waits for each of them; one that
 * several wait for is a place where they meet. Then boxes are told apart again by their neighbours, so that of ten
 * workers the one that has the lock is not lost among those that want it.
 *
 * **Invariant:** no edge is drawn that no task has, and the tasks and resources of a circle have boxes of their own as long as
 * there is room. Ids that the snapshot does not list have no box.
 */

import type { Location, Problem, Resource, Task, TaskState, TasksBody } from './protocol';
import { shortPlace, taskLabel } from './rows';

/** How many boxes are drawn at most: more than a screen can show, and few enough to be laid out in no time. */
export const maxBoxes = 200;

/** How many edges are drawn at most. */
const maxEdges = 400;

/** The problems whose tasks and resources are marked in the graph: those that are made of waits. */
const circles: ReadonlySet<string> = new Set(['deadlock', 'futurelock', 'never-polled']);

export interface TaskBox {
  readonly kind: 'task';
  readonly key: string;
  readonly tasks: readonly Task[];
  readonly label: string;
  readonly state: TaskState | undefined;
  readonly place: Location | undefined;
  /** What is waited for; parts in which the members differ are `…`. */
  readonly wait: string;
  /** Indices into the graph's problems. */
  readonly problems: readonly number[];
}

export interface ResourceBox {
  readonly kind: 'resource';
  readonly key: string;
  readonly resources: readonly Resource[];
  readonly label: string;
  readonly problems: readonly number[];
}

export type Box = TaskBox | ResourceBox;

/** `waits`: a task for a resource; `held`: a resource by a task; `awaits`: a task another task. */
export type EdgeKind = 'waits' | 'held' | 'awaits';

export interface Edge {
  readonly from: string;
  readonly to: string;
  readonly kind: EdgeKind;
  /** `waits for`, `held by`, or by what a task awaits another: `join`, `gather`. */
  readonly label: string;
  /** How many of the members' edges it stands for. */
  readonly count: number;
  readonly problems: readonly number[];
}

export interface Graph {
  readonly boxes: readonly Box[];
  readonly edges: readonly Edge[];
  readonly problems: readonly Problem[];
  /** Boxes, the tasks in them, and edges between boxes, that are not drawn since there are too many. */
  readonly left: { readonly boxes: number; readonly tasks: number; readonly edges: number };
  /** Tasks that are drawn, in whatever box. */
  readonly tasks: number;
}

export interface Wishes {
  /** Tasks and resources (keys of `unitKey`) that are to have boxes of their own. */
  readonly open?: ReadonlySet<string>;
  readonly cap?: number;
}

/** A task or a resource, before anything is merged. */
interface Unit {
  readonly key: string;
  readonly task?: Task;
  readonly resource?: Resource;
  readonly problems: readonly number[];
  /** What it has in common with those that it may be merged with. */
  readonly likeness: string;
}

interface Link {
  readonly from: number;
  readonly to: number;
  readonly kind: EdgeKind;
  readonly label: string;
}

interface Units {
  readonly units: readonly Unit[];
  readonly links: readonly Link[];
}

/** How boldly is merged; the first that leaves few enough boxes is taken. */
interface Boldness {
  /** Each task and resource of a circle has a box. */
  readonly circlesApart: boolean;
  /** Each resource that several wait for has a box. */
  readonly meetingsApart: boolean;
  /** How far away a difference may be that keeps boxes apart, in edges. */
  readonly sight: number;
}

const boldness: readonly Boldness[] = [
  { circlesApart: true, meetingsApart: true, sight: 3 },
  { circlesApart: true, meetingsApart: true, sight: 1 },
  { circlesApart: false, meetingsApart: true, sight: 1 },
];
const boldest: Boldness = { circlesApart: false, meetingsApart: false, sight: 0 };

/** The name by which a task or a resource is opened. */
export function unitKey(of: { readonly task: number } | { readonly resource: number }): string {
  return 'task' in of ? `task:${of.task}` : `resource:${of.resource}`;
}

export function graphOf(snapshot: Pick<TasksBody, 'tasks' | 'problems'>, wishes: Wishes = {}): Graph {
  const cap = wishes.cap ?? maxBoxes;
  const open = wishes.open ?? new Set<string>();
  const problems = snapshot.problems.filter(({ kind }) => circles.has(kind));
  const all = unitsOf(snapshot.tasks, problems);
  let groups: readonly (readonly number[])[] = [];
  for (const bold of [...boldness, boldest]) {
    groups = merged(all, bold, open);
    if (groups.length <= cap) {
      break;
    }
  }
  return drawn(all, groups, problems, cap);
}

function unitsOf(tasks: readonly Task[], problems: readonly Problem[]): Units {
  const taskProblems = membership(problems.map((problem) => problem.tasks));
  const resourceProblems = membership(problems.map((problem) => problem.resources));
  const marks = (members: readonly number[]): string => [...new Set(members.map((index) => problems[index]?.kind ?? ''))].join();
  const units: Unit[] = tasks.map((task) => {
    const member = taskProblems.get(task.id) ?? [];
    return { key: unitKey({ task: task.id }), task, problems: member, likeness: `${marks(member)}|${stackKey(task)}` };
  });
  const indices = new Map(tasks.map((task, index) => [task.id, index]));
  const resources = new Map<number, number>();
  const links = new Map<string, Link>();
  const link = (from: number, to: number | undefined, kind: EdgeKind, label: string): void => {
    const key = `${from}>${to ?? ''}`;
    if (to !== undefined && !links.has(key)) {
      links.set(key, { from, to, kind, label });
    }
  };
  for (const [index, { waitingOn, awaitedBy }] of tasks.entries()) {
    for (const { task, via } of awaitedBy) {
      const awaiter = indices.get(task);
      if (awaiter !== undefined) {
        link(awaiter, index, 'awaits', via);
      }
    }
    const resource = waitingOn?.resource;
    if (resource) {
      const member = resourceProblems.get(resource.id) ?? [];
      const unit = { key: unitKey({ resource: resource.id }), resource, problems: member, likeness: `${marks(member)}|${resource.type}` };
      const place = resources.get(resource.id) ?? units.push(unit) - 1;
      resources.set(resource.id, place);
      link(index, place, 'waits', 'waits for');
      for (const holder of waitingOn.holders) {
        link(place, indices.get(holder), 'held', 'held by');
      }
    }
  }
  // An awaiter's own word comes second: what awaits it says by what (`join`), it says only that it is one of a group.
  for (const [index, { waitingOn }] of tasks.entries()) {
    for (const task of waitingOn?.tasks ?? []) {
      link(index, indices.get(task), 'awaits', waitingOn?.kind ?? '');
    }
    for (const task of waitingOn && !waitingOn.resource ? waitingOn.holders : []) {
      link(index, indices.get(task), 'awaits', waitingOn?.kind ?? '');
    }
  }
  return { units, links: [...links.values()] };
}

/** For each id the indices of the lists that name it. */
function membership(lists: readonly (readonly number[])[]): ReadonlyMap<number, readonly number[]> {
  const found = new Map<number, number[]>();
  for (const [index, ids] of lists.entries()) {
    for (const id of new Set(ids)) {
      found.set(id, [...(found.get(id) ?? []), index]);
    }
  }
  return found;
}

/** The units in groups: of one first look, then told apart by their neighbours. A group's members and the groups keep their order. */
function merged({ units, links }: Units, bold: Boldness, open: ReadonlySet<string>): readonly (readonly number[])[] {
  const waiters = new Map<number, number>();
  for (const { to, kind } of links) {
    waiters.set(to, (waiters.get(to) ?? 0) + (kind === 'waits' ? 1 : 0));
  }
  let colours = numbered(
    units.map((unit, index) => {
      if (open.has(unit.key) || (bold.circlesApart && unit.problems.length > 0)) {
        return unit.key;
      }
      const meeting = bold.meetingsApart && unit.resource !== undefined && (waiters.get(index) ?? 0) > 1;
      return meeting ? unit.key : unit.likeness;
    }),
  );
  for (let round = 0; round < bold.sight; round += 1) {
    colours = refined(colours, links);
  }
  const groups = new Map<number, number[]>();
  for (const [index, colour] of colours.entries()) {
    const group = groups.get(colour);
    if (group) {
      group.push(index);
    } else {
      groups.set(colour, [index]);
    }
  }
  return [...groups.values()];
}

/** One round of telling apart by what kinds of edges lead to and from what colours; how many edges there are does not count. */
function refined(colours: readonly number[], links: readonly Link[]): readonly number[] {
  const seen = colours.map(() => new Set<string>());
  for (const { from, to, kind, label } of links) {
    seen[from]?.add(`>${kind} ${label} ${colours[to] ?? ''}`);
    seen[to]?.add(`<${kind} ${label} ${colours[from] ?? ''}`);
  }
  return numbered(colours.map((colour, index) => [colour, ...[...(seen[index] ?? [])].sort()].join('|')));
}

function numbered(names: readonly string[]): readonly number[] {
  const numbers = new Map<string, number>();
  return names.map((name) => {
    const number = numbers.get(name) ?? numbers.size;
    numbers.set(name, number);
    return number;
  });
}

/** What a task's stack is told by. The adapter sends no frames with its list; that this is enough is measured (docs/measurements.md). */
function stackKey(task: Task): string {
  const { kind, runtime, state, entry, location, frames, waitingOn, error } = task;
  const wait = waitingOn ? [waitingOn.kind, lasting(waitingOn.text), waitingOn.resource?.type] : [];
  return JSON.stringify([entry ? longPlace(entry) : task.name, kind, runtime, state, location && longPlace(location), frames, wait, error]);
}

function longPlace({ source, line }: Location): string {
  return `${source.path ?? source.name ?? ''}:${line}`;
}

/** A wait's text without what differs between tasks that wait alike: places in queues, holders, peers, and all numbers. */
function lasting(text: string): string {
  return text
    .replace(/, \d+(st|nd|rd|th) of \d+ in the queue/g, '')
    .replace(/,? held by task \d+(?:(?:, | and )task \d+)*(?: and \d+ more)?/g, '')
    .replace(/, peer [^,;]+/g, '')
    .replace(/\d+(\.\d+)?( (ms|s|min|h)\b( \d+ (ms|s|min)\b)?)?/g, '#');
}

function drawn({ units, links }: Units, groups: readonly (readonly number[])[], problems: readonly Problem[], cap: number): Graph {
  const degree = new Array<number>(units.length).fill(0);
  for (const { from, to } of links) {
    degree[from] = (degree[from] ?? 0) + 1;
    degree[to] = (degree[to] ?? 0) + 1;
  }
  const all = groups.map((group) => {
    const members = group.flatMap((index) => units[index] ?? []);
    return { group, box: boxOf(members), linked: group.some((index) => (degree[index] ?? 0) > 0) };
  });
  // What cannot be left out comes first: circles, then what is linked, then the many. Sorting keeps the order of the rest.
  const rank = ({ box, linked }: (typeof all)[number]): number => (box.problems.length > 0 ? 0 : linked ? 1 : 2);
  const size = ({ group }: (typeof all)[number]): number => -group.length;
  const order = all.length <= cap ? all : [...all].sort((a, b) => rank(a) - rank(b) || size(a) - size(b));
  const kept = new Set(order.slice(0, cap));
  const boxes = all.filter((one) => kept.has(one));
  const left = order.slice(cap);
  const tasks = (some: typeof all): number => some.reduce((sum, { box }) => sum + (box.kind === 'task' ? box.tasks.length : 0), 0);
  const edges = edgesOf(units, links, boxes);
  const first = edges.length <= maxEdges ? edges : [...edges].sort((a, b) => b.problems.length - a.problems.length).slice(0, maxEdges);
  return {
    boxes: boxes.map(({ box }) => box),
    edges: first,
    problems,
    left: { boxes: left.length, tasks: tasks(left), edges: edges.length - first.length },
    tasks: tasks(boxes),
  };
}

function edgesOf(units: readonly Unit[], links: readonly Link[], boxes: readonly { readonly group: readonly number[]; readonly box: Box }[]): readonly Edge[] {
  const keys = new Map(boxes.flatMap(({ group, box }) => group.map((index) => [index, box.key])));
  const edges = new Map<string, Omit<Edge, 'problems' | 'count'> & { count: number; readonly problems: Set<number> }>();
  for (const { from, to, kind, label } of links) {
    const [a, b] = [keys.get(from), keys.get(to)];
    if (a === undefined || b === undefined) {
      continue;
    }
    const name = JSON.stringify([a, b, kind, label]);
    const edge = edges.get(name) ?? { from: a, to: b, kind, label, count: 0, problems: new Set() };
    edges.set(name, edge);
    edge.count += 1;
    for (const problem of units[from]?.problems ?? []) {
      if (units[to]?.problems.includes(problem)) {
        edge.problems.add(problem);
      }
    }
  }
  return [...edges.values()].map((edge) => ({ ...edge, problems: [...edge.problems].sort((x, y) => x - y) }));
}

function boxOf(members: readonly Unit[]): Box {
  const tasks = members.flatMap(({ task }) => task ?? []);
  const resources = members.flatMap(({ resource }) => resource ?? []);
  const problems = [...new Set(members.flatMap((unit) => unit.problems))].sort((a, b) => a - b);
  const [task] = tasks;
  const key = members[0]?.key ?? '';
  if (!task) {
    return { kind: 'resource', key, resources, label: resources[0]?.type ?? '', problems };
  }
  const label = commonName(tasks.map(taskLabel)) ?? (task.entry ? shortPlace(task.entry) : taskLabel(task));
  const wait = tasks.map(({ waitingOn }) => waitingOn?.text ?? '').reduce(common);
  return { kind: 'task', key, tasks, label, state: task.state, place: task.location, wait, problems };
}

/** `sleeper-…` of `sleeper-1` and `sleeper-2`; `undefined` when too little is common to tell what they are. */
function commonName(names: readonly string[]): string | undefined {
  const [first = ''] = names;
  const shared = names.reduce((so, name) => {
    let length = 0;
    while (length < so.length && so[length] === name[length]) {
      length += 1;
    }
    return so.slice(0, length);
  });
  return names.every((name) => name === first) ? first : shared.length >= 3 ? `${shared}…` : undefined;
}

/** Two texts as one, with `…` for each word in which they differ. */
function common(a: string, b: string): string {
  if (a === b) {
    return a;
  }
  const [left, right] = [a.split(' '), b.split(' ')];
  const words = left.map((word, index) => (word === right[index] ? word : '…')).slice(0, Math.min(left.length, right.length));
  const text = [...words, ...(left.length === right.length ? [] : ['…'])].join(' ');
  return text.replace(/…(?: …)+/g, '…');
}
