import * as vscode from 'vscode';
import { isEmpty } from './model/filter';
import { groupings, isGrouping, named, needsAll, outline, rowsBelow, taskRows, topRows, uncounted, type Grouping, type Outline } from './model/outline';
import { frameRows, message, spoken, taskDescription, taskTooltip, type Row, type StackRow, type TaskRow } from './model/rows';
import { isReading, type Query } from './model/store';
import type { Problem, TasksBody, TaskStop } from './model/protocol';
import { rowIcon } from './rowIcons';
import type { Sessions, TaskSession } from './sessions';

/** A row of the tree together with the session it belongs to. */
export interface Node {
  readonly session: TaskSession;
  readonly row: Row;
  readonly parent: Node | undefined;
}

/** Where the workspace remembers how tasks are grouped. */
const groupingKey = 'weft.taskGrouping';

/** What a task stops for, as in "breaks when it …". */
export const stopWords: Readonly<Record<TaskStop, string>> = { polled: 'it runs', completed: 'it completes', cancelled: 'it is cancelled', panicked: 'it panics' };

/** Rows whose times count at most: more are not seen at once. */
const mostCounting = 200;

/** The **Async Tasks** view: a projection of the shown session's state and of the grouping that the user chose. */
export class TaskView implements vscode.TreeDataProvider<Node>, vscode.Disposable {
  private readonly changes = new vscode.EventEmitter<Node | Node[] | undefined>();
  private readonly tree: vscode.TreeView<Node>;
  private readonly subscriptions: { dispose(): unknown }[];
  private readonly clock: NodeJS.Timeout;
  /** Sessions for which the view was opened; who closes it then keeps it closed. */
  private readonly opened = new WeakSet<TaskSession>();
  /** The rows of tasks that the editor has, by task id: those to tell it of when something about the task changes. */
  private given = new Map<number, Node[]>();
  /** Descriptions that count, as they were last said. */
  private readonly counting = new Map<Node, string>();
  private made: { readonly snapshot: TasksBody; readonly grouping: Grouping; readonly outline: Outline } | undefined;
  private grouped: Grouping;

  /** What the rows were last made of. */
  private projected: { session: TaskSession | undefined; rows: unknown; failure: string | undefined; grouping: Grouping | undefined } = {
    session: undefined,
    rows: undefined,
    failure: undefined,
    grouping: undefined,
  };
  private marked: { pinned: ReadonlySet<number> | undefined; stops: ReadonlyMap<number, unknown> | undefined } = { pinned: undefined, stops: undefined };

  readonly onDidChangeTreeData = this.changes.event;

  constructor(
    private readonly sessions: Sessions,
    private readonly memory: vscode.Memento,
  ) {
    const remembered = memory.get<unknown>(groupingKey);
    this.grouped = isGrouping(remembered) ? remembered : 'runtime';
    this.tree = vscode.window.createTreeView<Node>('weft.asyncTasks', { treeDataProvider: this, showCollapseAll: true });
    const choose = (node: Node | undefined): void => {
      if (node?.row.kind === 'task') {
        sessions.chooseTask(node.session, node.row.task);
      }
    };
    this.subscriptions = [
      sessions.onDidChange((session) => {
        if (session === undefined || session === this.sessions.shown) {
          this.update();
        }
      }),
      this.tree.onDidChangeSelection(({ selection }) => {
        choose(selection[0]);
      }),
      // A click on a row that is selected already opens or closes it.
      ...[this.tree.onDidExpandElement, this.tree.onDidCollapseElement].map((event) =>
        event(({ element }) => {
          choose(this.tree.selection.includes(element) ? element : undefined);
        }),
      ),
      this.tree,
      this.changes,
    ];
    this.clock = setInterval(() => {
      this.count();
    }, 1000);
  }

  /** Whether the user sees the view. */
  get visible(): boolean {
    return this.tree.visible;
  }

  get grouping(): Grouping {
    return this.grouped;
  }

  /** The row that commands without a row of their own mean: those of the keyboard. */
  get selected(): Node | undefined {
    return this.tree.selection[0];
  }

  async group(grouping: Grouping): Promise<void> {
    this.grouped = grouping;
    this.update();
    await this.memory.update(groupingKey, grouping);
  }

  /** Goes to the row of a problem, if the session has it still and is the one that is shown; tells whether it has. */
  async showProblem(session: TaskSession, meant: (problem: Problem) => boolean): Promise<boolean> {
    const row = topRows(session.state, this.outlineOf(session)).find((one) => one.kind === 'problem' && meant(one.problem));
    if (!row || session !== this.sessions.shown) {
      return false;
    }
    // The editor refuses rows that were replaced meanwhile.
    return this.tree.reveal({ session, row, parent: undefined }, { select: true, focus: true }).then(() => true, () => false);
  }

  getTreeItem(node: Node): vscode.TreeItem {
    const { row, session } = node;
    const item = new vscode.TreeItem(row.label, collapsible(row));
    // Whether a row is open is remembered by this, and is another matter in each grouping.
    item.id = `${session.debug.id}/${this.grouped}/${row.key}`;
    item.description = row.kind === 'task' ? this.describe(node, row) : row.description;
    item.contextValue = row.kind === 'task' ? taskContext(session, row) : `weft.${row.kind}`;
    item.iconPath = rowIcon(row);
    item.accessibilityInformation = { label: [spoken(row), ...(row.kind === 'task' ? marks(session, row) : [])].join(', ') };
    const command = click(node);
    if (command) {
      item.command = command;
    }
    return item;
  }

  resolveTreeItem(item: vscode.TreeItem, { session, row }: Node): vscode.TreeItem {
    const from = this.outlineOf(session);
    const lines = row.kind === 'task' && from ? taskTooltip(row.task, from.snapshot, (id) => named(from.known, id)) : row.tooltip;
    item.tooltip = hover(lines);
    return item;
  }

  async getChildren(parent?: Node): Promise<Node[]> {
    const session = parent?.session ?? this.sessions.shown;
    if (!session) {
      return [];
    }
    const rows = parent ? await this.below(session, parent.row) : await this.top(session);
    return rows.map((row) => this.give({ session, row, parent }));
  }

  getParent(node: Node): Node | undefined {
    return node.parent;
  }

  dispose(): void {
    clearInterval(this.clock);
    vscode.Disposable.from(...this.subscriptions).dispose();
  }

  private async top(session: TaskSession): Promise<readonly Row[]> {
    const from = this.outlineOf(session);
    if (from) {
      // A group that cannot be counted is left out, and its tasks with it: better all of them in one list.
      await Promise.allSettled(uncounted(from).map((query) => session.part(query, from.snapshot.generation)));
    }
    return topRows(session.state, from);
  }

  private async below(session: TaskSession, row: Row): Promise<readonly Row[]> {
    const from = this.outlineOf(session);
    if (!from) {
      return [];
    }
    try {
      if (row.kind === 'stack' || (row.kind === 'task' && row.below.length === 0)) {
        return await stackRows(session, row);
      }
      const rows = rowsBelow(from, row);
      return isQuery(rows) ? taskRows(from, (await session.part(rows, from.snapshot.generation)).tasks) : rows;
    } catch (error) {
      const label = error instanceof Error ? error.message : String(error);
      return [{ kind: 'failure', key: `${row.key}/failure`, label, description: '', tooltip: [label] }];
    }
  }

  private outlineOf({ state }: TaskSession): Outline | undefined {
    const { snapshot, applied } = state;
    if (!snapshot) {
      return undefined;
    }
    if (this.made?.snapshot !== snapshot || this.made.grouping !== this.grouped) {
      this.made = { snapshot, grouping: this.grouped, outline: outline(snapshot, applied.ask, this.grouped) };
    }
    return this.made.outline;
  }

  private give(node: Node): Node {
    if (node.row.kind === 'task') {
      const { id } = node.row.task;
      const others: Node[] = [];
      for (const given of this.given.get(id) ?? []) {
        if (given.row.key === node.row.key) {
          // The editor has this one no more: its group was closed and opened again.
          this.counting.delete(given);
        } else {
          others.push(given);
        }
      }
      this.given.set(id, [...others, node]);
    }
    return node;
  }

  private update(): void {
    const session = this.sessions.shown;
    const state = session?.state;
    // The property is typed `string | undefined` but declared optional, which exact optional types tell apart.
    (this.tree as { message: string | undefined }).message = state ? message(state) : undefined;
    const problems = state?.snapshot?.problems.length ?? 0;
    this.tree.badge = problems > 0 ? { value: problems, tooltip: problems === 1 ? '1 problem with async tasks' : `${problems} problems with async tasks` } : undefined;
    void vscode.commands.executeCommand('setContext', 'weft.tasksFiltered', state !== undefined && !isEmpty(state.filter.ask));
    // Pages that come one after the other are shown when the last is there.
    const rows = state && isReading(state) ? `${state.snapshot?.generation ?? -1} ${state.applied.typed}` : state?.snapshot;
    const projected = { session, rows, failure: state?.failure, grouping: this.grouped };
    const { projected: before } = this;
    // A tree that is being rebuilt loses clicks, so it is rebuilt only when its rows are others.
    if (before.session !== projected.session || before.rows !== projected.rows || before.failure !== projected.failure || before.grouping !== projected.grouping) {
      this.projected = projected;
      this.given = new Map();
      this.counting.clear();
      this.changes.fire(undefined);
    } else {
      this.mark(session);
    }
    if (session) {
      session.dispatch({ type: 'whole', whole: needsAll(this.grouped) });
      this.openOnce(session);
    }
  }

  /** Tells the editor of rows whose tasks were pinned or watched, or are no longer. */
  private mark(session: TaskSession | undefined): void {
    const { marked: before } = this;
    this.marked = { pinned: session?.state.pinned, stops: session?.state.stops };
    if (before.pinned === this.marked.pinned && before.stops === this.marked.stops) {
      return;
    }
    const changed = [...this.given.values()].flat().filter(({ row }) => {
      if (row.kind !== 'task') {
        return false;
      }
      const { id, threadId } = row.task;
      const pinned = threadId !== undefined && before.pinned?.has(threadId) !== this.marked.pinned?.has(threadId);
      return pinned || before.stops?.get(id) !== this.marked.stops?.get(id);
    });
    if (changed.length > 0) {
      this.changes.fire(changed);
    }
  }

  private describe(node: Node, row: TaskRow): string {
    const { session } = node;
    const text = taskDescription(row.task, session.age);
    const timed = row.task.waitingOn?.remainingMs !== undefined && session.runs;
    if (timed && (this.counting.has(node) || this.counting.size < mostCounting)) {
      this.counting.set(node, text);
    }
    return [text, ...marks(session, row)].join(' · ');
  }

  /** Lets the times that are seen run on while the program stands. */
  private count(): void {
    const session = this.sessions.shown;
    if (!this.tree.visible || session?.state.run !== 'stopped') {
      return;
    }
    const others = [...this.counting].filter(([{ row }, said]) => row.kind === 'task' && taskDescription(row.task, session.age) !== said);
    if (others.length > 0) {
      this.changes.fire(others.map(([node]) => node));
    }
  }

  /**
   * Opens the view at a session's first stop that has tasks. Views in the debug side bar begin closed, and
   * `reveal` is the one way to open them that leaves the focus where it is.
   */
  private openOnce(session: TaskSession): void {
    const { run, snapshot } = session.state;
    if (run !== 'stopped' || !snapshot || snapshot.tasks.length === 0 || this.opened.has(session)) {
      return;
    }
    this.opened.add(session);
    const [row] = topRows(session.state, this.outlineOf(session));
    const wanted = vscode.workspace.getConfiguration('debug').get<string>('openDebug') !== 'neverOpen';
    if (row && wanted && !this.tree.visible) {
      this.tree.reveal({ session, row, parent: undefined }, { select: false, focus: false, expand: false }).then(undefined, () => {
        // The program went on meanwhile: there is another stop to open at.
        this.opened.delete(session);
      });
    }
  }
}

/** Asks how tasks are to be grouped. */
export async function chooseGrouping(view: TaskView): Promise<void> {
  const items = Object.entries(groupings).map(([grouping, label]) => ({
    label,
    description: grouping === view.grouping ? 'now' : '',
    grouping: grouping as Grouping,
  }));
  const chosen = await vscode.window.showQuickPick(items, { placeHolder: 'Group tasks by' });
  if (chosen) {
    await view.group(chosen.grouping);
  }
}

async function stackRows(session: TaskSession, row: TaskRow | StackRow): Promise<readonly Row[]> {
  return frameRows(row.key, await session.stack(row.task.id, row.generation));
}

function isQuery(rows: readonly Row[] | Query): rows is Query {
  return !Array.isArray(rows);
}

function collapsible(row: Row): vscode.TreeItemCollapsibleState {
  const { Collapsed, Expanded, None } = vscode.TreeItemCollapsibleState;
  switch (row.kind) {
    case 'task':
      return row.open ? Expanded : Collapsed;
    case 'stack':
      return Collapsed;
    case 'group':
      return row.open ? Expanded : Collapsed;
    case 'problem':
      return row.problem.tasks.length > 0 ? Collapsed : None;
    case 'frame':
      return row.rows.length > 0 ? Expanded : None;
    default:
      return None;
  }
}

/** Text that came from the debuggee: shown as it is, never as markup. */
function hover(lines: readonly string[]): vscode.MarkdownString {
  const text = new vscode.MarkdownString();
  for (const line of lines) {
    text.appendText(line).appendMarkdown('  \n');
  }
  return text;
}

/** What a task was told to do, as its row says it. */
function marks({ state }: TaskSession, { task }: TaskRow): string[] {
  const on = state.stops.get(task.id);
  const pinned = task.threadId !== undefined && state.pinned.has(task.threadId);
  return [...(on ? [`breaks when ${on.map((stop) => stopWords[stop]).join(', ')}`] : []), ...(pinned ? ['in Call Stack'] : [])];
}

/** What menus are told of a task: `weft.task` and what can be done with it. */
function taskContext(session: TaskSession, { task }: TaskRow): string {
  const ended = task.state === 'done' || task.state === 'failed' || (task.state === 'cancelled' && task.location === undefined);
  const pinned = task.threadId !== undefined && session.state.pinned.has(task.threadId);
  const flags = [
    task.location ? 'located' : '',
    task.kind === 'root' ? '' : 'spawned',
    ended || task.threadId === undefined ? '' : pinned ? 'pinned' : 'unpinned',
    ended || task.threadId === undefined || !session.runs ? '' : 'steps',
  ];
  return ['weft.task', ...flags.filter((flag) => flag !== '')].join('.');
}

function click({ session, row }: Node): vscode.Command | undefined {
  if (row.kind === 'frame' && row.frame.source && row.frame.line !== undefined) {
    return { command: 'weft.openFrame', title: 'Open Frame', arguments: [session.debug, row.frame.source, row.frame.line] };
  }
  return undefined;
}
