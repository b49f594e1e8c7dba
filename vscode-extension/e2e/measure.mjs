// How long it takes from the F5 key to the highlighted line of the first stop, on a program that is built already:
// `WEFT_VSIX=… node measure.mjs [TIMES]`, in this folder. The adapter's part of it is told by its own trace.
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { folder, lineIn } from './scenario.mjs';
import { debugButton, openFile, openFolder, setBreakpoint, startBrowser, startServer, until } from './workbench.mjs';

const times = Number(process.argv[2] ?? 10);
const out = mkdtempSync(path.join(os.tmpdir(), 'weft-measure-'));
const trace = path.join(out, 'trace.log');
const [server, browser] = await Promise.all([startServer(process.env.WEFT_VSIX, trace), startBrowser()]);
try {
  const page = await openFolder(browser, server, folder);
  await openFile(page, 'main.rs');
  await setBreakpoint(page, lineIn('src/main.rs')('unit * order'));
  const mark = page.locator('.view-overlays .debug-top-stack-frame-line').first();
  for (let time = 0; time < times; time += 1) {
    await page.locator('.editor-instance .view-line').first().click();
    const begun = Date.now();
    await page.keyboard.press('F5');
    await mark.waitFor();
    const seen = Date.now();
    const at = (pattern) => Date.parse(readFileSync(trace, 'utf8').split('\n').find((line) => pattern.test(line))?.split(' ')[0] ?? '') - begun;
    console.log(`${seen - begun} ms: initialize at ${at(/-> 1 initialize/)}, launched at ${at(/"command":"launch","success":true/)}, stopped at ${at(/"event":"stopped"/)}, load ${os.loadavg()[0].toFixed(1)}`);
    await debugButton(page, 'Stop').click();
    await debugButton(page, 'Stop').waitFor({ state: 'detached' });
    await until(async () => (await mark.count()) === 0, 'the mark is gone');
  }
} finally {
  await browser.close();
  server.stop();
  rmSync(out, { recursive: true, force: true });
}
