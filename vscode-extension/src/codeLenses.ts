import { readFileSync } from 'node:fs';
import * as vscode from 'vscode';
import type { CargoWorkspaces } from './cargoWorkspaces';
import { sentence } from './commands';
import { pythonFile } from './model/configuration';
import { pythonMains, rustLenses, type Lens, type Start } from './model/lenses';
import { notify } from './notify';

const title = 'Debug with weft';
const command = 'weft.debugHere';

/** **Debug with weft** above what can be started: `fn main`, tests, and a Python file's main part. */
export class CodeLenses implements vscode.CodeLensProvider, vscode.Disposable {
  private readonly changes = new vscode.EventEmitter<void>();
  private readonly subscriptions: readonly { dispose(): unknown }[];

  readonly onDidChangeCodeLenses = this.changes.event;

  constructor(
    private readonly type: string,
    private readonly workspaces: CargoWorkspaces,
  ) {
    this.subscriptions = [
      this.changes,
      vscode.languages.registerCodeLensProvider([{ language: 'rust', scheme: 'file' }, { language: 'python', scheme: 'file' }], this),
      vscode.commands.registerCommand(command, (uri: vscode.Uri, what: Lens | undefined) => this.start(uri, what)),
      workspaces.onDidChange(() => {
        this.changes.fire();
      }),
      vscode.workspace.onDidChangeConfiguration((change) => {
        if (change.affectsConfiguration('weft.codeLens')) {
          this.changes.fire();
        }
      }),
    ];
  }

  async provideCodeLenses(document: vscode.TextDocument): Promise<vscode.CodeLens[]> {
    const folder = vscode.workspace.getWorkspaceFolder(document.uri);
    if (!folder || !vscode.workspace.getConfiguration('weft', document).get<boolean>('codeLens', true)) {
      return [];
    }
    const at = (line: number, tooltip: string, what?: Lens): vscode.CodeLens =>
      new vscode.CodeLens(new vscode.Range(line, 0, line, 0), { title, tooltip, command, arguments: [document.uri, what] });
    const source = document.getText();
    if (document.languageId === 'python') {
      return pythonMains(source).map((line) => at(line, 'Start this file in the debugger'));
    }
    const targets = await this.workspaces.around(document.fileName).catch((error: unknown) => ({ why: sentence(error) }));
    const lenses = rustLenses(source, document.fileName, targets, textOf);
    return lenses.map((lens) => at(lens.line, lens.why ?? `Build and debug ${lens.subject}: ${commandOf(lens.starts[0])}`, lens));
  }

  dispose(): void {
    vscode.Disposable.from(...this.subscriptions).dispose();
  }

  private async start(uri: vscode.Uri, what: Lens | undefined): Promise<void> {
    const folder = vscode.workspace.getWorkspaceFolder(uri);
    if (!what) {
      await vscode.debug.startDebugging(folder, { type: this.type, request: 'launch', ...pythonFile(uri.fsPath) });
      return;
    }
    const start = await choose(what);
    if (start) {
      await vscode.debug.startDebugging(folder, { type: this.type, request: 'launch', ...start });
    }
  }
}

/** A file can belong to several programs, each with its own build. */
async function choose({ starts, why }: Lens): Promise<Start | undefined> {
  if (why !== undefined) {
    void notify.information(why);
  }
  if (starts.length < 2) {
    return starts[0];
  }
  const items = starts.map((start) => ({ label: start.cargo.filter.name, description: commandOf(start), start }));
  return (await vscode.window.showQuickPick(items, { placeHolder: 'The file belongs to several programs: which one?' }))?.start;
}

function commandOf(start: Start | undefined): string {
  return start ? ['cargo', ...start.cargo.args, ...(start.args.length > 0 ? ['--', ...start.args] : [])].join(' ') : '';
}

/** The text of a file, as it is in an editor if it is open there. */
function textOf(file: string): string | undefined {
  const open = vscode.workspace.textDocuments.find(({ fileName, uri }) => uri.scheme === 'file' && fileName === file);
  try {
    return open ? open.getText() : readFileSync(file, 'utf8');
  } catch {
    return undefined;
  }
}
