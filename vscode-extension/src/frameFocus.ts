/**
 * Makes a frame of a logical stack the one that Variables, Watch and the Debug Console use.
 *
 * VS Code has no call for that. A task becomes the focus by a `stopped` event that names it, which the adapter
 * sends for `asyncFocusTask`. From there the editor's own commands go up and down its Call Stack, one frame at a
 * time, and each step is seen in `activeStackItem`.
 */

import * as vscode from 'vscode';
import type { Subject } from './model/callStack';
import { standardFrame, type StandardFrame } from './model/callStackRows';
import type { Frame } from './model/protocol';

/** How long VS Code may take for one step, in milliseconds. It takes a few; a loaded machine takes longer. */
const patience = 5000;

/** Frames of a Call Stack that are looked through. */
const deepest = 200;

/** The frame's task has the focus, or gets it; then its frame does. `false` when VS Code cannot be brought to it. */
export async function focusFrame(session: vscode.DebugSession, task: Subject, tree: readonly Frame[], frame: Frame, isTaskFocused: () => boolean): Promise<boolean> {
  if (!isTaskFocused()) {
    const focused = after(() => isTaskFocused() && focusedIn(session) !== undefined);
    await session.customRequest('asyncFocusTask', { task: task.id });
    if (!(await focused)) {
      return false;
    }
  }
  const thread = focusedIn(session)?.threadId;
  if (thread === undefined) {
    return false;
  }
  const stack = decodeStandard(await session.customRequest('stackTrace', { threadId: thread, startFrame: 0, levels: deepest }));
  const wanted = standardFrame(tree, frame, stack);
  return wanted !== undefined && walk(session, stack.map(({ id }) => id), wanted.id);
}

async function walk(session: vscode.DebugSession, order: readonly number[], wanted: number): Promise<boolean> {
  const target = order.indexOf(wanted);
  for (let steps = 0; steps <= order.length; steps += 1) {
    const item = focusedIn(session);
    if (item?.frameId === wanted) {
      return true;
    }
    const current = item ? order.indexOf(item.frameId) : -1;
    const command = current < 0 ? 'callStackTop' : current < target ? 'callStackDown' : 'callStackUp';
    const moved = after(() => focusedIn(session)?.frameId !== item?.frameId);
    await vscode.commands.executeCommand(`workbench.action.debug.${command}`);
    const reached = (await moved) ? order.indexOf(focusedIn(session)?.frameId ?? -1) : -1;
    if (reached < 0 || (current >= 0 && reached > target !== current > target && reached !== target)) {
      // Frames that VS Code shows greyed are passed over: this is one of them.
      return false;
    }
  }
  return false;
}

/** The frame that has the debugger's focus, if it is one of the session's. */
function focusedIn(session: vscode.DebugSession): vscode.DebugStackFrame | undefined {
  const item = vscode.debug.activeStackItem;
  return item instanceof vscode.DebugStackFrame && item.session.id === session.id ? item : undefined;
}

/** Whether a move of the debugger's focus brought what is waited for. */
function after(done: () => boolean): Promise<boolean> {
  return new Promise((resolve) => {
    const settle = (): void => {
      clearTimeout(timer);
      subscription.dispose();
      resolve(done());
    };
    const timer = setTimeout(settle, patience);
    const subscription = vscode.debug.onDidChangeActiveStackItem(() => {
      // Whoever else listens is told first: it may be theirs to say what the move means.
      setTimeout(() => {
        if (done()) {
          settle();
        }
      });
    });
  });
}

function decodeStandard(body: unknown): readonly StandardFrame[] {
  const frames = (body as { stackFrames?: unknown } | undefined)?.stackFrames;
  return (Array.isArray(frames) ? (frames as Partial<Record<string, unknown>>[]) : []).flatMap((from) => {
    // By its name: the path is not what the adapter sent, VS Code makes it its own on the way.
    const source = from['source'] as { name?: unknown } | undefined;
    return typeof from['id'] === 'number' && typeof from['name'] === 'string' && typeof from['line'] === 'number'
      ? [
          {
            id: from['id'],
            name: from['name'],
            file: typeof source?.name === 'string' ? source.name : undefined,
            line: from['line'],
            isLabel: from['presentationHint'] === 'label',
          },
        ]
      : [];
  });
}
