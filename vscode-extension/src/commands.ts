import * as vscode from 'vscode';
import { taskLabel, type TaskRow } from './model/rows';
import type { Location, Source } from './model/protocol';
import type { Sessions } from './sessions';
import type { Node } from './taskView';

/** The commands of the view's buttons, menus and rows. */
export function registerCommands(sessions: Sessions): vscode.Disposable[] {
  const onTask = (act: (row: TaskRow, node: Node) => Promise<void>) => async (node: Node | undefined) => {
    if (node?.row.kind === 'task') {
      await act(node.row, node);
    }
  };
  return [
    vscode.commands.registerCommand('weft.refreshTasks', () => {
      sessions.shown?.dispatch({ type: 'refresh' });
    }),
    vscode.commands.registerCommand('weft.showMoreTasks', () => {
      sessions.shown?.dispatch({ type: 'more' });
    }),
    vscode.commands.registerCommand('weft.focusTask', onTask((row, { session }) => focusTask(session.debug, row))),
    vscode.commands.registerCommand('weft.openTaskLocation', onTask(async ({ task }, { session }) => {
      if (task.location) {
        await open(session.debug, task.location);
      }
    })),
    vscode.commands.registerCommand('weft.copyTaskName', onTask(async ({ task }) => {
      await vscode.env.clipboard.writeText(taskLabel(task));
    })),
    vscode.commands.registerCommand('weft.openFrame', (session: vscode.DebugSession, source: Source, line: number) =>
      open(session, { source, line }),
    ),
  ];
}

/** The adapter answers with a `stopped` event that names the task, which moves Call Stack and the editor. */
async function focusTask(session: vscode.DebugSession, { task }: TaskRow): Promise<void> {
  try {
    await session.customRequest('asyncFocusTask', { task: task.id });
  } catch (error) {
    void vscode.window.showErrorMessage(`The stack of ${taskLabel(task)} cannot be shown: ${error instanceof Error ? error.message : String(error)}`);
  }
}

async function open(session: vscode.DebugSession, { source, line }: Location): Promise<void> {
  // A source with a reference has no file here; its text is asked of the adapter.
  const uri = source.sourceReference || source.path === undefined ? vscode.debug.asDebugSourceUri(source, session) : vscode.Uri.file(source.path);
  const start = new vscode.Position(Math.max(line - 1, 0), 0);
  try {
    const document = await vscode.workspace.openTextDocument(uri);
    await vscode.window.showTextDocument(document, { selection: new vscode.Range(start, start), preview: true, preserveFocus: true });
  } catch {
    void vscode.window.showErrorMessage(
      `${source.path ?? source.name ?? 'The source'} cannot be opened. If the sources lie elsewhere now, say where with "sourceMap" in launch.json.`,
    );
  }
}
