import type { DebugProtocol } from '@vscode/debugprotocol';
import * as vscode from 'vscode';
import { FocusedThreads } from './model/focus';
import { allPages, ofGeneration } from './model/pages';
import { decodeChanged, decodeStack, decodeTasks, type Frame, type Task, type TasksBody } from './model/protocol';
import { due, initial, isCurrent, queryKey, reduce, type Action, type Ask, type Part, type Query, type SessionState } from './model/store';

/** Requests whose success means that the program runs again; no event need follow them. */
const resuming = new Set(['continue', 'next', 'stepIn', 'stepOut', 'stepBack', 'reverseContinue', 'goto', 'restartFrame', 'restart']);

/** How long the rows of a stop outlive it, in milliseconds: longer than most steps take. */
const settleAfter = 300;

/** One debug session: its state, and the requests that the state calls for. */
export class TaskSession implements vscode.DebugAdapterTracker, vscode.Disposable {
  private current: SessionState = initial;
  private settle: NodeJS.Timeout | undefined;
  /** When the tasks of the generation that is shown were looked at. */
  private looked = { generation: -1, at: 0 };
  private readonly threads = new FocusedThreads();

  constructor(
    readonly debug: vscode.DebugSession,
    private readonly changed: () => void,
  ) {}

  get state(): SessionState {
    return this.current;
  }

  /** How long ago the tasks were looked at, in milliseconds. */
  get age(): number {
    return this.runs ? Date.now() - this.looked.at : 0;
  }

  /** Whether the program can be made to run: one in a core file, or that is only looked at, cannot. */
  get runs(): boolean {
    const options = this.debug.configuration;
    return options['coreFile'] === undefined && options['asyncOnly'] !== true;
  }

  dispatch(action: Action): void {
    const before = this.current;
    this.current = reduce(before, action);
    const generation = this.current.snapshot?.generation;
    if (generation !== undefined && generation !== this.looked.generation) {
      this.looked = { generation, at: Date.now() };
    }
    const ask = due(this.current);
    if (ask) {
      const ticket = this.current.tickets;
      this.current = reduce(this.current, { type: 'asked', ask });
      void this.askTasks(ticket, ask);
    }
    if (this.current !== before) {
      this.changed();
    }
  }

  /** A task of the snapshot. */
  knownTask(id: number): Task | undefined {
    return this.current.snapshot?.tasks.find((task) => task.id === id);
  }

  /** The task that is a thread of this id, which holds for the session: listed or not, if its focus was asked for. */
  taskOfThread(thread: number): Pick<Task, 'id' | 'name'> | undefined {
    const listed = this.current.snapshot?.tasks.find((task) => task.threadId === thread);
    const id = this.threads.taskOf(thread);
    return listed ?? (id === undefined ? undefined : (this.knownTask(id) ?? { id, name: '' }));
  }

  /** The logical stack of a task of the snapshot, asked for once. Rejects with the adapter's sentence. */
  async stack(task: number, generation: number): Promise<readonly Frame[]> {
    const known = this.current.stacks.get(task);
    if (!isCurrent(this.current, generation)) {
      throw new Error('The program has moved on.');
    }
    if (known) {
      return known;
    }
    const frames = decodeStack(await this.debug.customRequest('asyncStack', { task }));
    if (!frames) {
      throw new Error('The adapter answered asyncStack with something that is not a stack.');
    }
    this.dispatch({ type: 'stack', generation, task, frames });
    return frames;
  }

  /** Tasks of the snapshot that are not listed, asked for once. Rejects with the adapter's sentence. */
  async part(query: Query, generation: number): Promise<Part> {
    const known = this.current.parts.get(queryKey(query));
    if (known && isCurrent(this.current, generation)) {
      return known;
    }
    const { tasks, matched } = ofGeneration(await this.page({ ...query, generation }), generation);
    const part = { tasks, matched };
    this.dispatch({ type: 'part', generation, query, part });
    return part;
  }

  /** Every task of the snapshot that is shown, whatever the view's filter; of a look of its own without one. */
  async everything(): Promise<TasksBody> {
    const { snapshot, stale } = this.current;
    return allPages((ask) => this.page(ask), stale ? undefined : snapshot?.generation, Infinity);
  }

  onWillReceiveMessage(message: DebugProtocol.ProtocolMessage): void {
    const request = message as DebugProtocol.Request;
    if (request.command === 'asyncFocusTask') {
      this.threads.requested(request.seq, request.arguments);
    }
  }

  onDidSendMessage(message: DebugProtocol.ProtocolMessage): void {
    if (message.type === 'event') {
      const told = message as DebugProtocol.Event;
      this.onEvent(told.event, told.body);
    } else if (message.type === 'response') {
      const response = message as DebugProtocol.Response;
      this.threads.answered(response.request_seq, response.success);
      if (response.success && resuming.has(response.command)) {
        this.resumed();
      } else if (response.success && (response.command === 'launch' || response.command === 'attach')) {
        this.dispatch({ type: 'started' });
      }
    }
  }

  onExit(): void {
    this.end();
  }

  end(): void {
    clearTimeout(this.settle);
    this.dispatch({ type: 'ended' });
  }

  dispose(): void {
    clearTimeout(this.settle);
  }

  private onEvent(event: string, body: unknown): void {
    if (event === 'stopped') {
      const stop = body as Partial<DebugProtocol.StoppedEvent['body']> | undefined;
      this.threads.stopped(stop?.reason, stop?.threadId);
      clearTimeout(this.settle);
      this.dispatch({ type: 'stopped' });
    } else if (event === 'continued') {
      this.resumed();
    } else if (event === 'thread') {
      const thread = body as DebugProtocol.ThreadEvent['body'];
      this.dispatch({ type: 'thread', id: thread.threadId, listed: thread.reason === 'started' });
    } else if (event === 'terminated' || event === 'exited') {
      this.end();
    }
  }

  private resumed(): void {
    this.threads.resumed();
    clearTimeout(this.settle);
    this.dispatch({ type: 'resumed' });
    this.settle = setTimeout(() => {
      this.dispatch({ type: 'settled' });
    }, settleAfter);
  }

  private async page(ask: Ask): Promise<TasksBody> {
    const body = decodeTasks(await this.debug.customRequest('asyncTasks', ask));
    if (!body) {
      throw new Error('The adapter answered asyncTasks with something that is not a list of tasks.');
    }
    return body;
  }

  private async askTasks(ticket: number, ask: Ask): Promise<void> {
    try {
      this.dispatch({ type: 'answered', ticket, body: await this.page(ask) });
    } catch (error) {
      this.dispatch({ type: 'refused', ticket, message: error instanceof Error ? error.message : String(error) });
    }
  }
}

/** The debug sessions of this window, and which of them the view shows. */
export class Sessions implements vscode.DebugAdapterTrackerFactory, vscode.Disposable {
  private readonly all = new Map<string, TaskSession>();
  private readonly changes = new vscode.EventEmitter<TaskSession | undefined>();
  private readonly choices = new vscode.EventEmitter<{ readonly session: TaskSession; readonly task: Task }>();
  private readonly subscriptions: { dispose(): unknown }[];
  private shownLast: TaskSession | undefined;

  /** A session's state changed, or (`undefined`) another session is shown. */
  readonly onDidChange = this.changes.event;

  /** The user looks at a task: other views may show it, too. */
  readonly onDidChooseTask = this.choices.event;

  constructor(private readonly type: string) {
    this.subscriptions = [
      this.changes,
      this.choices,
      vscode.debug.onDidReceiveDebugSessionCustomEvent(({ session, event, body }) => {
        const generation = event === 'asyncTasksChanged' ? decodeChanged(body) : undefined;
        if (generation !== undefined) {
          this.all.get(session.id)?.dispatch({ type: 'changed', generation });
        }
      }),
      vscode.debug.onDidChangeActiveDebugSession(() => {
        this.changes.fire(undefined);
      }),
      vscode.debug.onDidTerminateDebugSession((session) => {
        this.all.get(session.id)?.end();
        this.all.delete(session.id);
        this.changes.fire(undefined);
      }),
    ];
  }

  createDebugAdapterTracker(debug: vscode.DebugSession): TaskSession {
    const session: TaskSession = new TaskSession(debug, () => {
      this.changes.fire(session);
    });
    this.all.set(debug.id, session);
    return session;
  }

  /** The session the debug view has its focus on; a session of another type leaves the last one shown. */
  get shown(): TaskSession | undefined {
    const active = vscode.debug.activeDebugSession;
    const focused = active?.type === this.type ? this.all.get(active.id) : undefined;
    const last = this.shownLast && this.all.has(this.shownLast.debug.id) ? this.shownLast : undefined;
    this.shownLast = focused ?? last ?? [...this.all.values()].at(-1);
    return this.shownLast;
  }

  of(debug: vscode.DebugSession): TaskSession | undefined {
    return this.all.get(debug.id);
  }

  chooseTask(session: TaskSession, task: Task): void {
    this.choices.fire({ session, task });
  }

  dispose(): void {
    for (const session of this.all.values()) {
      session.dispose();
    }
    vscode.Disposable.from(...this.subscriptions).dispose();
  }
}
