import * as vscode from 'vscode';
import { news, problemKey } from './model/status';
import type { Problem } from './model/protocol';
import { notify } from './notify';
import type { Sessions, TaskSession } from './sessions';
import type { TaskView } from './taskView';

/** Tells of problems that a stop has brought to light, each once in its session. */
export class ProblemNotices implements vscode.Disposable {
  private readonly told = new WeakMap<TaskSession, Set<string>>();
  private readonly subscription: vscode.Disposable;

  constructor(
    sessions: Sessions,
    private readonly view: TaskView,
  ) {
    this.subscription = sessions.onDidChange((session) => {
      if (session) {
        this.look(session);
      }
    });
  }

  dispose(): void {
    this.subscription.dispose();
  }

  private look(session: TaskSession): void {
    const told = this.told.get(session) ?? new Set<string>();
    const [first, ...others] = news(session.state, told);
    if (!first) {
      return;
    }
    const problems = [first, ...others] as const;
    problems.forEach((problem) => told.add(problemKey(problem)));
    this.told.set(session, told);
    if (vscode.workspace.getConfiguration('weft').get<boolean>('problemNotifications', true)) {
      void this.tell(session, problems);
    }
  }

  /** All that one stop has brought are one notification: more would cover each other. */
  private async tell(session: TaskSession, problems: readonly [Problem, ...Problem[]]): Promise<void> {
    const [first] = problems;
    const more = problems.length > 1 ? ` (and ${problems.length - 1} more)` : '';
    const isError = problems.some(({ severity }) => severity === 'error');
    const show = isError ? notify.error : notify.warning;
    if ((await show(`${first.kind}: ${first.text}${more}`, 'Show')) === 'Show') {
      await vscode.commands.executeCommand('weft.asyncTasks.focus');
      if (!(await this.view.showProblem(session, (problem) => problemKey(problem) === problemKey(first)))) {
        void notify.information(`${first.kind} is not in Async Tasks now: the program has gone on, or another session is shown.`);
      }
    }
  }
}
