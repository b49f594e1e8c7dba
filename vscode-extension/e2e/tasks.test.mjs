// The main job, as a user does it: a breakpoint in the gutter, F5, and the program's tasks appear.
import assert from 'node:assert/strict';
import { mkdirSync, readFileSync, readdirSync, readlinkSync, rmSync } from 'node:fs';
import path from 'node:path';
import { after, before, test } from 'node:test';
import { isCursorAt, isStoppedAt, openFile, openFolder, patience, setBreakpoint, startBrowser, startServer, until } from './workbench.mjs';

const here = import.meta.dirname;
const out = path.join(here, 'out');
const folder = path.join(here, 'fixture');
const program = path.join(folder, 'target/debug/workshop');
const trace = path.join(out, 'dap.log');
const source = readFileSync(path.join(folder, 'src/main.rs'), 'utf8').split('\n');
const lineOf = (text) => source.findIndex((line) => line.includes(text)) + 1;

let server;
let browser;

before(async () => {
  rmSync(out, { recursive: true, force: true });
  mkdirSync(out, { recursive: true });
  [server, browser] = await Promise.all([startServer(process.env.WEFT_VSIX, trace), startBrowser()]);
});

after(async () => {
  await browser?.close();
  server?.stop();
});

test('a breakpoint shows every task, its frames and its stack', { timeout: 10 * patience }, async () => {
  const page = await openFolder(browser, server, folder);
  const rows = page.locator('.pane:has(.pane-header[aria-label="Async Tasks Section"]) .monaco-list-row');
  const stack = page.locator('.debug-call-stack .monaco-list-row');
  const names = () => rows.locator('.label-name').allInnerTexts();
  try {
    await openFile(page, 'main.rs');
    await setBreakpoint(page, lineOf('unit * order'));

    await step('F5 stops at the breakpoint', async () => {
      await page.keyboard.press('F5');
      await until(() => isStoppedAt(page, lineOf('unit * order')), 'the stopped line is highlighted');
      await until(async () => (await stack.allInnerTexts()).some((text) => text.includes('workshop::price')), 'Call Stack shows the stopped function');
      const frames = (await stack.allInnerTexts()).join('\n');
      assert.match(frames, /workshop::clerk/, 'the awaiting function is on the stack');
      assert.doesNotMatch(frames, /workshop::[^\n]*\{\{closure\}\}/);
    });

    await step('the view opens by itself, with one row for each task', async () => {
      await until(async () => (await rows.count()) >= 5, 'the view lists the tasks');
      const tasks = ['workshop::clerk', 'workshop::main', 'workshop::sleeper', 'workshop::sleeper', 'workshop::sleeper'];
      assert.deepEqual((await names()).filter((name) => name.startsWith('workshop::')).sort(), tasks);
      const inEditor = await page.evaluate(() => document.activeElement?.closest('.editor-instance') !== null);
      assert.ok(inEditor, 'the editor kept the focus');
    });

    const sleeper = rows.filter({ hasText: 'workshop::sleeper' }).first();
    await step('a task opens to its logical frames, and a frame opens its line', async () => {
      assert.match(await sleeper.innerText(), /waiting/);
      await sleeper.click();
      const nap = rows.filter({ hasText: 'workshop::nap' }).first();
      await nap.waitFor();
      assert.match(await nap.innerText(), new RegExp(`main\\.rs:${lineOf('sleep(Duration')}`));
      await nap.click();
      await until(() => isCursorAt(page, lineOf('sleep(Duration')), 'the editor shows where the task sleeps');
    });

    await step('a step refreshes the tasks', async () => {
      const stops = () => count(trace, /"event":\s*"asyncTasksChanged"/g);
      const before = stops();
      await page.locator('.action-label[aria-label^="Step Over ("]').click();
      await until(() => stops() > before, 'the step ends');
      await until(async () => (await names()).filter((name) => name.startsWith('workshop::')).length >= 5, 'the tasks are listed again');
    });

    await step('Show Stack moves Call Stack to the task', async () => {
      // A click on a row that is just being replaced is lost.
      await until(async () => {
        await sleeper.hover();
        await sleeper.locator('.action-label[aria-label^="Show Stack"]').click({ timeout: 2000 });
        await until(() => count(trace, /asyncFocusTask/g) > 0, 'the request is sent', 2000);
        return true;
      }, 'Show Stack is asked for');
      await until(async () => (await stack.allInnerTexts()).some((text) => text.includes('workshop::nap')), 'Call Stack shows the sleeping function');
    });

    await step('stopping leaves no process behind', async () => {
      await page.locator('.action-label[aria-label^="Stop ("]').click();
      await page.locator('.part.statusbar.debugging').waitFor({ state: 'detached' });
      await until(() => running(program).length === 0, 'the program has ended');
      await until(() => running(undefined, 'weft').length === 0, 'the adapter has ended');
    });
  } catch (error) {
    await page.screenshot({ path: path.join(out, 'failure.png') });
    throw error;
  } finally {
    if (process.env.WEFT_E2E_KEEP) {
      await page.screenshot({ path: path.join(out, 'last.png') });
    }
    await page.context().close();
  }
});

/** A part of the scenario. The next one builds on it, so that the first failure ends the test. */
async function step(name, act) {
  try {
    await act();
  } catch (error) {
    throw new Error(`${name}: ${error.message}`, { cause: error });
  }
}

function count(file, pattern) {
  return readFileSync(file, 'utf8').match(pattern)?.length ?? 0;
}

/** Ids of processes that run `executable`, or the bundled adapter of the installed extension. */
function running(executable, bundled) {
  return readdirSync('/proc').filter((name) => {
    try {
      const exe = readlinkSync(`/proc/${name}/exe`);
      return bundled ? exe.includes('weft-e2e-') && exe.endsWith(`/bin/${bundled}`) : exe === executable;
    } catch {
      return false;
    }
  });
}
