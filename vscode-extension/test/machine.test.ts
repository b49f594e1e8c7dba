import assert from 'node:assert/strict';
import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, test } from 'node:test';
import { findAdapter } from '../src/model/adapter';
import { listProcesses } from '../src/model/processes';

let root: string;

beforeEach(() => {
  root = mkdtempSync(path.join(os.tmpdir(), 'weft-test-'));
});

afterEach(() => {
  rmSync(root, { recursive: true, force: true });
});

function file(name: string, mode = 0o755, text = ''): string {
  const full = path.join(root, name);
  mkdirSync(path.dirname(full), { recursive: true });
  writeFileSync(full, text);
  chmodSync(full, mode);
  return full;
}

const places = (setting = '') => ({ extension: path.join(root, 'ext'), setting, path: `:relative:${root}/one:${root}/two` });

test('the adapter: the extension first, then the setting, then PATH', () => {
  const onPath = file('two/weft');
  assert.deepEqual(findAdapter(places()), { program: onPath });
  const set = file('opt/weft');
  assert.deepEqual(findAdapter(places(set)), { program: set });
  const bundled = file('ext/bin/weft');
  assert.deepEqual(findAdapter(places(set)), { program: bundled });
});

test('a candidate that cannot be executed is passed over', () => {
  file('ext/bin/weft', 0o644);
  file('one/weft', 0o644);
  const set = file('opt/weft');
  assert.deepEqual(findAdapter(places(set)), { program: set });
  mkdirSync(path.join(root, 'folder'));
  const found = findAdapter(places(path.join(root, 'folder')));
  assert.match('missing' in found ? found.missing : '', /bin\/weft \(in the extension\) is not executable; .*folder \(weft\.adapterPath\) is not a file; there is no weft on PATH/);
});

test('what is missing is said, and a relative setting is refused', () => {
  const found = findAdapter(places('bin/weft'));
  assert.equal(
    'missing' in found && found.missing,
    `The weft debug adapter was not found: ${root}/ext/bin/weft (in the extension) does not exist; bin/weft (weft.adapterPath) is not an absolute path; there is no weft on PATH.`,
  );
});

test('processes: those with a command line, the newest first', () => {
  file('12/cmdline', 0o644, '/bin/server\0--port\x0080\0');
  file('12/comm', 0o644, 'server\n');
  file('300/cmdline', 0o644, 'cli\0');
  file('300/comm', 0o644, 'cli\n');
  file('2/cmdline', 0o644, '');
  file('2/comm', 0o644, 'kthreadd\n');
  file('self/cmdline', 0o644, 'cli\0');
  mkdirSync(path.join(root, '77'));
  assert.deepEqual(listProcesses(0, root), [
    { pid: 300, name: 'cli', command: 'cli' },
    { pid: 12, name: 'server', command: '/bin/server --port 80' },
  ]);
  const mine = process.getuid?.() ?? 0;
  assert.equal(listProcesses(mine + 1, root).length, 0);
});
