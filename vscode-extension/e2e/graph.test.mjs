// The Task Graph, as a user meets it: two tasks wait for each other, the picture shows the circle, a click shows the code.
import assert from 'node:assert/strict';
import { readFileSync, rmSync } from 'node:fs';
import path from 'node:path';
import { folder, lineIn, picture, scenarios, step, stopAndLook } from './scenario.mjs';
import { debugButton, isCursorAt, isStoppedAt, startDebugging, until } from './workbench.mjs';

const { scenario } = scenarios('graph');
const lineOf = lineIn('src/main.rs');
const lineOfStuck = lineIn('stuck.py');

/** The page of the graph: a frame within a frame. */
async function graphPage(page) {
  for (const frame of page.frames()) {
    if ((await frame.locator('#scene').count().catch(() => 0)) > 0) {
      return frame;
    }
  }
  return undefined;
}

/** Opens the graph with the button in the title of Async Tasks, and returns its page once it shows a picture. */
async function openGraph(page, rows) {
  const pane = page.locator('.pane:has(.pane-header[aria-label="Async Tasks Section"])');
  let graph;
  await until(async () => (await rows.count()) > 0, 'the view lists the tasks');
  await until(async () => {
    graph = await graphPage(page);
    if (!graph) {
      await pane.locator('.pane-header').hover();
      await pane.locator('.action-label[aria-label^="Show Task Graph"]').click({ timeout: 2000 });
      await until(async () => (await graphPage(page)) !== undefined, 'the tab is there', 5000);
      graph = await graphPage(page);
    }
    return (await graph.locator('.box').count()) > 0;
  }, 'the graph shows boxes');
  // What is out of sight cannot be clicked.
  await graph.locator('#fit').click();
  return graph;
}

/** The lines in each box that such a locator finds, without those that differ from run to run. */
async function linesOf(boxes) {
  return boxes.evaluateAll((all) => all.map((box) => [...box.querySelectorAll('text')].map((text) => text.textContent).filter((text) => !text.startsWith('0x'))));
}

/** The edges of the circle, by the first words of their boxes' names. */
async function circleEdges(graph) {
  return graph.locator('.edge.circle').evaluateAll((all) => {
    const name = (key) => document.querySelector(`[data-box="${key}"] .name`).textContent;
    return all.map((edge) => `${name(edge.dataset.from)} ${edge.querySelector('.label').textContent} ${name(edge.dataset.to)}`).sort();
  });
}

const inStuck = { file: 'main.rs', line: lineOf('BP: stuck') };

scenario('the graph of a deadlock shows the circle, its evidence and its code', async (page, rows) => {
  const [waitsLabel, waitsCount] = [lineOf('waits: label'), lineOf('waits: count')];
  let graph;
  await step('the circle has its boxes and edges', async () => {
    await startDebugging(page, 'Debug a stuck workshop');
    await until(() => isStoppedAt(page, inStuck.line), 'the stopped line is highlighted');
    graph = await openGraph(page, rows);
    const circle = (await linesOf(graph.locator('.box.circle'))).sort();
    assert.deepEqual(circle, [
      ['deadlock 1', 'Mutex<String>'],
      ['deadlock 1', 'Mutex<u32>'],
      ['deadlock 1', 'workshop::count_then_label', `task 2 · waiting · main.rs:${waitsLabel}`, 'lock Mutex<String>, 1st of 1 in the q…'],
      ['deadlock 1', 'workshop::label_then_count', `task 3 · waiting · main.rs:${waitsCount}`, 'lock Mutex<u32>, 1st of 1 in the queu…'],
    ]);
    assert.deepEqual(await circleEdges(graph), [
      'Mutex<String> held by workshop::label_then_count',
      'Mutex<u32> held by workshop::count_then_label',
      'workshop::count_then_label waits for Mutex<String>',
      'workshop::label_then_count waits for Mutex<u32>',
    ]);
    assert.deepEqual((await linesOf(graph.locator('.box.merged'))).map(([name]) => name), ['3 × workshop::sleeper']);
    assert.equal(await graph.locator('.box').count(), 6);
  });

  await picture(page, 'task-graph');

  await step('the legend has the evidence, and shows the circle alone', async () => {
    const evidence = graph.locator('#legend button');
    assert.match(await evidence.innerText(), /^deadlock 1 2 tasks wait for each other: task 2 workshop::count_then_label holds Mutex<u32>/);
    await until(async () => {
      if ((await evidence.getAttribute('aria-pressed')) !== 'true') {
        await evidence.click({ timeout: 2000 });
      }
      return (await graph.locator('.box.chosen').count()) === 4;
    }, 'the circle is chosen');
    await evidence.click();
  });

  await step('a click shows the code, keys do, too', async () => {
    const box = (task) => graph.locator(`[data-box="task:${task}"]`);
    await until(async () => {
      await box(3).click({ timeout: 2000 });
      await until(() => isCursorAt(page, waitsCount), 'the editor shows where the task waits', 3000);
      return true;
    }, 'a click shows the code');
    assert.ok(await graph.locator('#scene').isVisible(), 'the graph stays beside the code');
    await until(async () => {
      await box(2).focus({ timeout: 2000 });
      await page.keyboard.press('Enter');
      await until(() => isCursorAt(page, waitsLabel), 'the editor shows where the task waits', 3000);
      return true;
    }, 'Enter shows the code');
    const said = await box(2).getAttribute('aria-label');
    assert.match(said, /^task 2 workshop::count_then_label, waiting · main\.rs:\d+, .*deadlock 1, waits for Mutex<String> 0x[0-9a-f]+ \[deadlock 1\], holds Mutex<u32> 0x[0-9a-f]+ \[deadlock 1\]$/);
  });

  await step('a merged box opens into its members', async () => {
    await until(async () => {
      if ((await graph.locator('.box.merged').count()) > 0) {
        await graph.locator('.box.merged').click({ timeout: 2000 });
      }
      return (await graph.locator('.box').count()) === 8;
    }, 'three boxes stand for the one');
  });

  await step('the graph is saved as text', async () => {
    const file = path.join(folder, 'task-graph.txt');
    rmSync(file, { force: true });
    const input = page.locator('.quick-input-widget input');
    await until(async () => {
      if (!(await input.isVisible())) {
        await graph.locator('#saveText').click({ timeout: 2000 });
      }
      await until(async () => (await input.inputValue()) === file, 'the file is proposed', 5000);
      await page.keyboard.press('Enter');
      await until(() => readFileSync(file, 'utf8') !== '', 'the file is there', 5000);
      return true;
    }, 'the file is written');
    const text = readFileSync(file, 'utf8').replace(/0x[0-9a-f]+/g, '0x…').split('\n\n');
    rmSync(file);
    assert.equal(text[0], 'Task graph: 6 tasks in 6 boxes, 2 resources');
    assert.match(text[1], /^deadlock 1: 2 tasks wait for each other: /);
    assert.equal(text[3], [
      'task 2 workshop::count_then_label [deadlock 1]',
      `  waiting · main.rs:${waitsLabel}`,
      '  lock Mutex<String>, 1st of 1 in the queue, held by task 3',
      '  waits for Mutex<String> 0x… [deadlock 1]',
      '  holds Mutex<u32> 0x… [deadlock 1]',
    ].join('\n'));
  });

  await step('the picture is greyed while the program runs, and gone with the session', async () => {
    await debugButton(page, 'Continue').click();
    await until(async () => (await graph.locator('body.past').count()) === 1, 'the picture is greyed');
    await until(async () => (await graph.locator('#status').innerText()).includes('this is the last picture'), 'the page says that the program runs');
    assert.equal(await graph.locator('.box').count(), 8);
  });

  await stopAndLook(page);
  await until(async () => (await graph.locator('#status').innerText()).startsWith('No session.'), 'the page says that there is no session');
  assert.equal(await graph.locator('.box').count(), 0);
}, inStuck);

scenario('a Python program has the same graph', async (page, rows) => {
  const waits = lineOfStuck('# waits');
  await startDebugging(page, 'Debug stuck');
  await until(() => isStoppedAt(page, lineOfStuck('BP: stuck')), 'the stopped line is highlighted');
  const graph = await openGraph(page, rows);
  const circle = (await linesOf(graph.locator('.box.circle'))).map((lines) => lines.slice(0, 3)).sort();
  assert.deepEqual(circle, [
    ['deadlock 1', 'Lock'],
    ['deadlock 1', 'Lock'],
    ['deadlock 1', 'ann', `task 2 · waiting · stuck.py:${waits}`],
    ['deadlock 1', 'ben', `task 3 · waiting · stuck.py:${waits}`],
  ]);
  assert.deepEqual(await circleEdges(graph), ['Lock held by ann', 'Lock held by ben', 'ann waits for Lock', 'ben waits for Lock']);
  await until(async () => {
    await graph.locator('[data-box="task:2"]').click({ timeout: 2000 });
    await until(() => isCursorAt(page, waits), 'the editor shows where the task waits', 3000);
    return true;
  }, 'a click shows the code');
  await debugButton(page, 'Stop').click();
  await debugButton(page, 'Stop').waitFor({ state: 'detached' });
}, { file: 'stuck.py', line: lineOfStuck('BP: stuck') });
