// What every file of scenarios shares: one server and one browser for the file, a fresh workbench for each test, and looks at
// the machine's processes.
import assert from 'node:assert/strict';
import { mkdirSync, readFileSync, readdirSync, readlinkSync } from 'node:fs';
import path from 'node:path';
import { after, before, test } from 'node:test';
import { debugButton, openFile, openFolder, patience, setBreakpoint, startBrowser, startServer, until } from './workbench.mjs';

const here = import.meta.dirname;

/** The folder of the server. */
let home;
const out = path.join(here, 'out');

/** The folder that scenarios open when they name no other. */
export const folder = path.join(here, 'fixture');

/** The program that the fixture builds. */
export const program = path.join(folder, 'target/debug/workshop');

/** A function that says on which line of a fixture's file a text stands, counted from 1. */
export function lineIn(file, of = folder) {
  const source = readFileSync(path.join(of, file), 'utf8').split('\n');
  return (text) => source.findIndex((line) => line.includes(text)) + 1;
}

/**
 * The scenarios of one file: `scenario(name, act, place)` opens a fresh workbench on a folder, with a file open and a breakpoint
 * in it if the place names them, and hands over the page with the rows of Async Tasks and Call Stack. A failure leaves a
 * screenshot in `out`. `trace` is the file to which the adapter writes every message.
 */
export function scenarios(name) {
  const trace = path.join(out, `${name}.log`);
  let server;
  let browser;
  before(async () => {
    mkdirSync(out, { recursive: true });
    [server, browser] = await Promise.all([startServer(process.env.WEFT_VSIX, trace), startBrowser()]);
    home = server.home;
  });
  after(async () => {
    await browser?.close();
    server?.stop();
  });
  const scenario = (title, act, { file, line, opened = folder } = {}) => {
    test(title, { timeout: 10 * patience }, async () => {
      const page = await openFolder(browser, server, opened);
      const rows = page.locator('.pane:has(.pane-header[aria-label="Async Tasks Section"]) .monaco-list-row');
      const stack = page.locator('.debug-call-stack .monaco-list-row');
      try {
        if (file !== undefined) {
          await openFile(page, file);
        }
        if (line !== undefined) {
          await setBreakpoint(page, line);
        }
        await act(page, rows, stack);
      } catch (error) {
        await page.screenshot({ path: path.join(out, `${title}.png`) });
        throw error;
      } finally {
        await page.context().close();
      }
    });
  };
  return { scenario, trace };
}

/** Stops the session of the fixture's program: neither it nor the adapter may be left. */
export async function stopAndLook(page) {
  await step('stopping leaves no process behind', async () => {
    assert.equal(running((exe) => exe === program).length, 1);
    await debugButton(page, 'Stop').click();
    await debugButton(page, 'Stop').waitFor({ state: 'detached' });
    await until(() => running((exe) => exe === program).length === 0, 'the program has ended');
    await until(() => running(isAdapter).length === 0, 'the adapter has ended');
  });
}

/** Keeps what is seen as a picture of the documentation, if this run is to make those (`npm run pictures`). */
export async function picture(page, name) {
  if (process.env.WEFT_PICTURES) {
    await page.screenshot({ path: path.join(process.env.WEFT_PICTURES, `${name}.png`) });
  }
}

/** A part of the scenario. The next one builds on it, so that the first failure ends the test. */
export async function step(name, act) {
  try {
    await act();
  } catch (error) {
    throw new Error(`${name}: ${error.message}`, { cause: error });
  }
}

/** How often a pattern occurs in a file. */
export function count(file, pattern) {
  return readFileSync(file, 'utf8').match(pattern)?.length ?? 0;
}

/** Ids of the processes whose executable is such a file. */
export function running(such) {
  return readdirSync('/proc').filter((name) => {
    try {
      return such(readlinkSync(`/proc/${name}/exe`));
    } catch {
      return false;
    }
  });
}

/** Ids of the processes that were started with such an argument. */
export function started(argument) {
  return readdirSync('/proc').filter((name) => {
    try {
      return readFileSync(`/proc/${name}/cmdline`, 'utf8').split('\0').includes(argument);
    } catch {
      return false;
    }
  });
}

/** Whether the file is the adapter inside the extension that this file's server has: others may test at the same time. */
export function isAdapter(file) {
  return home !== undefined && file.startsWith(`${home}/`) && file.endsWith('/bin/weft');
}
