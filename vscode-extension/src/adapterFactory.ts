import * as vscode from 'vscode';
import { findAdapter } from './model/adapter';
import { runtimeOf } from './model/configuration';

/** Starts the adapter, one process per debug session, speaking on its standard input and output. */
export class AdapterFactory implements vscode.DebugAdapterDescriptorFactory {
  constructor(private readonly extensionPath: string) {}

  async createDebugAdapterDescriptor(session: vscode.DebugSession): Promise<vscode.DebugAdapterDescriptor | undefined> {
    const settings = vscode.workspace.getConfiguration('weft');
    const found = findAdapter({
      extension: this.extensionPath,
      setting: settings.get('adapterPath', ''),
      path: process.env['PATH'] ?? '',
    });
    if ('program' in found) {
      const log = settings.get('logFile', '').trim();
      const options = log === '' ? {} : { env: { WEFT_LOG: log } };
      return new vscode.DebugAdapterExecutable(found.program, ['dap', '--runtime', runtimeOf(session.configuration)], options);
    }
    const open = 'Open Settings';
    const advice = 'Install it (cargo install --path adapter), or set "weft.adapterPath" to where it is.';
    if ((await vscode.window.showErrorMessage(found.missing, { modal: true, detail: advice }, open)) === open) {
      await vscode.commands.executeCommand('workbench.action.openSettings', 'weft.adapterPath');
    }
    return undefined;
  }
}
