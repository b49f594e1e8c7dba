import type { DebugProtocol } from '@vscode/debugprotocol';
import * as vscode from 'vscode';
import { diagnosticOf, type Diagnostic } from './model/diagnostics';

/** How many of one build are listed: a person fixes the first ones, and builds again. */
const maxListed = 1000;

/** Errors and warnings of the build that a session begins with, in the **Problems** view until the next build there. */
export class BuildProblems implements vscode.DebugAdapterTrackerFactory, vscode.Disposable {
  /** One collection for each folder, so that the builds of others stay. */
  private readonly folders = new Map<string, vscode.DiagnosticCollection>();

  createDebugAdapterTracker(session: vscode.DebugSession): vscode.DebugAdapterTracker | undefined {
    if (session.configuration['cargo'] === undefined) {
      return undefined;
    }
    let build: Build | undefined;
    return {
      onWillReceiveMessage: (message: DebugProtocol.ProtocolMessage) => {
        const { command } = message as DebugProtocol.Request;
        if (message.type === 'request' && (command === 'launch' || command === 'restart')) {
          build = new Build(this.collection(session.workspaceFolder?.uri.toString() ?? ''));
        }
      },
      onDidSendMessage: (message: DebugProtocol.ProtocolMessage) => {
        const { event } = message as DebugProtocol.Event;
        const { command } = message as DebugProtocol.Response;
        if (message.type === 'event' && event === 'output') {
          build?.hear((message as DebugProtocol.OutputEvent).body);
        } else if ((message.type === 'event' && event === 'process') || (message.type === 'response' && command === 'launch')) {
          // What is said from now on is the program's.
          build = undefined;
        }
      },
    };
  }

  dispose(): void {
    vscode.Disposable.from(...this.folders.values()).dispose();
  }

  private collection(folder: string): vscode.DiagnosticCollection {
    const known = this.folders.get(folder) ?? vscode.languages.createDiagnosticCollection('weft build');
    this.folders.set(folder, known);
    return known;
  }
}

/** One build; the problems of the one before it go when it begins. */
class Build {
  private readonly files = new Map<string, vscode.Diagnostic[]>();
  private count = 0;

  constructor(private readonly listed: vscode.DiagnosticCollection) {
    listed.clear();
  }

  hear(body: unknown): void {
    const told = this.count < maxListed ? diagnosticOf(body) : undefined;
    if (told) {
      this.count += 1;
      const all = [...(this.files.get(told.file) ?? []), shown(told)];
      this.files.set(told.file, all);
      this.listed.set(vscode.Uri.file(told.file), all);
    }
  }
}

function shown({ line, column, end, severity, code, message }: Diagnostic): vscode.Diagnostic {
  const { Error, Warning } = vscode.DiagnosticSeverity;
  const diagnostic = new vscode.Diagnostic(new vscode.Range(line, column, line, end), message, severity === 'error' ? Error : Warning);
  diagnostic.source = 'rustc';
  if (code !== undefined) {
    diagnostic.code = code;
  }
  return diagnostic;
}
