import path from 'node:path';
import * as vscode from 'vscode';
import { selectedInterpreter } from './interpreter';
import { completed, pythonFile, runtimeOf } from './model/configuration';
import { builtPrograms } from './model/programs';

/** Offers launch configurations, and completes those of launch.json before they reach the adapter. */
export class LaunchConfigurations implements vscode.DebugConfigurationProvider {
  /** The part that lists what can be started without a launch.json. */
  readonly dynamic: vscode.DebugConfigurationProvider = {
    provideDebugConfigurations: (folder) => this.built(folder),
  };

  constructor(private readonly type: string) {}

  /** What a new launch.json begins with. */
  provideDebugConfigurations(folder: vscode.WorkspaceFolder | undefined): vscode.DebugConfiguration[] {
    const built = this.built(folder);
    return built.length > 0 ? built : [this.launch('target/debug/${workspaceFolderBasename}')];
  }

  async resolveDebugConfiguration(
    folder: vscode.WorkspaceFolder | undefined,
    configuration: vscode.DebugConfiguration,
  ): Promise<vscode.DebugConfiguration | null | undefined> {
    // Without a launch.json, F5 comes here with an empty configuration.
    const empty = !configuration.type && !configuration.request && !configuration.name;
    return empty ? this.choose(folder) : configuration;
  }

  async resolveDebugConfigurationWithSubstitutedVariables(
    folder: vscode.WorkspaceFolder | undefined,
    configuration: vscode.DebugConfiguration,
  ): Promise<vscode.DebugConfiguration> {
    const base = folder ?? vscode.workspace.workspaceFolders?.[0];
    const whole = completed(configuration, base?.uri.fsPath);
    if (whole.request !== 'launch' || runtimeOf(whole) !== 'python' || whole['python'] !== undefined) {
      return whole;
    }
    const python = await selectedInterpreter(base?.uri);
    return python === undefined ? whole : { ...whole, python };
  }

  private built(folder: vscode.WorkspaceFolder | undefined): vscode.DebugConfiguration[] {
    return folder ? builtPrograms(folder.uri.fsPath).map((program) => this.launch(program)) : [];
  }

  private launch(program: string): vscode.DebugConfiguration {
    return {
      type: this.type,
      request: 'launch',
      name: `Debug ${path.posix.basename(program)}`,
      program: `\${workspaceFolder}/${program}`,
      args: [],
    };
  }

  private async choose(folder: vscode.WorkspaceFolder | undefined): Promise<vscode.DebugConfiguration | null | undefined> {
    const editor = vscode.window.activeTextEditor?.document;
    if (editor?.languageId === 'python' && !editor.isUntitled) {
      return { type: this.type, request: 'launch', ...pythonFile(editor.fileName) };
    }
    const base = folder ?? vscode.workspace.workspaceFolders?.[0];
    const built = this.built(base);
    if (built.length < 2) {
      if (built.length === 0) {
        void vscode.window.showInformationMessage('There is no executable in target/debug. Build the program, then name it in launch.json.');
      }
      return built[0] ?? null;
    }
    const items = built.map((configuration) => ({ label: configuration.name, description: String(configuration['program']), configuration }));
    const chosen = await vscode.window.showQuickPick(items, { placeHolder: 'Program to debug' });
    return chosen?.configuration;
  }
}
