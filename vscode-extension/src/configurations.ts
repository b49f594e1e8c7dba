import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import * as vscode from 'vscode';
import { selectedInterpreter } from './interpreter';
import { cargoLaunches, cargoProgram, metadataArguments, portable, writtenLaunches, type CargoLaunch } from './model/cargo';
import { completed, pythonFile, runtimeOf } from './model/configuration';

/** How long cargo may take to say what a workspace has, in milliseconds. */
const patience = 30_000;

/** A large workspace's metadata, in bytes. */
const maxMetadata = 1 << 26;

/** Offers launch configurations, and completes those of launch.json before they reach the adapter. */
export class LaunchConfigurations implements vscode.DebugConfigurationProvider {
  /** The part that lists what can be started without a launch.json. */
  readonly dynamic: vscode.DebugConfigurationProvider = {
    provideDebugConfigurations: async (folder) => this.configurations((await this.cargo(folder)).launches, folder),
  };

  constructor(private readonly type: string) {}

  /** What a new launch.json begins with. */
  async provideDebugConfigurations(folder: vscode.WorkspaceFolder | undefined): Promise<vscode.DebugConfiguration[]> {
    const { launches } = await this.cargo(folder);
    const program = '${workspaceFolder}/target/debug/${workspaceFolderBasename}';
    const written = writtenLaunches(launches);
    return written.length > 0 ? this.configurations(written, folder) : [{ type: this.type, request: 'launch', name: 'Debug', program, args: [] }];
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

  /** What the Cargo workspace that a folder belongs to has to debug; or why that cannot be told. */
  private async cargo(folder: vscode.WorkspaceFolder | undefined): Promise<{ launches: readonly CargoLaunch[]; why?: string }> {
    if (!folder) {
      return { launches: [], why: 'No folder is open.' };
    }
    try {
      const options = { cwd: folder.uri.fsPath, timeout: patience, maxBuffer: maxMetadata };
      const { stdout } = await promisify(execFile)(cargoProgram(process.env), metadataArguments, options);
      return { launches: cargoLaunches(JSON.parse(stdout)) };
    } catch (error) {
      return { launches: [], why: complaint(error) };
    }
  }

  /** As configurations; those that may be written to the launch.json of a folder speak of that folder. */
  private configurations(launches: readonly CargoLaunch[], folder?: vscode.WorkspaceFolder): vscode.DebugConfiguration[] {
    const placed = folder ? launches.map((launch) => portable(launch, folder.uri.fsPath)) : launches;
    return placed.map(({ name, cargo, cwd }) => ({ type: this.type, request: 'launch', name, cargo, args: [], ...(cwd === undefined ? {} : { cwd }) }));
  }

  private async choose(folder: vscode.WorkspaceFolder | undefined): Promise<vscode.DebugConfiguration | null | undefined> {
    const editor = vscode.window.activeTextEditor?.document;
    if (editor?.languageId === 'python' && !editor.isUntitled) {
      return { type: this.type, request: 'launch', ...pythonFile(editor.fileName) };
    }
    const { launches: found, why } = await this.cargo(folder ?? vscode.workspace.workspaceFolders?.[0]);
    const launches = this.configurations(found);
    if (launches.length < 2) {
      if (launches.length === 0) {
        void vscode.window.showInformationMessage(`There is nothing to start without a launch.json. ${why ?? 'Cargo knows no program, example or test here.'}`);
      }
      return launches[0] ?? null;
    }
    const items = launches.map((configuration) => ({ label: configuration.name, description: commandOf(configuration), configuration }));
    const chosen = await vscode.window.showQuickPick(items, { placeHolder: 'What to build and debug', matchOnDescription: true });
    return chosen?.configuration;
  }
}

function commandOf({ cargo }: vscode.DebugConfiguration): string {
  return `cargo ${(cargo as CargoLaunch['cargo']).args.join(' ')}`;
}

/** What cargo says of its failure: the line that is about it. */
function complaint(error: unknown): string {
  const said = typeof error === 'object' && error !== null && 'stderr' in error ? String(error.stderr) : '';
  const line = said.split('\n').find((text) => text.startsWith('error'));
  return line ?? (error instanceof Error ? error.message : String(error));
}
