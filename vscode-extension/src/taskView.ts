import * as vscode from 'vscode';
import { frameRows, message, topRows, type FrameRow, type Row, type TaskRow } from './model/rows';
import type { TaskState, TasksBody } from './model/protocol';
import type { Sessions, TaskSession } from './sessions';

/** A row of the tree together with the session it belongs to. */
export interface Node {
  readonly session: TaskSession;
  readonly row: Row;
  readonly parent: Node | undefined;
}

/** The **Async Tasks** view: a projection of the shown session's state, which it never changes. */
export class TaskView implements vscode.TreeDataProvider<Node>, vscode.Disposable {
  private readonly changes = new vscode.EventEmitter<undefined>();
  private readonly tree: vscode.TreeView<Node>;
  private readonly subscription: vscode.Disposable;
  /** Sessions for which the view was opened; who closes it then keeps it closed. */
  private readonly opened = new WeakSet<TaskSession>();

  /** What the rows were last made of. */
  private projected: { session: TaskSession | undefined; snapshot: TasksBody | undefined; failure: string | undefined } = {
    session: undefined,
    snapshot: undefined,
    failure: undefined,
  };

  readonly onDidChangeTreeData = this.changes.event;

  constructor(private readonly sessions: Sessions) {
    this.tree = vscode.window.createTreeView<Node>('weft.asyncTasks', { treeDataProvider: this, showCollapseAll: false });
    const choose = (node: Node | undefined): void => {
      if (node?.row.kind === 'task') {
        sessions.chooseTask(node.session, node.row.task);
      }
    };
    this.subscription = vscode.Disposable.from(
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
    );
  }

  /** Whether the user sees the view. */
  get visible(): boolean {
    return this.tree.visible;
  }

  getTreeItem(node: Node): vscode.TreeItem {
    const { row } = node;
    const item = new vscode.TreeItem(row.label, collapsible(row));
    item.id = `${node.session.debug.id}/${row.key}`;
    item.description = row.description;
    item.tooltip = hover(row.tooltip);
    item.contextValue = contextValue(row);
    item.iconPath = icon(row);
    item.accessibilityInformation = { label: [row.label, row.description].filter((part) => part !== '').join(', ') };
    const command = click(node);
    if (command) {
      item.command = command;
    }
    return item;
  }

  async getChildren(parent?: Node): Promise<Node[]> {
    if (!parent) {
      const session = this.sessions.shown;
      return session ? topRows(session.state).map((row) => ({ session, row, parent: undefined })) : [];
    }
    const { session, row } = parent;
    const rows = row.kind === 'runtime' || row.kind === 'frame' ? row.rows : row.kind === 'task' ? await stackRows(session, row) : [];
    return rows.map((child) => ({ session, row: child, parent }));
  }

  getParent(node: Node): Node | undefined {
    return node.parent;
  }

  dispose(): void {
    vscode.Disposable.from(this.subscription, this.tree, this.changes).dispose();
  }

  private update(): void {
    const session = this.sessions.shown;
    // The property is typed `string | undefined` but declared optional, which exact optional types tell apart.
    (this.tree as { message: string | undefined }).message = session ? message(session.state) : undefined;
    const projected = { session, snapshot: session?.state.snapshot, failure: session?.state.failure };
    const { projected: before } = this;
    // A tree that is being rebuilt loses clicks, so it is rebuilt only when its rows are others.
    if (before.session !== projected.session || before.snapshot !== projected.snapshot || before.failure !== projected.failure) {
      this.projected = projected;
      this.changes.fire(undefined);
    }
    if (session) {
      this.openOnce(session);
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
    const [row] = topRows(session.state);
    const wanted = vscode.workspace.getConfiguration('debug').get<string>('openDebug') !== 'neverOpen';
    if (row && wanted && !this.tree.visible) {
      this.tree.reveal({ session, row, parent: undefined }, { select: false, focus: false, expand: false }).then(undefined, () => {
        // The program went on meanwhile: there is another stop to open at.
        this.opened.delete(session);
      });
    }
  }
}

async function stackRows(session: TaskSession, row: TaskRow): Promise<readonly Row[]> {
  try {
    return frameRows(row.key, await session.stack(row.task.id, row.generation));
  } catch (error) {
    const label = error instanceof Error ? error.message : String(error);
    return [{ kind: 'failure', key: `${row.key}/failure`, label, description: '', tooltip: [label] }];
  }
}

function collapsible(row: Row): vscode.TreeItemCollapsibleState {
  const { Collapsed, Expanded, None } = vscode.TreeItemCollapsibleState;
  switch (row.kind) {
    case 'task':
      return Collapsed;
    case 'runtime':
      return Expanded;
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

function contextValue(row: Row): string {
  return row.kind === 'task' ? (row.task.location ? 'weft.task.located' : 'weft.task') : `weft.${row.kind}`;
}

function click({ session, row }: Node): vscode.Command | undefined {
  if (row.kind === 'frame' && row.frame.source && row.frame.line !== undefined) {
    return { command: 'weft.openFrame', title: 'Open Frame', arguments: [session.debug, row.frame.source, row.frame.line] };
  }
  return row.kind === 'more' ? { command: 'weft.showMoreTasks', title: 'Show More Tasks' } : undefined;
}

function icon(row: Row): vscode.ThemeIcon {
  switch (row.kind) {
    case 'task':
      return stateIcon(row.task.state);
    case 'runtime':
      return new vscode.ThemeIcon('server-process');
    case 'frame':
      return new vscode.ThemeIcon(frameIcon(row));
    case 'problem':
      return row.problem.severity === 'error'
        ? new vscode.ThemeIcon('error', new vscode.ThemeColor('list.errorForeground'))
        : new vscode.ThemeIcon('warning', new vscode.ThemeColor('list.warningForeground'));
    case 'failure':
      return new vscode.ThemeIcon('error', new vscode.ThemeColor('list.errorForeground'));
    case 'note':
      return new vscode.ThemeIcon('info');
    case 'more':
      return new vscode.ThemeIcon('ellipsis');
  }
}

function stateIcon(state: TaskState | undefined): vscode.ThemeIcon {
  switch (state) {
    case 'running':
      return new vscode.ThemeIcon('play', new vscode.ThemeColor('charts.green'));
    case 'ready':
      return new vscode.ThemeIcon('circle-filled', new vscode.ThemeColor('charts.green'));
    case 'waiting':
      return new vscode.ThemeIcon('watch');
    case 'created':
      return new vscode.ThemeIcon('circle-outline');
    case 'done':
      return new vscode.ThemeIcon('pass');
    case 'failed':
      return new vscode.ThemeIcon('error', new vscode.ThemeColor('list.errorForeground'));
    case 'cancelled':
      return new vscode.ThemeIcon('circle-slash');
    case undefined:
      return new vscode.ThemeIcon('question');
  }
}

function frameIcon({ frame }: FrameRow): string {
  switch (frame.kind) {
    case 'await':
      return 'debug-pause';
    case 'physical':
      return 'debug-stackframe';
    case 'leaf':
      return 'clock';
    case 'branch':
      return 'list-tree';
    case 'boundary':
      return 'arrow-up';
  }
}
