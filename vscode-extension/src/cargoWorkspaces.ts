import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import path from 'node:path';
import { promisify } from 'node:util';
import * as vscode from 'vscode';
import { Answers } from './model/answers';
import { cargoComplaint, cargoProgram, metadataArguments, targetsOf, type Target } from './model/cargo';

/** How long cargo may take to say what a workspace has, in milliseconds. */
const patience = 30_000;

/** A large workspace's metadata, in bytes. */
const maxMetadata = 1 << 26;

/** What cargo says of the workspace that a folder belongs to. Rejects with cargo's own complaint. */
export async function metadata(folder: string): Promise<unknown> {
  try {
    const { stdout } = await promisify(execFile)(cargoProgram(process.env), metadataArguments, { cwd: folder, timeout: patience, maxBuffer: maxMetadata });
    return JSON.parse(stdout) as unknown;
  } catch (error) {
    throw new Error(cargoComplaint(error), { cause: error });
  }
}

/** The targets of the workspaces that open files belong to, asked for once and again when a manifest or a target comes or goes. */
export class CargoWorkspaces implements vscode.Disposable {
  private readonly known = new Answers<readonly Target[]>();
  private readonly changes = new vscode.EventEmitter<void>();
  private readonly subscriptions: readonly { dispose(): unknown }[];

  /** Targets may be others now. */
  readonly onDidChange = this.changes.event;

  constructor() {
    const manifests = vscode.workspace.createFileSystemWatcher('**/Cargo.toml');
    const sources = vscode.workspace.createFileSystemWatcher('**/{src,examples,tests}/**/*.rs', false, true, false);
    const forget = (): void => {
      this.known.forget();
      this.changes.fire();
    };
    this.subscriptions = [manifests, sources, this.changes, manifests.onDidCreate(forget), manifests.onDidChange(forget), manifests.onDidDelete(forget), sources.onDidCreate(forget), sources.onDidDelete(forget)];
  }

  /** The targets of the workspace that a file belongs to; none where there is no manifest. Rejects with cargo's own complaint. */
  async around(file: string): Promise<readonly Target[]> {
    const folder = manifestFolder(file);
    return folder === undefined ? [] : this.known.about(folder, async () => targetsOf(await metadata(folder)));
  }

  dispose(): void {
    vscode.Disposable.from(...this.subscriptions).dispose();
  }
}

function manifestFolder(file: string): string | undefined {
  for (let folder = path.dirname(file); ; folder = path.dirname(folder)) {
    if (existsSync(path.join(folder, 'Cargo.toml'))) {
      return folder;
    }
    if (folder === path.dirname(folder)) {
      return undefined;
    }
  }
}
