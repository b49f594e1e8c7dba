/** What the Task Graph's page shows, made of a snapshot and what the user opened. */

import { drawingOf, svgFile } from './drawing';
import { graphOf, unitKey, type Box, type Graph } from './graph';
import type { BoxDetails, GraphView, LegendEntry } from './graphMessages';
import { boxDetails, boxTitle, graphText, leftOut, problemName, problemNames, relations, summary } from './graphText';
import type { Location, Task, TasksBody } from './protocol';
import { taskDescription, taskLabel } from './rows';
import type { SessionState } from './store';

/** A merged box with no more members than these opens into them; one with more lists them. */
const openedAtMost = 12;

/** How many tasks are listed beside the picture. */
const listedAtMost = 200;

/** The picture of a snapshot. */
export interface Picture {
  readonly version: number;
  readonly graph: Graph;
  readonly notes: readonly string[];
  readonly view: Pick<GraphView, 'version' | 'drawing' | 'legend' | 'notes' | 'text' | 'opened'>;
}

export function pictureOf(body: TasksBody, open: ReadonlySet<string>, version: number): Picture {
  const graph = graphOf(body, { open });
  const missing = body.matched - body.tasks.length;
  const cut = missing > 0 ? [`${missing} of ${body.matched} tasks are left out: there are too many to look at all.`] : [];
  const notes = [...cut, ...leftOut(graph), ...body.notes];
  const text = graphText(graph, [...cut, ...body.notes]);
  const legend = graph.problems.map((problem, index): LegendEntry => {
    const boxes = graph.boxes.filter(({ problems }) => problems.includes(index)).map(({ key }) => key);
    return { name: problemName(graph, index), text: problem.text, boxes };
  });
  const drawing = graph.boxes.length > 0 ? drawingOf(graph) : undefined;
  return { version, graph, notes, view: { version, drawing, legend, notes, text, opened: open.size > 0 } };
}

/** What the page is told: the picture, and of when it is. */
export function viewOf(state: SessionState | undefined, picture: Picture | undefined, current: boolean, failure: string | undefined): GraphView {
  const shown = picture?.view ?? { version: 0, drawing: undefined, legend: [], notes: [], text: '', opened: false };
  return { type: 'view', status: statusOf(state, picture, current, failure), current, ...shown };
}

function statusOf(state: SessionState | undefined, picture: Picture | undefined, current: boolean, failure: string | undefined): string {
  if (!state || state.run === 'ended') {
    return 'No session. Start debugging with weft to see its tasks.';
  }
  if (failure !== undefined) {
    return failure;
  }
  const tasks = picture && (picture.graph.boxes.length > 0 ? `${summary(picture.graph)}.` : 'No async tasks.');
  if (state.run !== 'stopped') {
    const hint = 'The next stop brings a new picture, and so does Refresh in Async Tasks.';
    return tasks === undefined ? `The program is running. ${hint}` : `${tasks} The program is running${current ? '' : ', this is the last picture'}. ${hint}`;
  }
  return tasks === undefined || !current ? 'The tasks are being read…' : tasks;
}

/** The members of a merged box that opens; `undefined` when the choice means something else. */
export function membersToOpen(box: Box): readonly string[] | undefined {
  const keys = box.kind === 'task' ? box.tasks.map(({ id }) => unitKey({ task: id })) : box.resources.map(({ id }) => unitKey({ resource: id }));
  return keys.length > 1 && keys.length <= openedAtMost ? keys : undefined;
}

/** Where the code of a box is: where its task waits or runs; of a resource, where who holds it is, else where somebody waits for it. */
export function placeOf(graph: Graph, box: Box): Location | undefined {
  return tasksOf(graph, box).find(({ location }) => location)?.location;
}

/** A box in words, with the tasks that it is about. */
export function detailsOf(graph: Graph, box: Box): BoxDetails {
  const tasks = tasksOf(graph, box);
  const lines = [...boxDetails(box), ...problemNames(graph, box.problems), ...relations(graph, box)];
  const listed = tasks.slice(0, listedAtMost).map((task) => ({ id: task.id, label: `task ${task.id} ${taskLabel(task)}, ${taskDescription(task)}` }));
  return { type: 'details', box: box.key, title: boxTitle(box), lines, tasks: listed, more: tasks.length - listed.length };
}

/** The tasks of a box; of a resource those that hold it, then those that wait for it. */
function tasksOf(graph: Graph, box: Box): readonly Task[] {
  if (box.kind === 'task') {
    return box.tasks;
  }
  const others = new Map(graph.boxes.map((other) => [other.key, other]));
  const ids = new Set(box.resources.map(({ id }) => id));
  const ends = [
    ...graph.edges.filter(({ from }) => from === box.key).map(({ to }) => to),
    ...graph.edges.filter(({ to }) => to === box.key).map(({ from }) => from),
  ];
  const near = ends.flatMap((key) => {
    const other = others.get(key);
    return other?.kind === 'task' ? other.tasks : [];
  });
  const waiters = near.filter(({ waitingOn }) => waitingOn?.resource !== undefined && ids.has(waitingOn.resource.id));
  const holding = new Set(waiters.flatMap(({ waitingOn }) => waitingOn?.holders ?? []));
  return [...new Set([...near.filter(({ id }) => holding.has(id)), ...waiters])];
}

/** The picture as a file. */
export function svgOf({ view, graph }: Picture): string | undefined {
  return view.drawing && svgFile(view.drawing, summary(graph));
}
