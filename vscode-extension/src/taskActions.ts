import * as vscode from 'vscode';
import { openLocation, sentence } from './commands';
import { taskLabel } from './model/rows';
import { taskStops, type Task, type TaskStop } from './model/protocol';
import { notify } from './notify';
import type { TaskSession } from './sessions';
import { stopWords, type Node, type TaskView } from './taskView';

type Act = (session: TaskSession, task: Task) => Promise<void> | void;

/** How long a task's stack may take to appear in Call Stack before a step is given up, in milliseconds. */
const focusPatience = 10_000;

/** What can be done with a task, from its row's menu and buttons or, for the row that is selected, by a key. */
export function registerTaskActions(view: TaskView): vscode.Disposable[] {
  const action = (name: string, act: Act, otherwise?: string): vscode.Disposable =>
    vscode.commands.registerCommand(name, async (given?: Node) => {
      const node = given ?? view.selected;
      if (node?.row.kind === 'task') {
        await act(node.session, node.row.task);
      } else if (otherwise !== undefined) {
        await vscode.commands.executeCommand(otherwise);
      } else {
        void notify.information('Select a task in the Async Tasks view first: Enter selects the row that has the focus.');
      }
    });
  return [
    action('weft.focusTask', focusTask),
    action('weft.openTaskLocation', goToAwait),
    action('weft.openTaskSpawn', goToSpawn),
    action('weft.pinTask', (session, task) => list(session, task, true)),
    action('weft.unpinTask', (session, task) => list(session, task, false)),
    action('weft.stepOverTask', (session, task) => step(session, task, 'workbench.action.debug.stepOver'), 'workbench.action.debug.stepOver'),
    action('weft.stepIntoTask', (session, task) => step(session, task, 'workbench.action.debug.stepInto'), 'workbench.action.debug.stepInto'),
    action('weft.stepOutTask', (session, task) => step(session, task, 'workbench.action.debug.stepOut'), 'workbench.action.debug.stepOut'),
    action('weft.breakOnTask', breakOn),
    action('weft.copyTaskName', async (_, task) => {
      await vscode.env.clipboard.writeText(taskLabel(task));
    }),
  ];
}

/** The adapter answers with a `stopped` event that names the task, which moves Call Stack and the editor. */
async function focusTask({ debug }: TaskSession, task: Task): Promise<void> {
  await orSay(`The stack of ${taskLabel(task)} cannot be shown`, () => debug.customRequest('asyncFocusTask', { task: task.id }));
}

async function goToAwait({ debug }: TaskSession, task: Task): Promise<void> {
  if (task.location) {
    await openLocation(debug, task.location);
  } else {
    void notify.information(
      `Where ${taskLabel(task)} is cannot be told: ${task.error ?? (task.state === 'created' ? 'it has not run yet' : 'no line is known for it')}.`,
    );
  }
}

async function goToSpawn({ debug }: TaskSession, task: Task): Promise<void> {
  if (task.spawnedAt) {
    await openLocation(debug, task.spawnedAt);
    return;
  }
  const open = 'Open launch.json';
  const chosen = await notify.information(`Where ${taskLabel(task)} was spawned was not recorded. ${recording(debug.configuration)}`, open);
  if (chosen === open) {
    await vscode.commands.executeCommand('workbench.action.debug.configure');
  }
}

/** How the places where tasks are spawned are come by. */
function recording(configuration: vscode.DebugConfiguration): string {
  const { asyncio, async } = configuration as { asyncio?: { taskCreationSites?: unknown }; async?: { spawnSites?: unknown } };
  if (isPython(configuration)) {
    return asyncio?.taskCreationSites === false
      ? 'Remove "asyncio": {"taskCreationSites": false} from the launch configuration and start again.'
      : 'Tasks that an event loop makes by itself have no such place, nor have those from before the debugger came.';
  }
  return async?.spawnSites === true
    ? 'Tasks that were spawned before the debugger came have no such place, nor has what a thread drives by itself.'
    : 'Set "async": {"spawnSites": true} in the launch configuration and start again.';
}

function isPython({ runtime, program, ...others }: vscode.DebugConfiguration): boolean {
  return runtime === 'python' || (runtime === undefined && (String(program).endsWith('.py') || ['module', 'code', 'connect', 'listen', 'processId'].some((key) => key in others)));
}

/** Lists the task among the threads of Call Stack, or takes it off the list. */
async function list({ debug, state }: TaskSession, task: Task, listed: boolean): Promise<void> {
  const what = `${taskLabel(task)} cannot be ${listed ? 'pinned' : 'unpinned'}`;
  const all = (debug.configuration['async'] as { tasksAsThreads?: unknown } | undefined)?.tasksAsThreads === 'all';
  if (all && !listed) {
    void notify.error(`${what}: every task is in Call Stack, as "tasksAsThreads": "all" in the launch configuration says.`);
    return;
  }
  if (state.run !== 'stopped') {
    void notify.error(`${what} while the program runs: pause it first.`);
    return;
  }
  await orSay(what, () => debug.customRequest('asyncFocusTask', { task: task.id, listed }));
}

/**
 * Steps the task. Call Stack is moved to it first, so that the editor's own command steps it and everything that shows
 * whether the program runs says the same.
 */
async function step(session: TaskSession, task: Task, command: string): Promise<void> {
  const what = `${taskLabel(task)} cannot be stepped`;
  const { threadId } = task;
  if (session.state.run !== 'stopped') {
    void notify.error(`${what} while the program runs: pause it first.`);
    return;
  }
  if (!session.runs || threadId === undefined) {
    void notify.error(`${what}: ${session.runs ? 'it is not in the list of tasks any more; refresh the view' : 'this program is only looked at, and does not run'}.`);
    return;
  }
  await orSay(what, async () => {
    if (!isFocused(session, threadId)) {
      await Promise.all([untilFocused(session, threadId), session.debug.customRequest('asyncFocusTask', { task: task.id })]);
    }
    await vscode.commands.executeCommand(command);
  });
}

function isFocused({ debug }: TaskSession, threadId: number): boolean {
  const item = vscode.debug.activeStackItem;
  return item?.session.id === debug.id && item.threadId === threadId;
}

function untilFocused(session: TaskSession, threadId: number): Promise<void> {
  return new Promise((resolve, reject) => {
    const end = (settle: () => void): void => {
      subscription.dispose();
      clearTimeout(timer);
      settle();
    };
    const subscription = vscode.debug.onDidChangeActiveStackItem(() => {
      if (isFocused(session, threadId)) {
        end(resolve);
      }
    });
    const timer = setTimeout(() => {
      end(() => {
        reject(new Error('Call Stack did not show the task in time. Choose Show Stack, and step from there.'));
      });
    }, focusPatience);
  });
}

/** Asks what the task shall stop the program for. */
async function breakOn(session: TaskSession, task: Task): Promise<void> {
  const now = session.state.stops.get(task.id) ?? [];
  const details: Record<TaskStop, string> = {
    polled: 'Each time it goes on after a wait',
    completed: 'It has ended with a value',
    cancelled: 'It was aborted, or its runtime has ended',
    panicked: 'It has ended in a panic or an exception',
  };
  const items = taskStops.map((stop) => ({ label: `when ${stopWords[stop]}`, detail: details[stop], picked: now.includes(stop), stop }));
  const chosen = await vscode.window.showQuickPick(items, { canPickMany: true, placeHolder: `Break in ${taskLabel(task)}; nothing chosen takes its breaks away` });
  if (!chosen) {
    return;
  }
  const on = chosen.map(({ stop }) => stop);
  await orSay(`${taskLabel(task)} cannot be watched`, async () => {
    await session.debug.customRequest('asyncTaskStops', { task: task.id, on });
    session.dispatch({ type: 'stops', task: task.id, on });
  });
}

/** Does it, or says what could not be done and why; the adapter's sentences say what to do. */
async function orSay(what: string, act: () => PromiseLike<unknown>): Promise<void> {
  try {
    await act();
  } catch (error) {
    void notify.error(`${what}: ${sentence(error)}`);
  }
}
