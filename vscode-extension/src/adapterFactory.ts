import type { DebugProtocol } from '@vscode/debugprotocol';
import { execFile } from 'node:child_process';
import { statSync } from 'node:fs';
import { promisify } from 'node:util';
import * as vscode from 'vscode';
import { findAdapter, versionAdvice, type Found } from './model/adapter';
import { adapterEnd, type Stage } from './model/adapterEnd';
import { runtimeOf } from './model/configuration';
import type { SessionLog } from './model/sessionLog';
import { notify } from './notify';

/** How long an adapter may take to say its version, in milliseconds. */
const patience = 10_000;

/** Has the shell become the adapter, with its standard error in the file named first: the editor would throw away what it says there. */
const recorded = 'file=$1; shift; exec "$@" 2>"$file"';

/** What a started adapter is. */
interface Started {
  readonly program: string;
  /** The file that its standard error goes to. */
  readonly said: string | undefined;
}

/** Starts the adapter, one process per debug session, speaking on its standard input and output, and tells how it ends if it should not. */
export class AdapterFactory implements vscode.DebugAdapterDescriptorFactory, vscode.DebugAdapterTrackerFactory {
  private readonly started = new Map<string, Started>();
  /** Programs whose version was looked at, by their path, with the time at which they were written. */
  private readonly checked = new Map<string, number>();

  constructor(
    private readonly extensionPath: string,
    private readonly version: string,
    private readonly log: SessionLog,
  ) {}

  async createDebugAdapterDescriptor(session: vscode.DebugSession): Promise<vscode.DebugAdapterDescriptor | undefined> {
    const settings = vscode.workspace.getConfiguration('weft');
    const found = findAdapter({
      extension: this.extensionPath,
      setting: settings.get('adapterPath', ''),
      path: process.env['PATH'] ?? '',
    });
    if ('missing' in found) {
      await this.refuse(found);
      return undefined;
    }
    // The session does not wait for this.
    void this.checkVersion(found);
    const said = this.log.fileOf(`adapter-${session.id}`);
    this.started.set(session.id, { program: found.program, said });
    const args = ['dap', '--runtime', runtimeOf(session.configuration)];
    this.log.note(`session ${session.id} "${session.name}": ${found.program} ${args.join(' ')}`);
    const trace = settings.get('logFile', '').trim();
    const options = trace === '' ? {} : { env: { WEFT_LOG: trace } };
    return said === undefined
      ? new vscode.DebugAdapterExecutable(found.program, args, options)
      : new vscode.DebugAdapterExecutable('/bin/sh', ['-c', recorded, 'weft', said, found.program, ...args], options);
  }

  createDebugAdapterTracker(session: vscode.DebugSession): vscode.DebugAdapterTracker {
    let stage: Stage = 'starting';
    return {
      onWillReceiveMessage: (message: DebugProtocol.ProtocolMessage) => {
        const { command } = message as DebugProtocol.Request;
        stage = message.type === 'request' && (command === 'disconnect' || command === 'terminate') ? 'ending' : stage;
      },
      onDidSendMessage: (message: DebugProtocol.ProtocolMessage) => {
        const { event } = message as DebugProtocol.Event;
        stage = message.type === 'event' && event === 'terminated' ? 'ending' : stage === 'starting' ? 'running' : stage;
      },
      onWillStopSession: () => {
        stage = 'ending';
      },
      onError: (error) => {
        this.log.note(`session ${session.id}: ${error.message}`);
      },
      onExit: (code) => {
        this.ended(session, stage, code);
      },
    };
  }

  private ended(session: vscode.DebugSession, stage: Stage, code: number | undefined): void {
    const started = this.started.get(session.id);
    this.started.delete(session.id);
    this.log.note(`session ${session.id}: the adapter ended, ${code === undefined ? 'by a signal' : `exit code ${code}`} (${stage})`);
    const said = started?.said === undefined ? '' : this.log.take(started.said);
    const why = adapterEnd({ program: started?.program ?? 'weft', stage, code, said });
    if (why !== undefined) {
      void this.tell(why);
    }
  }

  private async refuse({ missing, fix }: Extract<Found, { missing: string }>): Promise<void> {
    this.log.note(missing);
    const open = 'Open Settings';
    if ((await vscode.window.showErrorMessage(missing, { modal: true, detail: fix }, open)) === open) {
      await vscode.commands.executeCommand('workbench.action.openSettings', 'weft.adapterPath');
    }
  }

  private async tell(why: string): Promise<void> {
    const open = 'Open Log';
    if ((await notify.error(why, open)) === open) {
      await vscode.window.showTextDocument(vscode.Uri.file(this.log.file));
    }
  }

  /** Says once for each version of the file if it is not the one that this extension speaks with. */
  private async checkVersion(found: Extract<Found, { program: string }>): Promise<void> {
    const written = statSync(found.program, { throwIfNoEntry: false })?.mtimeMs;
    if (written === undefined || this.checked.get(found.program) === written) {
      return;
    }
    this.checked.set(found.program, written);
    // What cannot even say its version ends at its start, and that is told.
    const told = await promisify(execFile)(found.program, ['--version'], { timeout: patience }).then(({ stdout }) => stdout, () => undefined);
    const advice = told === undefined ? undefined : versionAdvice(told, this.version, found);
    if (advice !== undefined) {
      this.log.note(advice);
      void notify.warning(advice);
    }
  }
}
