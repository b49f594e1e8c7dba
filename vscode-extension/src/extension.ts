/** Entry point: introduces the parts to the editor and to each other. What they do is in their own files. */

import * as vscode from 'vscode';
import { AdapterFactory } from './adapterFactory';
import { registerAttach } from './attach';
import { AutoRefresh } from './autoRefresh';
import { BuildProblems } from './buildProblems';
import { CargoWorkspaces } from './cargoWorkspaces';
import { CodeLenses } from './codeLenses';
import { registerCommands } from './commands';
import { LaunchConfigurations } from './configurations';
import { InlineValues } from './inlineValues';
import { SessionLog } from './model/sessionLog';
import { ProblemNotices } from './problems';
import { Sessions } from './sessions';
import { StackView } from './stackView';
import { StatusBar } from './statusBar';
import { registerTaskActions } from './taskActions';
import { TaskGraph } from './taskGraph';
import { TaskView } from './taskView';

const debugType = 'weft';

export function activate(context: vscode.ExtensionContext): void {
  const sessions = new Sessions(debugType);
  const configurations = new LaunchConfigurations(debugType);
  const view = new TaskView(sessions, context.workspaceState);
  const workspaces = new CargoWorkspaces();
  const builds = new BuildProblems();
  const { version } = context.extension.packageJSON as { readonly version: string };
  const adapters = new AdapterFactory(context.extensionPath, version, new SessionLog(context.logUri.fsPath));
  const { Initial, Dynamic } = vscode.DebugConfigurationProviderTriggerKind;
  context.subscriptions.push(
    sessions,
    view,
    new StackView(sessions),
    vscode.languages.registerInlineValuesProvider(['rust', 'python'], new InlineValues(debugType)),
    new AutoRefresh(sessions, view),
    new StatusBar(sessions),
    new ProblemNotices(sessions, view),
    workspaces,
    new CodeLenses(debugType, workspaces),
    builds,
    new TaskGraph(sessions, context.extensionUri),
    vscode.debug.registerDebugConfigurationProvider(debugType, configurations, Initial),
    vscode.debug.registerDebugConfigurationProvider(debugType, configurations.dynamic, Dynamic),
    vscode.debug.registerDebugAdapterDescriptorFactory(debugType, adapters),
    vscode.debug.registerDebugAdapterTrackerFactory(debugType, sessions),
    vscode.debug.registerDebugAdapterTrackerFactory(debugType, builds),
    vscode.debug.registerDebugAdapterTrackerFactory(debugType, adapters),
    ...registerAttach(debugType),
    ...registerCommands(sessions, view),
    ...registerTaskActions(view),
  );
}
