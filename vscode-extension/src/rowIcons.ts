import * as vscode from 'vscode';
import type { FrameKind, TaskState } from './model/protocol';
import type { Row } from './model/rows';

/** A row's icon. Each state has a shape of its own: colours, which some themes have not, only add to it. */
export function rowIcon(row: Row): vscode.ThemeIcon {
  switch (row.kind) {
    case 'task':
      return stateIcon(row.task.state);
    case 'group':
      return new vscode.ThemeIcon({ runtime: 'server-process', state: 'symbol-enum', entry: 'symbol-function', range: 'list-ordered' }[row.of]);
    case 'stack':
      return new vscode.ThemeIcon('layers');
    case 'frame':
      return new vscode.ThemeIcon(frameIcon(row.frame.kind));
    case 'problem':
      return row.problem.severity === 'error' ? bad() : new vscode.ThemeIcon('warning', new vscode.ThemeColor('problemsWarningIcon.foreground'));
    case 'failure':
      return bad();
    case 'note':
      return new vscode.ThemeIcon('info');
  }
}

/** The colour is one that high contrast themes have, too. */
function bad(): vscode.ThemeIcon {
  return new vscode.ThemeIcon('error', new vscode.ThemeColor('problemsErrorIcon.foreground'));
}

function stateIcon(state: TaskState | undefined): vscode.ThemeIcon {
  switch (state) {
    case 'running':
      return new vscode.ThemeIcon('play', new vscode.ThemeColor('charts.green'));
    case 'ready':
      return new vscode.ThemeIcon('circle-filled', new vscode.ThemeColor('charts.green'));
    case 'waiting':
      return new vscode.ThemeIcon('watch');
    case 'created':
      return new vscode.ThemeIcon('circle-outline');
    case 'done':
      return new vscode.ThemeIcon('pass');
    case 'failed':
      return bad();
    case 'cancelled':
      return new vscode.ThemeIcon('circle-slash');
    case undefined:
      return new vscode.ThemeIcon('question');
  }
}

function frameIcon(kind: FrameKind): string {
  switch (kind) {
    case 'await':
      return 'debug-pause';
    case 'physical':
      return 'debug-stackframe';
    case 'leaf':
      return 'clock';
    case 'branch':
      return 'list-tree';
    case 'boundary':
      return 'arrow-up';
  }
}
