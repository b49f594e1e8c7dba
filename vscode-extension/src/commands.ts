import * as vscode from 'vscode';
import { isEmpty, parseFilter } from './model/filter';
import { noFilter } from './model/store';
import { treeText } from './model/treeText';
import type { Location, Source } from './model/protocol';
import { notify } from './notify';
import type { Sessions, TaskSession } from './sessions';
import { chooseGrouping, type TaskView } from './taskView';

/** The commands of the view's title and of rows that are no tasks. */
export function registerCommands(sessions: Sessions, view: TaskView): vscode.Disposable[] {
  const onShown = (act: (session: TaskSession) => Promise<void> | void) => async () => {
    if (sessions.shown) {
      await act(sessions.shown);
    } else {
      void notify.information('No program is being debugged by weft: start one first.');
    }
  };
  const filter = new FilterBox();
  return [
    new vscode.Disposable(() => {
      filter.dispose();
    }),
    vscode.commands.registerCommand('weft.refreshTasks', () => {
      sessions.shown?.dispatch({ type: 'refresh' });
    }),
    vscode.commands.registerCommand('weft.groupTasks', () => chooseGrouping(view)),
    vscode.commands.registerCommand('weft.filterTasks', onShown((session) => {
      filter.show(session);
    })),
    vscode.commands.registerCommand('weft.clearTaskFilter', onShown((session) => {
      session.dispatch({ type: 'filter', filter: noFilter });
    })),
    vscode.commands.registerCommand('weft.copyTasks', onShown(copyTasks)),
    vscode.commands.registerCommand('weft.openFrame', (session: vscode.DebugSession, source: Source, line: number, column?: vscode.ViewColumn) =>
      openLocation(session, { source, line }, column),
    ),
  ];
}

/** How long after a key the tasks are asked for, in milliseconds: shorter than a pause, longer than most words take. */
const typingPause = 120;

/** The box in which the filter is typed. What stands there acts at once; Escape brings back what was before. */
class FilterBox {
  private box: vscode.InputBox | undefined;

  show(session: TaskSession): void {
    const box = vscode.window.createInputBox();
    const replaced = this.box;
    this.box = box;
    // What stands in a box that is still open is kept, and is in this one.
    replaced?.dispose();
    const before = session.state.filter;
    let accepted = false;
    let timer: NodeJS.Timeout | undefined;
    const apply = (): void => {
      clearTimeout(timer);
      const typed = box.value;
      const parsed = parseFilter(typed, session.state.snapshot?.runtimes ?? []);
      box.validationMessage = 'error' in parsed ? parsed.error : '';
      if ('filter' in parsed) {
        session.dispatch({ type: 'filter', filter: isEmpty(parsed.filter) ? noFilter : { typed, ask: parsed.filter } });
      }
    };
    box.title = 'Filter Async Tasks';
    box.prompt = 'Part of the name, state, wait, or file:line. Also state:waiting,ready and runtime:NAME. Empty shows all.';
    box.placeholder = 'for example: handle_conn, mutex, db.rs:42, state:ready';
    box.value = before.typed;
    // The rows that were found can be clicked on.
    box.ignoreFocusOut = true;
    box.onDidChangeValue(() => {
      clearTimeout(timer);
      timer = setTimeout(apply, typingPause);
    });
    box.onDidAccept(() => {
      apply();
      if (box.validationMessage === '') {
        accepted = true;
        box.hide();
      }
    });
    box.onDidHide(() => {
      clearTimeout(timer);
      if (!accepted && this.box === box) {
        session.dispatch({ type: 'filter', filter: before });
      }
      box.dispose();
    });
    box.show();
  }

  dispose(): void {
    this.box?.dispose();
  }
}

/** Puts all tasks on the clipboard, as `weft tasks` prints them. */
async function copyTasks(session: TaskSession): Promise<void> {
  try {
    const body = await session.everything();
    await vscode.env.clipboard.writeText(treeText(body));
    vscode.window.setStatusBarMessage(`${body.tasks.length} tasks copied`, 3000);
  } catch (error) {
    void notify.error(`The tasks could not be copied: ${sentence(error)} Stop the program and refresh the view, then try again.`);
  }
}

/** What went wrong, as a sentence with its full stop. */
export function sentence(error: unknown): string {
  const text = error instanceof Error ? error.message : String(error);
  return /[.!?]$/.test(text) ? text : `${text}.`;
}

/** Shows a place in the editor. The focus stays where it is, unless it is to go to a column. */
export async function openLocation(session: vscode.DebugSession, { source, line }: Location, column?: vscode.ViewColumn): Promise<void> {
  // A source with a reference has no file here; its text is asked of the adapter.
  const uri = source.sourceReference || source.path === undefined ? vscode.debug.asDebugSourceUri(source, session) : vscode.Uri.file(source.path);
  const start = new vscode.Position(Math.max(line - 1, 0), 0);
  try {
    const document = await vscode.workspace.openTextDocument(uri);
    const where = column === undefined ? { preserveFocus: true } : { viewColumn: column };
    await vscode.window.showTextDocument(document, { selection: new vscode.Range(start, start), preview: true, ...where });
  } catch {
    void notify.error(
      `${source.path ?? source.name ?? 'The source'} cannot be opened. If the sources lie elsewhere now, say where with "sourceMap" in launch.json.`,
    );
  }
}
