/** Entry point: introduces the parts to the editor and to each other. What they do is in their own files. */

import * as vscode from 'vscode';
import { AdapterFactory } from './adapterFactory';
import { AutoRefresh } from './autoRefresh';
import { registerCommands } from './commands';
import { LaunchConfigurations } from './configurations';
import { Sessions } from './sessions';
import { TaskView } from './taskView';

const debugType = 'weft';

export function activate(context: vscode.ExtensionContext): void {
  const sessions = new Sessions(debugType);
  const configurations = new LaunchConfigurations(debugType);
  const view = new TaskView(sessions);
  const { Initial, Dynamic } = vscode.DebugConfigurationProviderTriggerKind;
  context.subscriptions.push(
    sessions,
    view,
    new AutoRefresh(sessions, view),
    vscode.debug.registerDebugConfigurationProvider(debugType, configurations, Initial),
    vscode.debug.registerDebugConfigurationProvider(debugType, configurations.dynamic, Dynamic),
    vscode.debug.registerDebugAdapterDescriptorFactory(debugType, new AdapterFactory(context.extensionPath)),
    vscode.debug.registerDebugAdapterTrackerFactory(debugType, sessions),
    ...registerCommands(sessions),
  );
}
