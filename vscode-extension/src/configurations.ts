import * as vscode from 'vscode';
import { metadata } from './cargoWorkspaces';
import { selectedInterpreter } from './interpreter';
import { cargoLaunches, portable, workspaceRoot, writtenLaunches, type CargoLaunch } from './model/cargo';
import { completed, pythonFile, runtimeOf, withDefaults } from './model/configuration';
import { notify } from './notify';

/** The settings that stand in for attributes, by the attribute whose keys they are. */
const defaults = {
  async: ['tasksAsThreads', 'maxThreads', 'showRuntimeFrames', 'stepMode', 'longPollMs', 'spawnSites'],
  asyncio: ['debug', 'devMode', 'slowCallbackDuration', 'logLevel', 'taskCreationSites', 'taskExceptions'],
} as const;

/** What a folder has to start. */
interface Found {
  readonly launches: readonly CargoLaunch[];
  /** The Cargo workspace's folder. */
  readonly root?: string | undefined;
  /** Why there is nothing. */
  readonly why?: string;
}

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
    const whole = withDefaults(completed(configuration, base?.uri.fsPath), { async: settings('async', base), asyncio: settings('asyncio', base) });
    if (whole.request !== 'launch' || runtimeOf(whole) !== 'python' || whole['python'] !== undefined) {
      return whole;
    }
    const python = await selectedInterpreter(base?.uri);
    return python === undefined ? whole : { ...whole, python };
  }

  /** What the Cargo workspace that a folder belongs to has to debug; or why that cannot be told. */
  private async cargo(folder: vscode.WorkspaceFolder | undefined): Promise<Found> {
    if (!folder) {
      return { launches: [], why: 'No folder is open.' };
    }
    try {
      const told = await metadata(folder.uri.fsPath);
      return { launches: cargoLaunches(told), root: workspaceRoot(told) };
    } catch (error) {
      return { launches: [], why: error instanceof Error ? error.message : String(error) };
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
    const folders = vscode.workspace.workspaceFolders ?? [];
    const all = await Promise.all((folders.length > 0 ? folders : [folder]).map(async (one) => ({ folder: one, ...(await this.cargo(one)) })));
    // Folders of one Cargo workspace have the same.
    const apart = all.filter(({ launches, root }, index) => launches.length > 0 && all.findIndex((one) => one.root === root) === index);
    const several = apart.length > 1;
    const items = apart.flatMap(({ folder: of, launches }) =>
      this.configurations(launches).map((configuration) => ({
        label: configuration.name,
        description: [several ? (of?.name ?? '') : '', commandOf(configuration)].filter((part) => part !== '').join(' · '),
        // The editor resolves what is chosen for a folder of its own choice.
        configuration: several && of ? { cwd: of.uri.fsPath, ...configuration } : configuration,
      })),
    );
    if (items.length === 0) {
      const why = all.find((one) => one.why !== undefined)?.why ?? 'Cargo knows no program, example or test here.';
      void notify.information(`There is nothing to start without a launch.json. ${why}`);
    }
    if (items.length < 2) {
      return items[0]?.configuration ?? null;
    }
    const chosen = await vscode.window.showQuickPick(items, { placeHolder: 'What to build and debug', matchOnDescription: true });
    return chosen?.configuration;
  }
}

/** What the user has set of the keys of an attribute; what nobody has set is the adapter's to decide. */
function settings(attribute: keyof typeof defaults, folder: vscode.WorkspaceFolder | undefined): Readonly<Record<string, unknown>> {
  const all = vscode.workspace.getConfiguration(`weft.${attribute}`, folder);
  const isSet = (key: string): boolean => {
    const { globalValue, workspaceValue, workspaceFolderValue } = all.inspect(key) ?? {};
    return [globalValue, workspaceValue, workspaceFolderValue].some((value) => value !== undefined);
  };
  return Object.fromEntries(defaults[attribute].filter(isSet).map((key) => [key, all.get(key)]));
}

function commandOf({ cargo }: vscode.DebugConfiguration): string {
  return `cargo ${(cargo as CargoLaunch['cargo']).args.join(' ')}`;
}
