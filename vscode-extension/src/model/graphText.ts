/** The Task Graph in words: for screen readers, for the clipboard, and for the hover of a box. */

import type { Box, Edge, Graph } from './graph';
import { shortPlace } from './rows';

/** How many members of a box the text names. */
const namedMembers = 20;

/** How many problems of a box or an edge are named. */
const namedProblems = 3;

/** `2 × shop::worker`, `Mutex<u32>` */
export function boxTitle(box: Box): string {
  const count = box.kind === 'task' ? box.tasks.length : box.resources.length;
  return count === 1 ? box.label : `${count} × ${box.label}`;
}

/** `task 7 shop::worker`, `Mutex<u32> 0x5652f0`: the words by which a box is told from all others. */
export function boxName(box: Box): string {
  if (box.kind === 'task') {
    const [only] = box.tasks.length === 1 ? box.tasks : [];
    return only && only.name !== '' ? `task ${only.id} ${box.label}` : boxTitle(box);
  }
  return [boxTitle(box), ...boxDetails(box).slice(0, 1)].join(' ');
}

/** What is said of a box below its title, a line each; `numbered`: with the number of its task, which its name has already. */
export function boxDetails(box: Box, numbered = true): readonly string[] {
  if (box.kind === 'resource') {
    return box.resources.length === 1 ? box.resources.map(({ id }) => `0x${id.toString(16)}`) : [];
  }
  const [only] = box.tasks.length === 1 ? box.tasks : [];
  const state = box.state ?? 'state unknown';
  const number = numbered && only && only.name !== '' ? [`task ${only.id}`] : [];
  const said = [...number, state, ...(box.place ? [shortPlace(box.place)] : [])].join(' · ');
  return [said, box.wait, only?.error ?? ''].filter((line) => line !== '');
}

/** `deadlock 1`: a problem's name, as the legend numbers them. */
export function problemName({ problems }: Graph, index: number): string {
  return `${problems[index]?.kind ?? 'problem'} ${index + 1}`;
}

/** The names of the problems that a box or an edge is part of: the first ones, and how many more. */
export function problemNames(graph: Graph, problems: readonly number[]): readonly string[] {
  const more = problems.length - namedProblems;
  const named = problems.slice(0, namedProblems).map((index) => problemName(graph, index));
  return more > 0 ? [...named, `${more} more problems`] : named;
}

/** What a box waits for or is held by, and who waits for it or has it, in words. */
export function relations(graph: Graph, box: Box): readonly string[] {
  const names = new Map(graph.boxes.map((other) => [other.key, boxName(other)]));
  const named = (edge: Edge, key: string): string => {
    const [count, marks] = [edge.count > 1 ? ` (${edge.count} times)` : '', problemNames(graph, edge.problems)];
    return `${names.get(key) ?? ''}${count}${marks.length > 0 ? ` [${marks.join(', ')}]` : ''}`;
  };
  const out = graph.edges.filter(({ from }) => from === box.key).map((edge) => `${outward(edge)} ${named(edge, edge.to)}`);
  const into = graph.edges.filter(({ from, to }) => to === box.key && from !== box.key).map((edge) => `${inward(edge)} ${named(edge, edge.from)}`);
  return [...out, ...into];
}

function outward({ kind, label }: Edge): string {
  return kind === 'awaits' ? `awaits (${label})` : label;
}

function inward({ kind, label }: Edge): string {
  return kind === 'awaits' ? `awaited (${label}) by` : kind === 'held' ? 'holds' : 'waited for by';
}

/** The details that the name of a box does not say. */
function unnamed(box: Box): readonly string[] {
  return box.kind === 'task' ? boxDetails(box, false) : [];
}

/** A box as one sentence, which is what a screen reader says of it. */
export function boxSentence(graph: Graph, box: Box): string {
  return [boxName(box), ...unnamed(box), ...problemNames(graph, box.problems), ...relations(graph, box)].join(', ');
}

/** What is not in the picture, in sentences. */
export function leftOut({ left }: Graph): readonly string[] {
  const notes: string[] = [];
  if (left.boxes > 0) {
    notes.push(`${left.boxes} more boxes with ${left.tasks} tasks are left out: the picture would be too large.`);
  }
  if (left.edges > 0) {
    notes.push(`${left.edges} more edges are left out: the picture would be too large.`);
  }
  return notes;
}

/** `12 tasks in 4 boxes, 2 resources` */
export function summary(graph: Graph): string {
  const boxes = graph.boxes.filter(({ kind }) => kind === 'task').length;
  const resources = graph.boxes.reduce((sum, box) => sum + (box.kind === 'resource' ? box.resources.length : 0), 0);
  const held = resources === 0 ? '' : `, ${counted(resources, 'resource')}`;
  return `${counted(graph.tasks, 'task')} in ${counted(boxes, 'box', 'boxes')}${held}`;
}

function counted(count: number, one: string, many = `${one}s`): string {
  return `${count} ${count === 1 ? one : many}`;
}

/** The whole graph: each box with what leads from it and to it. */
export function graphText(graph: Graph, notes: readonly string[] = []): string {
  const head = [`Task graph: ${summary(graph)}`, ...notes, ...leftOut(graph)];
  const problems = graph.problems.map(({ kind, text }, index) => `${kind} ${index + 1}: ${oneLine(text)}`);
  const boxes = graph.boxes.map((box) => {
    const marks = problemNames(graph, box.problems);
    const lines = [...unnamed(box), ...relations(graph, box), ...members(box)];
    return [`${oneLine(boxName(box))}${marks.length > 0 ? ` [${marks.join(', ')}]` : ''}`, ...lines.map((line) => `  ${oneLine(line)}`)].join('\n');
  });
  return `${[head.join('\n'), ...problems, ...boxes].join('\n\n')}\n`;
}

/** Who is in a merged box. */
function members(box: Box): readonly string[] {
  const all = box.kind === 'task' ? box.tasks.map(({ id, name }) => `task ${id}${name === box.label ? '' : ` ${name}`}`) : box.resources.map(({ id }) => `0x${id.toString(16)}`);
  if (all.length === 1) {
    return [];
  }
  const more = all.length - namedMembers;
  return [`members: ${all.slice(0, namedMembers).join(', ')}${more > 0 ? ` and ${more} more` : ''}`];
}

/** Names come from the debuggee: a line break in one would forge a line. */
function oneLine(text: string): string {
  return text.replace(/\s*[\r\n\u2028\u2029]+\s*/g, ' ');
}
