// The Async Tasks view: tasks are found, grouped and acted on, and ten thousand are as quick as five.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { lineIn, scenarios, step } from './scenario.mjs';
import { debugButton, isStoppedAt, patience, startDebugging, until } from './workbench.mjs';

const { scenario, trace } = scenarios('taskview');
const inPrice = { file: 'main.rs', line: lineIn('src/main.rs')('unit * order') };
const inQuote = { file: 'service.py', line: lineIn('service.py')('BP: quote') };

const pane = (page) => page.locator('.pane:has(.pane-header[aria-label="Async Tasks Section"])');
const input = (page) => page.locator('.quick-input-widget input[type="text"]');

/** Labels with their levels: `2 workshop::clerk`. */
const tree = (rows) => rows.evaluateAll((all) => all.map((row) => `${row.ariaLevel} ${row.querySelector('.label-name')?.textContent}`));

/** What a screen reader says of the groups. */
const groups = (rows) => rows.evaluateAll((all) => all.filter((row) => row.ariaLevel === '1').map((row) => row.ariaLabel));

/** Presses a button in the view's title until `done` says that it had its effect. */
async function press(page, button, done) {
  await until(async () => {
    if (await done()) {
      return true;
    }
    await pane(page).locator('.pane-header').hover();
    await pane(page).locator(`.action-label[aria-label^="${button}"]`).click({ timeout: 2000 });
    await until(done, `${button} has its effect`, 3000);
    return true;
  }, `${button} is pressed`);
}

async function groupBy(page, grouping) {
  const item = page.locator(`.quick-input-list .monaco-list-row[aria-label^="${grouping}"]`);
  await press(page, 'Group', () => item.isVisible());
  await until(async () => {
    if (await item.isVisible()) {
      await item.click({ timeout: 2000 });
    }
    return !(await item.isVisible());
  }, `${grouping} is chosen`);
}

/** Chooses what the row's task stops for: `words` is toggled. */
async function breakWhen(page, row, words) {
  const item = page.locator(`.quick-input-list .monaco-list-row[aria-label^="when ${words}"]`);
  await until(async () => {
    await row.hover({ timeout: 2000 });
    await row.locator('.action-label[aria-label^="Break When This Task"]').click({ timeout: 2000 });
    await item.waitFor({ timeout: 3000 });
    return true;
  }, 'what the task can stop for is offered');
  const box = item.locator('[role="checkbox"], input[type="checkbox"], .quick-input-list-checkbox').first();
  const isChecked = () => box.evaluate((element) => element.checked ?? element.ariaChecked === 'true');
  const before = await isChecked();
  const isToggled = async () => (await isChecked()) !== before;
  await until(async () => {
    // A click whose effect is seen late would be undone by the next.
    if (!(await isToggled())) {
      await item.click({ timeout: 2000 });
      await until(isToggled, `${words} is toggled`, 10_000);
    }
    return true;
  }, `${words} is toggled`);
  await page.keyboard.press('Enter');
}

scenario('tasks are grouped, and found by what is typed', async (page, rows) => {
  const message = () => pane(page).innerText();
  const names = async () => (await rows.locator('.label-name').allInnerTexts()).filter((name) => name.startsWith('workshop::')).sort();
  await step('the program stops with its tasks', async () => {
    await startDebugging(page, 'Debug workshop');
    await until(() => isStoppedAt(page, inPrice.line), 'the stopped line is highlighted');
    await until(async () => (await names()).length === 5, 'the view lists the tasks');
  });

  await step('in the tree the clerk stands below the task that awaits it, each task once', async () => {
    await groupBy(page, 'Who awaits');
    await until(async () => (await tree(rows)).includes('2 workshop::clerk'), 'the clerk is below');
    const labels = await tree(rows);
    assert.equal(labels[labels.indexOf('2 workshop::clerk') - 1], '1 workshop::main');
    assert.deepEqual(labels.filter((label) => label.includes('::')).sort(), ['1 workshop::main', '1 workshop::sleeper', '1 workshop::sleeper', '1 workshop::sleeper', '2 workshop::clerk']);
  });

  await step('states are groups with counts', async () => {
    await groupBy(page, 'State');
    await until(async () => (await tree(rows)).includes('1 running'), 'states are groups');
    assert.deepEqual(await groups(rows), ['running, 1 task', 'waiting, 4 tasks']);
    await groupBy(page, 'No groups');
    await until(async () => (await tree(rows)).every((label) => label.startsWith('1 ')), 'no group is left');
  });

  await step('what is typed filters at once, and Enter keeps it', async () => {
    await press(page, 'Filter', () => input(page).isVisible());
    await input(page).fill('sleeper state:waiting');
    await until(async () => (await names()).length === 3, 'only the sleepers are left');
    assert.match(await message(), /Filter "sleeper state:waiting": 3 of 5 tasks/);
    await input(page).fill('sleeper state:wating');
    await until(async () => (await page.locator('.quick-input-widget').innerText()).includes('There is no state "wating"'), 'a wrong state is told');
    await input(page).fill('main.rs:9');
    await until(async () => (await message()).includes('Filter "main.rs:9"'), 'a place is a filter, too');
    await input(page).fill('clerk state:running');
    await until(async () => (await names()).join() === 'workshop::clerk', 'only the clerk is left');
    const found = rows.first();
    await until(async () => {
      await found.click({ timeout: 2000 });
      return (await found.getAttribute('aria-selected')) === 'true';
    }, 'the row that was found is selected');
    await until(async () => {
      if ((await found.getAttribute('aria-expanded')) === 'true') {
        await found.locator('.monaco-tl-twistie').click({ timeout: 2000 });
      }
      return (await names()).length === 1;
    }, 'its frames, which the click showed, are closed');
    assert.ok(await input(page).isVisible(), 'the box stays');
    assert.match(await message(), /Filter "clerk state:running": 1 of 5 tasks/);
    await input(page).press('Enter');
    await until(async () => !(await input(page).isVisible()), 'the box is gone');
    assert.deepEqual(await names(), ['workshop::clerk']);
    const [label] = await rows.evaluateAll((all) => all.map((row) => row.ariaLabel));
    assert.equal(label, `workshop::clerk, running, at main.rs line ${inPrice.line}`);
  });

  await step('Clear Filter shows all', async () => {
    await press(page, 'Clear Filter', async () => (await names()).length === 5);
    assert.doesNotMatch(await message(), /Filter "/);
  });
}, inPrice);

scenario('a task stops when it runs, and is stepped from its row', async (page, rows) => {
  const clerk = rows.filter({ has: page.locator('.label-name', { hasText: /^clerk$/ }) }).first();
  await step('the program stops with its tasks', async () => {
    await startDebugging(page, 'Debug service');
    await until(() => isStoppedAt(page, inQuote.line), 'the stopped line is highlighted');
    await until(async () => (await rows.count()) >= 5, 'the view lists the tasks');
  });

  await step('a task that is to break says so, and stops when it runs again', async () => {
    await breakWhen(page, clerk, 'it runs');
    await until(async () => (await clerk.innerText()).includes('breaks when it runs'), 'the row says what it breaks for');
    await debugButton(page, 'Continue').click();
    await until(() => isStoppedAt(page, inQuote.line + 1), 'the task stops where it waited');
    assert.match(readFileSync(trace, 'utf8'), /"event":"stopped","body":\{"reason":"task"/);
  });

  await step('the key for a step steps the task of the selected row', async () => {
    await until(async () => (await clerk.innerText()).includes('running'), 'the task runs');
    await until(async () => {
      await clerk.click({ timeout: 2000 });
      return (await clerk.getAttribute('aria-selected')) === 'true';
    }, 'the row is selected');
    await page.keyboard.press('F10');
    await until(() => isStoppedAt(page, inQuote.line + 2), 'the step ends on the next line');
    const steps = readFileSync(trace, 'utf8').match(/-> \d+ next \{"threadId":(\d+)/);
    assert.ok(Number(steps?.[1]) >= 2 ** 30, 'the step was the task\'s');
    await until(async () => (await clerk.innerText()).includes('in Call Stack'), 'the row says that it is listed as a thread');
  });

  await step('it is taken off Call Stack from its menu', async () => {
    const unpin = page.locator('.monaco-menu .action-label[aria-label^="Unpin from Call Stack"]');
    const isUnpinned = async () => !(await clerk.innerText({ timeout: 2000 })).includes('in Call Stack');
    await until(async () => {
      if (await isUnpinned()) {
        return true;
      }
      // A menu that is just being opened loses the click, and stays.
      if (!(await unpin.isVisible())) {
        await clerk.click({ button: 'right', timeout: 2000 });
      }
      await unpin.click({ timeout: 3000 });
      await until(isUnpinned, 'the row is unpinned', 5000);
      return true;
    }, 'the task is unpinned');
  });
}, inQuote);

scenario('ten thousand tasks', async (page, rows) => {
  const clerk = rows.filter({ hasText: 'workshop::clerk' }).first();
  await step('the program stops, and its tasks are ranges of a page each', async () => {
    await startDebugging(page, 'Debug a vast workshop');
    await until(() => isStoppedAt(page, inPrice.line), 'the stopped line is highlighted');
    await until(async () => (await tree(rows))[0] === '1 Tasks 1 to 1000', 'the first range is listed');
    await until(async () => (await pane(page).innerText()).includes('10000 tasks'), 'all are counted');
  });

  await step('states count those that are not listed', async () => {
    await groupBy(page, 'State');
    await until(async () => (await tree(rows)).includes('1 waiting'), 'states are groups');
    assert.deepEqual(await groups(rows), ['running, 1 task', 'waiting, 9999 tasks']);
    await until(async () => {
      await rows.first().click({ timeout: 2000 });
      await clerk.waitFor({ timeout: 3000 });
      return true;
    }, 'the running task is listed');
  });

  await step('a stop is soon seen in the view', async () => {
    const next = `main.rs:${inPrice.line + 1}`;
    // The view and not its rows, which may be replaced as a whole.
    const seen = pane(page).evaluate((view, [text, limit]) => new Promise((resolve) => {
      const look = () => {
        if (view.textContent.includes(text)) {
          resolve(Date.now());
          observer.disconnect();
        }
      };
      const observer = new globalThis.MutationObserver(look);
      observer.observe(view, { subtree: true, childList: true, characterData: true });
      setTimeout(() => {
        resolve(undefined);
        observer.disconnect();
      }, limit);
    }), [next, patience]);
    await debugButton(page, 'Step Over').click();
    const at = await seen;
    assert.ok(at !== undefined, `${next} is not seen`);
    const stops = [...readFileSync(trace, 'utf8').matchAll(/^(\S+) .*"event":"stopped","body":\{"reason":"step"/gm)];
    console.log(`the tasks of a stop are seen ${at - Date.parse(stops.at(-1)[1])} ms after its event`);
  });

  await step('a filter finds what was never listed', async () => {
    await press(page, 'Filter', () => input(page).isVisible());
    await input(page).fill('clerk');
    await until(async () => (await pane(page).innerText()).includes('Filter "clerk": 2 of 10000 tasks'), 'the clerk and who awaits it are found');
    await page.keyboard.press('Escape');
    await until(async () => (await pane(page).innerText()).includes('10000 tasks'), 'Escape brings all back');
  });
}, inPrice);
