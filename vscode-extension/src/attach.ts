import path from 'node:path';
import * as vscode from 'vscode';
import { runtimeOf } from './model/configuration';
import { attachTo, listProcesses, type Process } from './model/processes';

/** The commands that attach to what is there already: a process, or what is left of one. */
export function registerAttach(type: string): vscode.Disposable[] {
  const start = (configuration: Readonly<Record<string, unknown>> & { name: string }): Thenable<boolean> =>
    vscode.debug.startDebugging(vscode.workspace.workspaceFolders?.[0], { type, request: 'attach', ...configuration });
  return [
    vscode.commands.registerCommand('weft.pickProcess', async (configuration: Readonly<Record<string, unknown>> | undefined) => {
      // A variable of launch.json is a text, and the configuration says whether a Python program is meant.
      const chosen = await pickProcess(configuration && runtimeOf(configuration) === 'python' ? 'python' : undefined);
      return chosen && String(chosen.pid);
    }),
    vscode.commands.registerCommand('weft.pickCoreFile', pickCoreFile),
    vscode.commands.registerCommand('weft.attachToProcess', async () => {
      const chosen = await pickProcess();
      if (chosen) {
        await start(attachTo(chosen));
      }
    }),
    vscode.commands.registerCommand('weft.debugCoreFile', async () => {
      const coreFile = await pickCoreFile();
      if (coreFile !== undefined) {
        await start({ name: `Core file ${path.basename(coreFile)}`, runtime: 'native', coreFile });
      }
    }),
  ];
}

async function pickProcess(first?: Process['runtime']): Promise<Process | undefined> {
  const all = listProcesses(process.getuid?.() ?? 0).filter(({ pid }) => pid !== process.pid);
  const items = [...all.filter(({ runtime }) => runtime === first), ...all.filter(({ runtime }) => runtime !== first)].map((found) => ({
    label: found.name,
    description: [found.pid, found.runtime === 'python' ? 'Python' : '', found.why ?? ''].filter((part) => part !== '').join(' · '),
    detail: found.command,
    found,
  }));
  const placeHolder = 'Process to attach to: its name, its number, or a part of its command line';
  return (await vscode.window.showQuickPick(items, { placeHolder, matchOnDescription: true, matchOnDetail: true }))?.found;
}

async function pickCoreFile(): Promise<string | undefined> {
  const folder = vscode.workspace.workspaceFolders?.[0]?.uri;
  const chosen = await vscode.window.showOpenDialog({ title: 'Core file to look into', openLabel: 'Debug', ...(folder ? { defaultUri: folder } : {}) });
  return chosen?.[0]?.fsPath;
}
