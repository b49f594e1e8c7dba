import { randomBytes } from 'node:crypto';
import * as vscode from 'vscode';
import type { Box } from './model/graph';
import { decodeFromPage, type FromPage, type ToPage } from './model/graphMessages';
import { detailsOf, membersToOpen, pictureOf, placeOf, svgOf, viewOf, type Picture } from './model/graphView';
import { allPages, mostDrawn } from './model/pages';
import { decodeTasks, type Location, type TasksBody } from './model/protocol';
import { isCurrent } from './model/store';
import { notify } from './notify';
import type { Sessions, TaskSession } from './sessions';

/** What the picture is made of. */
interface Loaded {
  readonly session: TaskSession;
  readonly body: TasksBody;
}

/** A snapshot of a session. */
interface Moment {
  readonly session: TaskSession;
  readonly generation: number;
}

/** The **Task Graph**: an editor tab with the picture of the shown session's newest snapshot. */
export class TaskGraph implements vscode.Disposable {
  private panel: vscode.WebviewPanel | undefined;
  private loaded: Loaded | undefined;
  private loading: Moment | undefined;
  /** What could not be read, and is not asked for again at each event of the session. */
  private refused: Moment | undefined;
  private picture: Picture | undefined;
  private failure: string | undefined;
  /** Members of merged boxes that the user opened, for the loaded session. */
  private opened = new Set<string>();
  private versions = 0;
  private readonly subscriptions: vscode.Disposable[];

  constructor(
    private readonly sessions: Sessions,
    private readonly extension: vscode.Uri,
  ) {
    this.subscriptions = [
      vscode.commands.registerCommand('weft.showTaskGraph', () => {
        this.show();
      }),
      sessions.onDidChange((session) => {
        if (session === undefined || session === this.sessions.shown) {
          this.update();
        }
      }),
    ];
  }

  dispose(): void {
    this.panel?.dispose();
    vscode.Disposable.from(...this.subscriptions).dispose();
  }

  private show(): void {
    if (this.panel) {
      this.panel.reveal();
      return;
    }
    const { Beside } = vscode.ViewColumn;
    const roots = [vscode.Uri.joinPath(this.extension, 'dist'), vscode.Uri.joinPath(this.extension, 'media')];
    const panel = vscode.window.createWebviewPanel('weft.taskGraph', 'Task Graph', Beside, { enableScripts: true, localResourceRoots: roots });
    panel.webview.onDidReceiveMessage((message: unknown) => {
      const decoded = decodeFromPage(message);
      if (decoded) {
        void this.received(decoded);
      }
    });
    // A hidden page is gone; it says `ready` when it is there again.
    panel.onDidDispose(() => {
      this.panel = undefined;
      this.loaded = undefined;
      this.picture = undefined;
    });
    this.panel = panel;
    panel.webview.html = page(panel.webview, this.extension);
  }

  private async received(message: FromPage): Promise<void> {
    switch (message.type) {
      case 'ready':
        // Who opens the page again asks again.
        this.refused = undefined;
        this.update();
        break;
      case 'choose': {
        const box = this.picture?.graph.boxes.find(({ key }) => key === message.box);
        if (box) {
          await this.chosen(box);
        }
        break;
      }
      case 'code':
        await this.open(this.loaded?.body.tasks.find(({ id }) => id === message.task)?.location);
        break;
      case 'stack':
        await this.showStack(message.task);
        break;
      case 'mergeAgain':
        this.opened = new Set();
        this.draw();
        break;
      case 'copyText':
        if (this.picture) {
          await vscode.env.clipboard.writeText(this.picture.view.text);
          vscode.window.setStatusBarMessage('The Task Graph is on the clipboard, as text.', 4000);
        }
        break;
      case 'saveText':
        await save('task-graph.txt', { Text: ['txt'] }, this.picture?.view.text);
        break;
      case 'saveSvg':
        await save('task-graph.svg', { 'SVG image': ['svg'] }, this.picture && svgOf(this.picture));
        break;
    }
  }

  /** Opens a merged box into its members; shows what is known of any other, and its code. */
  private async chosen(box: Box): Promise<void> {
    const graph = this.picture?.graph;
    const members = membersToOpen(box);
    if (members) {
      this.opened = new Set([...this.opened, ...members]);
      this.draw();
    } else if (graph) {
      this.post(detailsOf(graph, box));
      if (box.kind === 'resource' || box.tasks.length === 1) {
        await this.open(placeOf(graph, box));
      }
    }
  }

  private async open(location: Location | undefined): Promise<void> {
    if (!this.loaded || !location) {
      vscode.window.setStatusBarMessage('Where its code is could not be told.', 4000);
      return;
    }
    // Beside the graph, not in front of it.
    const others = vscode.window.tabGroups.all.filter(({ viewColumn }) => viewColumn !== this.panel?.viewColumn);
    const column = others[0]?.viewColumn ?? vscode.ViewColumn.Beside;
    await vscode.commands.executeCommand('weft.openFrame', this.loaded.session.debug, location.source, location.line, column);
  }

  private async showStack(task: number): Promise<void> {
    try {
      await this.loaded?.session.debug.customRequest('asyncFocusTask', { task });
    } catch (error) {
      void notify.error(`The stack of task ${task} cannot be shown: ${messageOf(error)}`);
    }
  }

  /** Brings the page up to date: at once with what is there, and again when the tasks were read. */
  private update(): void {
    if (!this.panel?.visible) {
      return;
    }
    const session = this.sessions.shown;
    if (!session || session.state.run === 'ended' || (this.loaded && this.loaded.session !== session)) {
      this.loaded = undefined;
      this.picture = undefined;
      this.failure = undefined;
      this.opened = new Set();
    }
    this.send();
    const { snapshot, stale } = session?.state ?? { snapshot: undefined, stale: true };
    if (session && snapshot && !stale && !this.isKnown(session, snapshot.generation)) {
      void this.load(session, snapshot.generation);
    }
  }

  /** Whether the snapshot was read, is being read, or could not be. */
  private isKnown(session: TaskSession, generation: number): boolean {
    const { loaded, loading, refused } = this;
    const at = loading ?? (loaded && { session: loaded.session, generation: loaded.body.generation });
    return [at, refused].some((moment) => moment?.session === session && moment.generation === generation);
  }

  private async load(session: TaskSession, generation: number): Promise<void> {
    const loading = { session, generation };
    this.loading = loading;
    try {
      const body = await allPages(async (ask) => {
        const answer = decodeTasks(await session.debug.customRequest('asyncTasks', ask));
        if (!answer) {
          throw new Error('The adapter answered asyncTasks with something that is not a list of tasks.');
        }
        return answer;
      }, generation, mostDrawn);
      if (this.loading === loading) {
        this.failure = undefined;
        this.refused = undefined;
        this.loaded = { session, body };
        this.draw();
      }
    } catch (error) {
      // What was asked for can be gone because the program went on; then there will be a newer one.
      if (this.loading === loading && isCurrent(session.state, generation)) {
        this.refused = loading;
        this.failure = `The tasks could not be read: ${messageOf(error)}`;
        this.send();
      }
    } finally {
      if (this.loading === loading) {
        this.loading = undefined;
      }
    }
  }

  private draw(): void {
    if (this.loaded) {
      this.versions += 1;
      this.picture = pictureOf(this.loaded.body, this.opened, this.versions);
      this.send();
    }
  }

  private send(): void {
    const session = this.sessions.shown;
    const current = this.loaded !== undefined && this.loaded.session === session && isCurrent(session.state, this.loaded.body.generation);
    this.post(viewOf(session?.state, this.picture, current, this.failure));
  }

  private post(message: ToPage): void {
    void this.panel?.webview.postMessage(message);
  }
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/** Asks where to and writes a file there. */
async function save(name: string, filters: Record<string, string[]>, content: string | undefined): Promise<void> {
  if (content === undefined) {
    return;
  }
  const folder = vscode.workspace.workspaceFolders?.[0]?.uri;
  const defaults = folder ? { defaultUri: vscode.Uri.joinPath(folder, name) } : {};
  const file = await vscode.window.showSaveDialog({ ...defaults, filters, title: 'Save Task Graph' });
  if (file) {
    try {
      await vscode.workspace.fs.writeFile(file, new TextEncoder().encode(content));
    } catch (error) {
      void notify.error(`The Task Graph could not be saved: ${messageOf(error)}`);
    }
  }
}

/** The page before it is sent anything. Only its own script runs in it, and nothing is loaded from elsewhere. */
function page(webview: vscode.Webview, extension: vscode.Uri): string {
  const nonce = randomBytes(18).toString('base64');
  const file = (...parts: string[]): string => webview.asWebviewUri(vscode.Uri.joinPath(extension, ...parts)).toString();
  const policy = `default-src 'none'; style-src ${webview.cspSource}; script-src 'nonce-${nonce}'`;
  return `<!DOCTYPE html>
<html lang="en">
<head>
  <meta charset="utf-8">
  <meta http-equiv="Content-Security-Policy" content="${policy}">
  <meta name="viewport" content="width=device-width">
  <link rel="stylesheet" href="${file('media', 'taskGraph.css')}">
  <title>Task Graph</title>
</head>
<body class="empty">
  <div id="bar" role="toolbar" aria-label="Task Graph">
    <button id="nearer" aria-label="Zoom in">+</button>
    <button id="farther" aria-label="Zoom out">−</button>
    <button id="fit" aria-label="Show the whole picture">Fit</button>
    <button id="mergeAgain">Merge again</button>
    <button id="saveSvg">Save as SVG…</button>
    <button id="saveText">Save as text…</button>
    <button id="copyText">Copy as text</button>
    <p id="status" role="status"></p>
  </div>
  <main>
    <svg id="picture" tabindex="0" role="group" aria-label="Tasks and what they wait for. Tab or arrow keys go from box to box, Enter opens one; plus, minus and 0 zoom."><g id="scene"></g></svg>
    <aside aria-label="Problems and details">
      <ul id="legend" aria-label="Problems"></ul>
      <section id="details" aria-live="polite"></section>
      <ul id="notes" aria-label="Notes"></ul>
      <p>A solid line leads to what a task waits for, a dashed one to who holds it, a dotted one to a task that is awaited.</p>
      <details><summary>The graph as text</summary><pre id="words"></pre></details>
    </aside>
  </main>
  <script nonce="${nonce}" src="${file('dist', 'taskGraph.js')}"></script>
</body>
</html>`;
}
