import * as vscode from 'vscode';
import { openLocation } from './commands';
import { focusFrame } from './frameFocus';
import { decodeStack, decodeTasks, firstTaskThread, type Task } from './model/protocol';
import { description, due, initial, isCurrent, isFocused, label, message, reduce, type Action, type CallStackState, type Shown, type Subject } from './model/callStack';
import { noteRow, stackRows, type FrameRow, type Row } from './model/callStackRows';
import { decodeScopes, decodeVariables, mostValues, portions, type Container, type Scope, type Variable } from './model/variables';
import type { Sessions, TaskSession } from './sessions';

/** Rows of which is remembered whether they are open. */
const mostRemembered = 5000;

/** A row of the tree, a scope or variable below one, or a part of a long list. */
type Content =
  | { readonly kind: 'row'; readonly row: Row }
  | { readonly kind: 'scope'; readonly scope: Scope }
  | { readonly kind: 'variable'; readonly variable: Variable }
  | { readonly kind: 'part'; readonly label: string; readonly container: Container };

interface Node {
  readonly session: TaskSession;
  readonly key: string;
  readonly content: Content;
  readonly parent: Node | undefined;
}

/** The **Async Call Stack** view: the logical stack of what the debugger has its focus on, or of a task that was selected. */
export class StackView implements vscode.TreeDataProvider<Node>, vscode.Disposable {
  private readonly changes = new vscode.EventEmitter<undefined>();
  private readonly tree: vscode.TreeView<Node>;
  private readonly subscriptions: vscode.Disposable;
  private readonly states = new WeakMap<TaskSession, CallStackState>();
  /** Sessions for which the view was opened; who closes it then keeps it closed. */
  private readonly opened = new WeakSet<TaskSession>();
  /** What the user opened and closed, by the key of the row. */
  private readonly open = new Map<string, boolean>();
  /** What the rows were last made of. */
  private projected: { session: TaskSession | undefined; shown: Shown | undefined } = { session: undefined, shown: undefined };
  /** Frames that were clicked on: the last one counts. */
  private clicks = 0;

  readonly onDidChangeTreeData = this.changes.event;

  constructor(private readonly sessions: Sessions) {
    this.tree = vscode.window.createTreeView<Node>('weft.asyncStack', { treeDataProvider: this, showCollapseAll: true });
    const remember = (opened: boolean) => ({ element }: { element: Node }) => {
      this.open.set(element.key, opened);
      if (this.open.size > mostRemembered) {
        this.open.delete([...this.open.keys()][0] ?? '');
      }
    };
    this.subscriptions = vscode.Disposable.from(
      this.tree.onDidChangeVisibility(() => {
        this.update(this.sessions.shown);
      }),
      this.tree.onDidExpandElement(remember(true)),
      this.tree.onDidCollapseElement(remember(false)),
      sessions.onDidChange((session) => {
        this.update(session ?? this.sessions.shown);
      }),
      sessions.onDidChooseTask(({ session, task }) => {
        this.choose(session, task);
      }),
      vscode.debug.onDidChangeActiveStackItem((item) => {
        this.follow(item);
      }),
      vscode.commands.registerCommand('weft.showFrame', (node: Node) => this.showFrame(node)),
      vscode.commands.registerCommand('weft.showTask', (session: TaskSession, task: number) => {
        this.choose(session, session.knownTask(task) ?? { id: task, name: '' });
      }),
    );
  }

  getTreeItem(node: Node): vscode.TreeItem {
    const { text, detail, tooltip } = texts(node.content);
    const item = new vscode.TreeItem(text, this.collapsible(node));
    item.id = `${node.session.debug.id}/${node.key}`;
    item.description = detail;
    item.tooltip = tooltip;
    item.accessibilityInformation = { label: [text, detail].filter((part) => part !== '').join(', ') };
    item.contextValue = `weft.${node.content.kind}`;
    const icon = iconOf(node.content);
    if (icon) {
      item.iconPath = new vscode.ThemeIcon(icon);
    }
    const command = click(node);
    if (command) {
      item.command = command;
    }
    return item;
  }

  async getChildren(parent?: Node): Promise<Node[]> {
    if (!parent) {
      const session = this.sessions.shown;
      return session ? nodes(session, undefined, this.rows(session)) : [];
    }
    const { session, content } = parent;
    switch (content.kind) {
      case 'row':
        return content.row.kind === 'frame' ? this.read(parent, () => scopes(parent, content.row as FrameRow)) : nodes(session, parent, 'rows' in content.row ? content.row.rows : []);
      case 'scope':
        return this.read(parent, () => variables(parent, content.scope));
      case 'variable':
        return this.read(parent, () => variables(parent, content.variable));
      case 'part':
        return this.read(parent, () => variables(parent, content.container));
    }
  }

  getParent(node: Node): Node | undefined {
    return node.parent;
  }

  dispose(): void {
    vscode.Disposable.from(this.subscriptions, this.tree, this.changes).dispose();
  }

  private state(session: TaskSession): CallStackState {
    return this.states.get(session) ?? initial;
  }

  private dispatch(session: TaskSession, action: Action): void {
    this.states.set(session, reduce(this.state(session), action));
    const ask = due(this.state(session));
    if (ask) {
      this.dispatch(session, { type: 'asked', key: ask.key });
      void this.ask(session, ask);
    }
  }

  private rows(session: TaskSession): readonly Row[] {
    const { shown } = this.state(session);
    if (!shown) {
      // A row that is there before anything was asked: the view is opened by revealing it.
      return session.state.run === 'stopped' ? [noteRow('reading', 'Reading the stack…')] : [];
    }
    return shown.subject ? stackRows(shown.subject, shown.frames) : [];
  }

  /** Takes up what the session and the view's visibility are now, and shows the result. */
  private update(session: TaskSession | undefined): void {
    if (session) {
      const { run, announced, stale } = session.state;
      this.dispatch(session, { type: 'session', stopped: run === 'stopped', announced });
      if (run === 'ended' || (run === 'running' && !stale)) {
        this.dispatch(session, { type: 'cleared' });
      }
      this.dispatch(session, { type: 'visible', visible: this.tree.visible && session === this.sessions.shown });
    }
    this.project();
  }

  private follow(item: vscode.DebugThread | vscode.DebugStackFrame | undefined): void {
    const session = item && this.sessions.of(item.session);
    if (!item || session?.state.run !== 'stopped') {
      return;
    }
    const { moment } = this.state(session);
    const task = item.threadId >= firstTaskThread ? session.taskOfThread(item.threadId) : undefined;
    if (task && moment !== undefined) {
      this.dispatch(session, { type: 'owned', moment, thread: item.threadId, task: { id: task.id, name: task.name } });
    }
    const frame = item instanceof vscode.DebugStackFrame ? item.frameId : undefined;
    this.dispatch(session, { type: 'focused', focus: { thread: item.threadId, frame } });
    this.update(session);
  }

  private choose(session: TaskSession, { id, name }: Pick<Task, 'id' | 'name'>): void {
    if (session.state.run === 'stopped') {
      this.dispatch(session, { type: 'chose', task: { id, name } });
      this.update(session);
    }
  }

  private async ask(session: TaskSession, { key, moment, whose }: NonNullable<ReturnType<typeof due>>): Promise<void> {
    let shown: Shown = { key, subject: undefined, frames: [], failure: undefined };
    try {
      if ('thread' in whose) {
        const task = await owner(session, whose.thread, moment);
        this.dispatch(session, { type: 'owned', moment, thread: whose.thread, task });
      } else {
        const frames = decodeStack(await session.debug.customRequest('asyncStack', { task: whose.task.id }));
        shown = frames ? { ...shown, subject: whose.task, frames } : { ...shown, failure: 'The adapter answered asyncStack with something that is not a stack.' };
      }
    } catch (error) {
      shown = { ...shown, failure: error instanceof Error ? error.message : String(error) };
    }
    this.dispatch(session, { type: 'answered', shown });
    this.project();
  }

  private project(): void {
    const session = this.sessions.shown;
    const state = session && this.state(session);
    // The properties are typed `string | undefined` but declared optional, which exact optional types tell apart.
    const tree = this.tree as { message: string | undefined; description: string | undefined };
    tree.message = state && message(state);
    tree.description = state && description(state);
    const projected = { session, shown: state?.shown };
    // A tree that is being rebuilt loses clicks, so it is rebuilt only when its rows are others.
    if (projected.session !== this.projected.session || projected.shown !== this.projected.shown) {
      this.projected = projected;
      this.changes.fire(undefined);
    }
    if (session) {
      this.openOnce(session);
    }
  }

  /** Opens the view at a session's first stop that has tasks, as `TaskView` does, and leaves the focus where it is. */
  private openOnce(session: TaskSession): void {
    const { run, snapshot } = session.state;
    if (run !== 'stopped' || !snapshot || snapshot.total === 0 || this.opened.has(session)) {
      return;
    }
    this.opened.add(session);
    const [row] = nodes(session, undefined, this.rows(session));
    const wanted = vscode.workspace.getConfiguration('debug').get<string>('openDebug') !== 'neverOpen';
    if (row && wanted && !this.tree.visible) {
      this.tree.reveal(row, { select: false, focus: false, expand: false }).then(undefined, () => {
        // The program went on meanwhile: there is another stop to open at.
        this.opened.delete(session);
      });
    }
  }

  private collapsible(node: Node): vscode.TreeItemCollapsibleState {
    const { Collapsed, Expanded, None } = vscode.TreeItemCollapsibleState;
    const initially = opensTo(node.content);
    return initially === 'nothing' ? None : (this.open.get(node.key) ?? initially === 'at once') ? Expanded : Collapsed;
  }

  /** Children that the adapter is asked for; a sentence where it refuses, and where the program has moved on. */
  private async read(parent: Node, ask: () => Promise<Node[]>): Promise<Node[]> {
    try {
      if (!this.tree.visible || !isCurrent(this.state(parent.session))) {
        return [];
      }
      const children = await ask();
      return children.length > 0 ? children : nodes(parent.session, parent, [noteRow(`${parent.key}/none`, 'Nothing here.')]);
    } catch (error) {
      return nodes(parent.session, parent, [noteRow(`${parent.key}/failure`, error instanceof Error ? error.message : String(error))]);
    }
  }

  /** Shows a frame's source and makes it the debugger's own, so that Variables and the console are about it. */
  private async showFrame(node: Node): Promise<void> {
    const { session, content } = node;
    const state = this.state(session);
    if (content.kind !== 'row' || content.row.kind !== 'frame' || !state.shown?.subject || !isCurrent(state)) {
      return;
    }
    const { frame } = content.row;
    const { subject, frames } = state.shown;
    this.clicks += 1;
    const { clicks } = this;
    const moved = await focusFrame(session.debug, subject, frames, frame, () => isFocused(this.state(session), subject)).catch(() => false);
    if (clicks !== this.clicks) {
      return;
    }
    if (!moved && frame.source && frame.line !== undefined) {
      await openLocation(session.debug, { source: frame.source, line: frame.line });
    }
    if (moved) {
      // The editor took the focus on the way.
      await Promise.resolve(this.tree.reveal(node, { select: true, focus: true })).catch(() => undefined);
    }
  }
}

/** The task that a thread runs at this moment. */
async function owner(session: TaskSession, thread: number, generation: number): Promise<Subject | undefined> {
  if (thread >= firstTaskThread) {
    const task = session.taskOfThread(thread);
    return task && { id: task.id, name: task.name };
  }
  const running = decodeTasks(await session.debug.customRequest('asyncTasks', { start: 0, generation, filter: { states: ['running'] } }));
  const here = (running?.tasks ?? []).filter((task) => task.osThread === thread);
  // A thread that drives a future itself may run a task inside it: that one is nearer to where it stopped.
  const task = here.find(({ kind }) => kind !== 'root') ?? here[0];
  return task && { id: task.id, name: task.name };
}

function nodes(session: TaskSession, parent: Node | undefined, rows: readonly Row[]): Node[] {
  return rows.map((row) => ({ session, key: row.key, content: { kind: 'row', row }, parent }));
}

async function scopes(parent: Node, { frame }: FrameRow): Promise<Node[]> {
  const found = decodeScopes(await parent.session.debug.customRequest('scopes', { frameId: frame.id }));
  return found.map((scope) => ({ session: parent.session, key: `${parent.key}/${scope.name}`, content: { kind: 'scope', scope }, parent }));
}

async function variables(parent: Node, container: Container): Promise<Node[]> {
  const { session } = parent;
  const seen = new Map<string, number>();
  const children: Node[] = [];
  for (const portion of portions(container)) {
    if (portion.kind === 'part') {
      const { label: name, container: part } = portion;
      children.push({ session, key: `${parent.key}/${name}`, content: { kind: 'part', label: name, container: part }, parent });
      continue;
    }
    const found = decodeVariables(await session.debug.customRequest('variables', portion.arguments));
    for (const variable of found.slice(0, mostValues)) {
      const occurrence = seen.get(variable.name) ?? 0;
      seen.set(variable.name, occurrence + 1);
      children.push({ session, key: `${parent.key}/${variable.name}~${occurrence}`, content: { kind: 'variable', variable }, parent });
    }
    if (found.length > mostValues) {
      children.push(...nodes(session, parent, [noteRow(`${parent.key}/more`, `${found.length - mostValues} more are not shown.`)]));
    }
  }
  return children;
}

function opensTo(content: Content): 'nothing' | 'when asked' | 'at once' {
  switch (content.kind) {
    case 'row':
      if (content.row.kind === 'note') {
        return 'nothing';
      }
      if (content.row.kind === 'frame') {
        const { frame } = content.row;
        return frame.id !== undefined && (frame.kind === 'await' || frame.kind === 'physical') ? 'when asked' : 'nothing';
      }
      return content.row.open ? 'at once' : 'when asked';
    case 'scope':
      return content.scope.expensive || content.scope.hint === 'registers' ? 'when asked' : 'at once';
    case 'variable':
      return content.variable.reference > 0 ? 'when asked' : 'nothing';
    case 'part':
      return 'when asked';
  }
}

function texts(content: Content): { text: string; detail: string; tooltip: vscode.MarkdownString | string } {
  switch (content.kind) {
    case 'row':
      return { text: content.row.label, detail: content.row.description, tooltip: hover(content.row.tooltip) };
    case 'scope':
      return { text: content.scope.name, detail: '', tooltip: content.scope.name };
    case 'variable': {
      const { name, value, type } = content.variable;
      return { text: name, detail: value, tooltip: hover([`${name} = ${value}`, ...(type === undefined ? [] : [type])]) };
    }
    case 'part':
      return { text: content.label, detail: '', tooltip: content.label };
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

function click(node: Node): vscode.Command | undefined {
  const { content, session } = node;
  if (content.kind !== 'row') {
    return undefined;
  }
  const { row } = content;
  const task = row.kind === 'boundary' ? row.task : row.kind === 'frame' ? row.frame.task : undefined;
  if (task !== undefined) {
    return { command: 'weft.showTask', title: `Show the Stack of ${label({ id: task, name: '' })}`, arguments: [session, task] };
  }
  const code = row.kind === 'frame' && (row.frame.kind === 'await' || row.frame.kind === 'physical');
  return code ? { command: 'weft.showFrame', title: 'Show Frame', arguments: [node] } : undefined;
}

function iconOf(content: Content): string | undefined {
  switch (content.kind) {
    case 'row':
      break;
    case 'scope':
      return 'symbol-namespace';
    case 'variable':
      return 'symbol-variable';
    case 'part':
      return 'symbol-array';
  }
  switch (content.row.kind) {
    case 'frame':
      return content.row.frame.kind === 'await' ? 'debug-pause' : content.row.frame.kind === 'leaf' ? 'clock' : 'debug-stackframe';
    case 'branch':
      return 'list-tree';
    case 'runtime':
      return 'fold';
    case 'boundary':
      return 'arrow-down';
    case 'note':
      return 'info';
  }
}
