// The logical stack of what the debugger has its focus on, or of a task that is selected, and values in the editor.
import assert from 'node:assert/strict';
import path from 'node:path';
import { count, folder, isAdapter, lineIn, running, scenarios, started, step, stopAndLook } from './scenario.mjs';
import { debugButton, isCursorAt, isStoppedAt, startDebugging, until } from './workbench.mjs';

const { scenario, trace } = scenarios('stackview');
const lineOf = lineIn('src/main.rs');
const lineOfService = lineIn('service.py');
const inPrice = { file: 'main.rs', line: lineOf('unit * order') };
const inQuote = { file: 'service.py', line: lineOfService('BP: quote') };

/** What the view shows: its title's description, and its rows with what is said beside them. */
function view(page) {
  const pane = page.locator('.pane:has(.pane-header[aria-label^="Async Call Stack"])');
  const rows = pane.locator('.monaco-list-row');
  return {
    rows,
    row: (label) => rows.filter({ has: page.locator('.label-name', { hasText: label }) }).first(),
    whose: async () => (await pane.locator('.pane-header .description').innerText()).trim(),
    async texts() {
      // Rows that do not fit are not there: other views give way.
      for (const name of ['Watch', 'Breakpoints', 'Loaded Scripts']) {
        const header = page.locator(`.pane-header[aria-label^="${name} Section"][aria-expanded="true"]`);
        if (await header.isVisible()) {
          await header.click({ timeout: 2000 });
        }
      }
      const all = await rows.evaluateAll((list) =>
        list.map((row) => [Number(row.dataset.index), [row.querySelector('.label-name')?.textContent, row.querySelector('.label-description')?.textContent].filter(Boolean).join(' | ')]),
      );
      return all.sort(([a], [b]) => a - b).map(([, text]) => text);
    },
  };
}

/** Waits until the view shows these rows. */
async function shows(stack, expected) {
  let seen;
  await until(async () => {
    seen = await stack.texts();
    return expected.length === seen.length && expected.every((text, index) => (text instanceof RegExp ? text.test(seen[index]) : text === seen[index]));
  }, `the rows are ${expected.join('; ')}`).catch((error) => {
    throw new Error(`${error.message}; they are ${seen?.join('; ')}`);
  });
}

/** Clicks until there is an effect: a row that is just being replaced loses the click. */
async function clickUntil(row, effect, what) {
  await until(async () => {
    await row.click({ timeout: 2000 });
    await until(effect, what, 3000);
    return true;
  }, what);
}

async function open(row) {
  await until(async () => {
    if ((await row.getAttribute('aria-expanded')) === 'false') {
      await row.locator('.monaco-tl-twistie').click({ timeout: 2000 });
    }
    return (await row.getAttribute('aria-expanded')) === 'true';
  }, 'the row is open');
}

/** The value that the debugger's own Variables view shows of a variable. */
async function inVariables(page, name) {
  const rows = page.locator('.debug-variables .monaco-list-row');
  // The editor opens the first scope by itself, unless it is slow.
  for (const scope of await rows.filter({ hasText: /^(Arguments|Locals)$/ }).and(page.locator('[aria-expanded="false"]')).all()) {
    await scope.click({ timeout: 2000 });
  }
  const texts = (await rows.allInnerTexts()).map((text) => text.trim());
  return texts.map((text) => new RegExp(`^${name}\\s*=\\s*(.*)$`, 's').exec(text)?.[1]).find((value) => value !== undefined);
}

/** What stands behind the code at the end of a line of the editor. */
async function behind(page, line) {
  const row = page.locator('.margin-view-overlays > div').filter({ has: page.locator('.line-numbers', { hasText: new RegExp(`^${line}$`) }) });
  const top = (await row.boundingBox()).y;
  for (const text of await page.locator('.editor-instance .view-line').all()) {
    if (Math.abs((await text.boundingBox()).y - top) < 2) {
      return (await text.innerText()).replaceAll('\u00a0', ' ');
    }
  }
  return '';
}

scenario('the async call stack follows the focus, and a selected task', async (page, tasks) => {
  const stack = view(page);
  const price = `workshop::price | main.rs:${inPrice.line}`;
  const clerk = `workshop::clerk | main.rs:${lineOf('price(order).await')}`;
  const awaiter = ['JoinHandle<u32>', `workshop::main | main.rs:${lineOf('clerk.await.expect')}`];
  const ofClerk = [/^awaited by task \d+ workshop::main$/, ...awaiter];

  await step('a stop shows the rows of the task that the thread runs', async () => {
    await page.keyboard.press('F5');
    await until(() => isStoppedAt(page, inPrice.line), 'the stopped line is highlighted');
    await until(async () => (await stack.rows.count()) > 1, 'the view opens by itself');
    assert.ok(await page.evaluate(() => document.activeElement?.closest('.editor-instance') !== null), 'the editor kept the focus');
    await shows(stack, [price, clerk, ...ofClerk]);
    assert.match(await stack.whose(), /^task \d+ workshop::clerk$/);
  });

  await step('values stand at the ends of lines', async () => {
    await until(async () => /order = 3/.test(await behind(page, lineOf('async fn price'))), 'the argument is shown');
    await until(async () => /unit = 7/.test(await behind(page, lineOf('let unit'))), 'the variable is shown');
    await until(async () => /unit = 7.*order = 3/.test(await behind(page, inPrice.line)), 'both are shown on the stopped line');
  });

  await step('a frame that is clicked on becomes that of Variables', async () => {
    await clickUntil(stack.row('workshop::clerk'), () => isCursorAt(page, lineOf('price(order).await')), 'the editor shows the await');
    await until(async () => (await inVariables(page, 'sum')) === '0', "Variables is the caller's");
    await clickUntil(stack.row('workshop::price'), async () => (await inVariables(page, 'unit')) === '7', 'Variables is of the innermost frame again');
  });

  const sleeper = tasks.filter({ hasText: 'workshop::sleeper' }).first();
  await step('a selected task shows its rows, and its frames their variables', async () => {
    const rows = ['Sleep', `workshop::nap | main.rs:${lineOf('sleep(Duration')}`, `workshop::sleeper | main.rs:${lineOf('nap(hours).await;')}`];
    await clickUntil(sleeper, async () => / \(selected\)$/.test(await stack.whose()), 'the task is selected');
    await shows(stack, rows);
    assert.match(await stack.whose(), /^task \d+ workshop::sleeper \(selected\)$/);
    await open(stack.row('workshop::nap'));
    await until(async () => {
      const texts = (await stack.texts()).filter((text) => /^(Arguments|hours)/.test(text));
      return texts.length === 2 && texts[0].startsWith('Arguments') && /^hours \| [123]\b/.test(texts[1]);
    }, 'the argument of the suspended frame is shown, once and in its scope');
  });

  await step('a frame of the selected task becomes that of Variables', async () => {
    await clickUntil(stack.row('workshop::sleeper'), async () => /^task \d+ workshop::sleeper$/.test(await stack.whose()), 'the task has the focus');
    await until(() => isCursorAt(page, lineOf('nap(hours).await;')), 'the editor shows the outer frame');
    await until(async () => /^[123]\b/.test((await inVariables(page, 'hours')) ?? ''), 'Variables is of the suspended frame');
    assert.ok(count(trace, /"command":"asyncFocusTask"/g) >= 1);
  });

  await stopAndLook(page);
}, inPrice);

scenario('the view follows a step over an await', async (page, tasks) => {
  const stack = view(page);
  const line = lineOf('sum += price');
  await step('a stop in the clerk', async () => {
    await page.keyboard.press('F5');
    await until(() => isStoppedAt(page, line), 'the stopped line is highlighted');
    await until(async () => (await stack.texts())[0] === `workshop::clerk | main.rs:${line}`, 'the view shows the line');
  });
  await step('another task is selected', async () => {
    await clickUntil(tasks.filter({ hasText: 'workshop::sleeper' }).first(), async () => / \(selected\)$/.test(await stack.whose()), 'the task is selected');
  });
  await step('the step shows the stepped task again', async () => {
    await debugButton(page, 'Step Over').click();
    const next = lineOf('orders.recv().await');
    await until(() => isStoppedAt(page, next), 'the step ends on the next line');
    await until(async () => (await stack.texts())[0] === `workshop::clerk | main.rs:${next}`, 'the view shows the next line');
    assert.match(await stack.whose(), /^task \d+ workshop::clerk$/);
  });
  await stopAndLook(page);
}, { file: 'main.rs', line: lineOf('sum += price') });

scenario('a Python task has the same view', async (page, tasks) => {
  const stack = view(page);
  const rows = (line) => [
    `quote | service.py:${line}`,
    `clerk | service.py:${lineOfService('await quote')}`,
    /^awaited by task \d+ Task-1$/,
    'clerk',
    'a task',
    `main | service.py:${lineOfService('await asked')}`,
    /^spawned by task \d+ Task-1$/,
    `main | service.py:${lineOfService('create_task(clerk')}`,
  ];
  await step('a stop shows the rows', async () => {
    await startDebugging(page, 'Debug service');
    await until(() => isStoppedAt(page, inQuote.line), 'the stopped line is highlighted');
    await shows(stack, rows(inQuote.line));
    await until(async () => /order = 3/.test(await behind(page, inQuote.line)), 'the value stands in the editor');
  });
  await step('a selected task shows its rows and variables', async () => {
    await clickUntil(tasks.filter({ hasText: 'clerk' }).first(), async () => /clerk/.test(await stack.whose()), 'the clerk is shown');
    await clickUntil(tasks.filter({ hasText: 'sleeper-0' }).first(), async () => /sleeper-0 \(selected\)$/.test(await stack.whose()), 'the task is selected');
    await until(async () => (await stack.texts())[1] === '1 runtime frame | sleep', 'frames of asyncio are one row');
    await open(stack.row('1 runtime frame'));
    await open(stack.row(/^sleep$/));
    await until(async () => (await stack.texts()).includes('delay | 600'), 'the variable of the suspended frame is shown');
  });
  await step('a step over an await follows the task', async () => {
    await debugButton(page, 'Step Over').click();
    await until(() => isStoppedAt(page, inQuote.line + 1), 'the step ends on the await');
    await debugButton(page, 'Step Over').click();
    await until(() => isStoppedAt(page, inQuote.line + 2), 'the step ends behind the await');
    await shows(stack, rows(inQuote.line + 2));
  });
  await step('stopping leaves no process behind', async () => {
    const script = path.join(folder, 'service.py');
    await debugButton(page, 'Stop').click();
    await debugButton(page, 'Stop').waitFor({ state: 'detached' });
    await until(() => started(script).length === 0, 'the program has ended');
    await until(() => running(isAdapter).length === 0, 'the adapter has ended');
  });
}, inQuote);
