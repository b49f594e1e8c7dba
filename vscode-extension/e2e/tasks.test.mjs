// The main job, as a user does it: a breakpoint in the gutter, F5, and the program's tasks appear.
import assert from 'node:assert/strict';
import path from 'node:path';
import { count, folder, isAdapter, lineIn, picture, running, scenarios, started, step, stopAndLook } from './scenario.mjs';
import { debugButton, isCursorAt, isStoppedAt, readAll, startDebugging, until } from './workbench.mjs';

const { scenario, trace } = scenarios('tasks');
const lineOf = lineIn('src/main.rs');
const lineOfService = lineIn('service.py');
const inPrice = { file: 'main.rs', line: lineOf('unit * order') };

scenario('a breakpoint shows every task, its frames and its stack', async (page, rows, stack) => {
  const names = async () => (await rows.locator('.label-name').allInnerTexts()).filter((name) => name.startsWith('workshop::')).sort();
  const frames = () => stack.locator('.stack-frame > .label').allInnerTexts();

  await step('F5 stops at the breakpoint', async () => {
    await page.keyboard.press('F5');
    await until(() => isStoppedAt(page, inPrice.line), 'the stopped line is highlighted');
    await until(async () => (await frames()).includes('workshop::main'), 'Call Stack is filled');
    const expected = ['workshop::price', 'workshop::clerk', 'task N workshop::clerk', 'awaited by task N workshop::main', 'workshop::main'];
    assert.deepEqual((await frames()).slice(0, 5).map((frame) => frame.replace(/task \d+/, 'task N')), expected);
  });

  await step('the view opens by itself, with one row for each task', async () => {
    await until(async () => (await rows.count()) >= 5, 'the view lists the tasks');
    const tasks = ['workshop::clerk', 'workshop::main', 'workshop::sleeper', 'workshop::sleeper', 'workshop::sleeper'];
    assert.deepEqual(await names(), tasks);
    const inEditor = await page.evaluate(() => document.activeElement?.closest('.editor-instance') !== null);
    assert.ok(inEditor, 'the editor kept the focus');
  });

  await step('Variables shows the argument', async () => {
    const variables = page.locator('.debug-variables .monaco-list-row');
    await until(async () => {
      // The editor opens the first scope by itself, unless it is slow.
      for (const scope of await variables.filter({ hasNotText: 'Registers' }).and(page.locator('[aria-expanded="false"]')).all()) {
        await scope.click({ timeout: 2000 });
      }
      return (await variables.allInnerTexts()).some((text) => /^order\s*=\s*3$/.test(text.trim()));
    }, 'Variables shows order = 3');
  });

  await picture(page, 'stopped');

  const sleeper = rows.filter({ hasText: 'workshop::sleeper' }).first();
  await step('a task opens to its logical frames, and a frame opens its line', async () => {
    assert.match(await sleeper.innerText(), /waiting/);
    await sleeper.click();
    const nap = rows.filter({ hasText: 'workshop::nap' }).first();
    await nap.waitFor();
    assert.match(await nap.innerText(), new RegExp(`main\\.rs:${lineOf('sleep(Duration')}`));
    await nap.click();
    await until(() => isCursorAt(page, lineOf('sleep(Duration')), 'the editor shows where the task sleeps');
    await sleeper.click();
    await nap.waitFor({ state: 'detached' });
  });

  await step('a step refreshes the tasks', async () => {
    await debugButton(page, 'Step Over').click();
    await until(() => isStoppedAt(page, inPrice.line + 1), 'the step ends on the next line');
    await until(() => count(trace, /"command":"asyncTasks"/g) >= 2, 'the tasks are asked for again');
    await until(async () => (await names()).length === 5, 'the tasks are listed again');
  });

  await step('Show Stack moves Call Stack to the task', async () => {
    // A click on a row that is just being replaced is lost.
    await until(async () => {
      await sleeper.hover();
      await sleeper.locator('.action-label[aria-label^="Show Stack"]').click({ timeout: 2000 });
      await until(() => count(trace, /asyncFocusTask/g) > 0, 'the request is sent', 2000);
      return true;
    }, 'Show Stack is asked for');
    await until(async () => (await frames()).includes('workshop::nap'), 'Call Stack shows the sleeping function');
    await until(() => isStoppedAt(page, lineOf('sleep(Duration')), 'the editor shows where it sleeps');
  });

  await stopAndLook(page);
}, inPrice);

const inQuote = { file: 'service.py', line: lineOfService('BP: quote') };

scenario('a Python file has the same views', async (page, rows, stack) => {
  const frames = () => stack.locator('.stack-frame > .label').allInnerTexts();

  await step('a start stops in the coroutine, with its awaiters', async () => {
    await startDebugging(page, 'Debug service');
    await until(() => isStoppedAt(page, inQuote.line), 'the stopped line is highlighted');
    await until(async () => (await frames()).includes('main'), 'Call Stack is filled');
    const expected = ['quote', 'clerk', 'task N clerk', 'awaited by task N Task-1', 'main'];
    assert.deepEqual((await frames()).slice(0, 5).map((frame) => frame.replace(/task \d+/, 'task N')), expected);
  });

  const napping = rows.filter({ hasText: 'sleeper-0' }).first();
  await step('the view lists the tasks by their names, and a frame opens its line', async () => {
    await until(async () => (await rows.count()) >= 5, 'the view lists the tasks');
    const names = (await rows.locator('.label-name').allInnerTexts()).sort();
    assert.deepEqual(names, ['Task-1', 'clerk', 'sleeper-0', 'sleeper-1', 'sleeper-2']);
    assert.match(await napping.innerText(), /waiting/);
    await napping.click();
    const nap = rows.filter({ has: page.locator('.label-name', { hasText: /^nap$/ }) }).first();
    await nap.waitFor();
    assert.match(await nap.innerText(), new RegExp(`service\\.py:${lineOfService('BP: nap')}`));
    await nap.click();
    await until(() => isCursorAt(page, lineOfService('BP: nap')), 'the editor shows where the task sleeps');
  });

  await step('a step over an await stays in the task', async () => {
    await debugButton(page, 'Step Over').click();
    await until(() => isStoppedAt(page, inQuote.line + 1), 'the step ends on the await');
    await debugButton(page, 'Step Over').click();
    await until(() => isStoppedAt(page, inQuote.line + 2), 'the step ends behind the await');
    assert.equal((await frames())[0], 'quote');
  });

  await step('stopping leaves no process behind', async () => {
    const script = path.join(folder, 'service.py');
    assert.equal(started(script).length, 1);
    await debugButton(page, 'Stop').click();
    await debugButton(page, 'Stop').waitFor({ state: 'detached' });
    await until(() => started(script).length === 0, 'the program has ended');
    await until(() => running(isAdapter).length === 0, 'the adapter has ended');
  });
}, inQuote);

scenario('200 tasks are 200 rows, and a running program shows its tasks when asked', async (page, rows) => {
  const sleepers = Array.from({ length: 198 }, () => 'workshop::sleeper');
  await step('every task has a row without a click', async () => {
    await startDebugging(page, 'Debug a crowded workshop');
    await until(() => isStoppedAt(page, inPrice.line), 'the stopped line is highlighted');
    await until(async () => (await rows.count()) > 1, 'the view lists tasks');
    assert.deepEqual((await readAll(page, rows, '.label-name')).sort(), ['workshop::clerk', 'workshop::main', ...sleepers]);
  });

  await step('the rows go when the program runs on, and come back when asked for', async () => {
    await debugButton(page, 'Continue').click();
    const pane = page.locator('.pane:has(.pane-header[aria-label="Async Tasks Section"])');
    await until(async () => (await pane.innerText()).includes('The program is running'), 'the view says that it runs');
    await until(async () => (await rows.count()) === 0, 'the rows of the stop are gone');
    await pane.locator('.pane-header').hover();
    await pane.locator('.action-label[aria-label^="Refresh"]').click();
    await until(async () => (await rows.count()) > 1, 'the view lists tasks');
    const labels = await readAll(page, rows, '.label-name');
    assert.deepEqual(labels.filter((label) => label.startsWith('workshop::')).sort(), ['workshop::main', ...sleepers]);
    assert.match(labels.at(-1), /stopped for \d+ ms/);
    assert.ok(await debugButton(page, 'Pause').isVisible(), 'the program runs on');
  });

  await stopAndLook(page);
}, inPrice);
