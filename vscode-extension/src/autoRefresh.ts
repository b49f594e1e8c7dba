import * as vscode from 'vscode';
import type { Sessions } from './sessions';
import type { TaskView } from './taskView';

/**
 * Asks for the tasks again and again while the program runs and the view is seen. Off unless
 * `weft.autoRefresh` is set, since each look stops the program for milliseconds.
 */
export class AutoRefresh implements vscode.Disposable {
  private timer: NodeJS.Timeout | undefined;
  private readonly subscription: vscode.Disposable;

  constructor(
    private readonly sessions: Sessions,
    private readonly view: TaskView,
  ) {
    this.subscription = vscode.workspace.onDidChangeConfiguration((change) => {
      if (change.affectsConfiguration('weft.autoRefresh')) {
        this.start();
      }
    });
    this.start();
  }

  dispose(): void {
    clearInterval(this.timer);
    this.subscription.dispose();
  }

  private start(): void {
    clearInterval(this.timer);
    const seconds = vscode.workspace.getConfiguration('weft').get<number>('autoRefresh', 0);
    if (seconds > 0) {
      this.timer = setInterval(
        () => {
          this.refresh();
        },
        Math.max(seconds, 0.5) * 1000,
      );
    }
  }

  private refresh(): void {
    const session = this.sessions.shown;
    if (session?.state.run === 'running' && !session.state.asked && this.view.visible) {
      session.dispatch({ type: 'refresh' });
    }
  }
}
