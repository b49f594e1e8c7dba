import * as vscode from 'vscode';
import { status } from './model/status';
import type { Sessions } from './sessions';

/** How many tasks the shown session has, and how many problems; a click goes to the view. */
export class StatusBar implements vscode.Disposable {
  private readonly item = vscode.window.createStatusBarItem('weft.tasks', vscode.StatusBarAlignment.Left, 5);
  private readonly subscription: vscode.Disposable;

  constructor(private readonly sessions: Sessions) {
    this.item.name = 'Weft: async tasks';
    this.item.command = { command: 'weft.asyncTasks.focus', title: 'Show Async Tasks' };
    this.subscription = sessions.onDidChange(() => {
      this.update();
    });
  }

  dispose(): void {
    vscode.Disposable.from(this.subscription, this.item).dispose();
  }

  private update(): void {
    const shown = status(this.sessions.shown?.state);
    if (!shown) {
      this.item.hide();
      return;
    }
    this.item.text = shown.text;
    this.item.tooltip = `${shown.label}. Click for the Async Tasks view.`;
    this.item.accessibilityInformation = { label: `Weft: ${shown.label}. Shows the Async Tasks view.`, role: 'button' };
    this.item.backgroundColor = shown.severity === 'none' ? undefined : new vscode.ThemeColor(`statusBarItem.${shown.severity}Background`);
    this.item.show();
  }
}
