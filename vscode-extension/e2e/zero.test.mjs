// From nothing to the first stop: a folder without a launch.json, what the compiler refuses, and one test of several.
import assert from 'node:assert/strict';
import path from 'node:path';
import { folder, isAdapter, lineIn, running, scenarios, step } from './scenario.mjs';
import { debugButton, isCursorAt, isStoppedAt, patience, until } from './workbench.mjs';

const { scenario } = scenarios('zero');
const opened = path.join(import.meta.dirname, 'fixture-cargo');
const lineOf = lineIn('src/oven.rs', opened);
// Programs of this checkout: others may test on the same machine.
const built = path.join(folder, 'target/debug/');
const bakery = (exe) => exe.startsWith(built) && path.basename(exe).startsWith('bakery');

/** Presses F5 and takes the entry that has such words, of those that are offered and returned. */
async function choose(page, words) {
  const row = page.locator('.quick-input-list .monaco-list-row');
  // The first F5 may come before the debugger is there. While one is being dealt with the key has no command: a second does nothing.
  await until(async () => {
    await page.keyboard.press('F5');
    await row.first().waitFor({ timeout: patience / 3 });
    return true;
  }, 'what there is to start is offered');
  const offered = await row.locator('.label-name').allInnerTexts();
  await until(async () => {
    await page.locator('.quick-input-widget input').fill(words, { timeout: 2000 });
    return (await row.count()) === 1;
  }, 'one entry is left');
  await page.keyboard.press('Enter');
  await row.waitFor({ state: 'hidden' });
  return offered;
}

async function stop(page) {
  await debugButton(page, 'Stop').click();
  await debugButton(page, 'Stop').waitFor({ state: 'detached' });
  await until(() => running(bakery).length === 0 && running(isAdapter).length === 0, 'nothing is left running');
}

scenario('F5 without a launch.json builds what is chosen and stops in it', async (page, rows) => {
  await step('what cargo knows is offered, and stops at the breakpoint', async () => {
    const offered = await choose(page, 'build --package=bakery --bin');
    assert.deepEqual(offered, ['Debug bakery', 'Debug example burnt', 'Debug unit tests of bakery']);
    await until(() => isStoppedAt(page, lineOf('BP: baked')), 'the stopped line is highlighted');
  });

  await step('the status bar counts the tasks, and leads to them', async () => {
    const item = page.locator('#weft\\.weft\\.weft\\.tasks, [id$="weft.tasks"]').first();
    await until(async () => (await item.innerText()).trim() === '2 tasks', 'the status bar says how many there are');
    const hasFocus = () => page.evaluate(() => Boolean(document.activeElement?.closest('.pane')?.querySelector('.pane-header[aria-label="Async Tasks Section"]')));
    await until(async () => {
      await item.click({ timeout: 2000 });
      await until(hasFocus, 'the view has the focus', 2000);
      return true;
    }, 'a click on it goes to the view');
    await until(async () => {
      const names = await rows.locator('.label-name').allInnerTexts();
      return ['bakery::main', 'bakery::oven::bake'].every((name) => names.includes(name));
    }, 'the view lists both');
  });

  await stop(page);
}, { file: 'oven.rs', line: lineOf('BP: baked'), opened });

scenario('what the compiler refuses is in Problems, and leads to its line', async (page) => {
  const refused = lineIn('examples/burnt.rs', opened)('BP: refused');
  await choose(page, 'example=burnt');
  await step('the build fails with the reason', async () => {
    const dialog = page.locator('.monaco-dialog-box');
    await dialog.waitFor();
    assert.match(await dialog.innerText(), new RegExp(`cargo build .*failed: .*examples/burnt\\.rs:${refused}: mismatched types`));
    await dialog.getByText('Cancel').click();
    await dialog.waitFor({ state: 'detached' });
  });

  await step('a click on the problem shows its line', async () => {
    const problem = page.locator('.markers-panel .monaco-list-row', { hasText: 'mismatched types' });
    await until(async () => {
      if (!(await problem.isVisible())) {
        await page.keyboard.press('Control+Shift+M');
      }
      await problem.waitFor({ timeout: 2000 });
      return true;
    }, 'the problem is listed');
    assert.match(await problem.innerText(), /mismatched types.*rustc.*E0308.*expected `u32`, found `&str`/s);
    assert.ok(!(await isCursorAt(page, refused)));
    await until(async () => {
      await problem.click({ timeout: 2000 });
      return isCursorAt(page, refused);
    }, 'the editor shows the line');
  });
  await until(() => running(isAdapter).length === 0, 'the adapter has ended');
}, { file: 'burnt.rs', opened });

scenario('the lens above a test starts that test alone', async (page) => {
  await step('it stops in the test', async () => {
    const lenses = page.locator('.codelens-decoration a', { hasText: 'Debug with weft' });
    await until(async () => (await lenses.count()) === 2, 'both tests have a lens');
    await until(async () => {
      if (!(await debugButton(page, 'Stop').isVisible())) {
        await lenses.first().click({ timeout: 2000 });
      }
      // A click that is being dealt with cannot be told from a lost one: another would begin a second session.
      await debugButton(page, 'Stop').waitFor({ timeout: patience });
      return true;
    }, 'a session begins', 3 * patience);
    await until(() => isStoppedAt(page, lineOf('BP: one tray')), 'the stopped line is highlighted');
  });

  await step('the other one does not run', async () => {
    await debugButton(page, 'Continue').click();
    await debugButton(page, 'Stop').waitFor({ state: 'detached' });
    const said = page.locator('.repl .monaco-list-row', { hasText: 'test result:' });
    await until(async () => (await said.count()) > 0, 'the test program says what it has done');
    assert.match(await said.first().innerText(), /test result: ok\. 1 passed; 0 failed; 0 ignored; 0 measured; 1 filtered out/);
  });
  await until(() => running(bakery).length === 0 && running(isAdapter).length === 0, 'nothing is left running');
}, { file: 'oven.rs', line: lineOf('BP: one tray'), opened });
