import assert from 'node:assert/strict';
import { chmodSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, test } from 'node:test';
import { findAdapter, versionAdvice } from '../src/model/adapter';
import { adapterEnd } from '../src/model/adapterEnd';
import { hasDebugInformation } from '../src/model/elf';
import { attachTo, listProcesses } from '../src/model/processes';
import { SessionLog } from '../src/model/sessionLog';

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
  assert.deepEqual(findAdapter(places()), { program: onPath, from: 'path' });
  const set = file('opt/weft');
  assert.deepEqual(findAdapter(places(set)), { program: set, from: 'setting' });
  const bundled = file('ext/bin/weft');
  assert.deepEqual(findAdapter(places(set)), { program: bundled, from: 'extension' });
});

test('a candidate that cannot be executed is passed over', () => {
  file('ext/bin/weft', 0o644);
  file('one/weft', 0o644);
  const set = file('opt/weft');
  assert.deepEqual(findAdapter(places(set)), { program: set, from: 'setting' });
  mkdirSync(path.join(root, 'folder'));
  const found = findAdapter(places(path.join(root, 'folder')));
  assert.match('missing' in found ? found.missing : '', /bin\/weft \(in the extension\) is not executable; .*folder \(weft\.adapterPath\) is not a file; there is no weft on PATH/);
  assert.equal('fix' in found && found.fix, `Make it executable: chmod +x '${root}/ext/bin/weft'.`);
});

test('what is missing is said, and a relative setting is refused', () => {
  const found = findAdapter(places('bin/weft'));
  assert.equal(
    'missing' in found && found.missing,
    `The weft debug adapter was not found: ${root}/ext/bin/weft (in the extension) does not exist; bin/weft (weft.adapterPath) is not an absolute path; there is no weft on PATH.`,
  );
  assert.match('fix' in found ? found.fix : '', /cargo install --path adapter.*weft\.adapterPath/);
});

/** A process of the made-up procfs, with what it executes. */
function made(pid: number, command: string, executable?: string, status = 'TracerPid:\t0\n'): void {
  file(`${pid}/cmdline`, 0o644, command);
  file(`${pid}/comm`, 0o644, `${path.basename(command.split('\0')[0] ?? '')}\n`);
  file(`${pid}/status`, 0o644, status);
  if (executable !== undefined) {
    symlinkSync(executable, path.join(root, String(pid), 'exe'));
  }
}

/** An ELF file that has a header, and sections of these names. */
function elf(name: string, ...sections: string[]): string {
  const names = Buffer.from(`\0${sections.join('\0')}\0`);
  const header = Buffer.alloc(64);
  header.writeUInt32BE(0x7f454c46, 0);
  header.set([2, 1], 4);
  header.writeBigUInt64LE(64n, 40);
  header.writeUInt16LE(1, 60);
  const section = Buffer.alloc(64);
  section.writeBigUInt64LE(128n, 24);
  section.writeBigUInt64LE(BigInt(names.length), 32);
  const full = file(name);
  writeFileSync(full, Buffer.concat([header, section, names]));
  return full;
}

test('debug information is told by the names of sections', () => {
  assert.equal(hasDebugInformation(elf('a', '.text', '.debug_info')), true);
  assert.equal(hasDebugInformation(elf('b', '.text', '.debug_line')), false);
  assert.deepEqual([hasDebugInformation(file('c', 0o755, '#!/bin/sh')), hasDebugInformation(path.join(root, 'none'))], [undefined, undefined]);
  const torn = elf('d', '.debug_info');
  writeFileSync(torn, readFileSync(torn).subarray(0, 130));
  assert.equal(hasDebugInformation(torn), undefined);
});

test('processes: those that can be looked into come first, the newest before the others', () => {
  const [shown, bare] = [elf('opt/server', '.debug_info'), elf('opt/bare', '.text')];
  made(12, '/opt/server\0--port\x0080\0', shown);
  made(30, 'python3\0app.py\0', '/usr/bin/python3.13');
  made(300, 'cli\0', bare);
  made(301, '/opt/server\0', shown, 'TracerPid:\t7\n');
  made(302, 'secret\0');
  made(303, 'odd\0', file('opt/odd', 0o755, 'no ELF'));
  file('2/cmdline', 0o644, '');
  file('2/comm', 0o644, 'kthreadd\n');
  file('self/cmdline', 0o644, 'cli\0');
  mkdirSync(path.join(root, '77'));
  const all = listProcesses(0, root);
  assert.deepEqual(all, [
    { pid: 30, name: 'python3', command: 'python3 app.py', runtime: 'python' },
    { pid: 12, name: 'server', command: '/opt/server --port 80', runtime: 'native' },
    { pid: 303, name: 'odd', command: 'odd', runtime: 'native', why: 'whether it has debug information is not known' },
    { pid: 302, name: 'secret', command: 'secret', runtime: 'native', why: 'may not be looked into' },
    { pid: 301, name: 'server', command: '/opt/server', runtime: 'native', why: 'has a debugger already' },
    { pid: 300, name: 'cli', command: 'cli', runtime: 'native', why: 'no debug information in its file' },
  ]);
  assert.deepEqual(all.slice(0, 2).map(attachTo), [
    { name: 'Attach to python3 (30)', runtime: 'python', processId: 30 },
    { name: 'Attach to server (12)', runtime: 'native', pid: 12 },
  ]);
  const mine = process.getuid?.() ?? 0;
  assert.equal(listProcesses(mine + 1, root).length, 0);
});

test('a version that is another one is told, with what to do by where it was found', () => {
  const found = (from: 'extension' | 'setting' | 'path') => versionAdvice('weft 0.2.0\n', '0.3.0', { program: '/x/weft', from });
  assert.equal(versionAdvice('weft 0.3.0\n', '0.3.0', { program: '/x/weft', from: 'path' }), undefined);
  assert.equal(found('extension'), 'The debug adapter /x/weft is version 0.2.0, and this extension is 0.3.0. Install the extension again: the file in it was replaced.');
  assert.match(found('setting') ?? '', /Set "weft\.adapterPath" to an adapter of version 0\.3\.0/);
  assert.match(found('path') ?? '', /found on PATH: install version 0\.3\.0/);
  assert.match(versionAdvice('Python 3', '0.3.0', { program: '/x/weft', from: 'path' }) ?? '', /^\/x\/weft does not say that it is weft/);
});

test('how an adapter ended is told with its last words and the fix', () => {
  const end = (stage: 'starting' | 'running' | 'ending', code: number | undefined, said = '') => adapterEnd({ program: '/x/weft', stage, code, said });
  assert.equal(end('ending', 1), undefined);
  assert.equal(
    end('running', undefined, 'one\n\nthread panicked\n'),
    'The weft debug adapter was killed by a signal in the middle of the session. The last that it said: one / thread panicked Start the session again; a program that weft had launched has ended with it.',
  );
  assert.equal(end('starting', 0), 'The weft debug adapter ended with exit code 0 before it could start the session. It said nothing.');
  assert.match(end('starting', 1, "weft: libc.so.6: version `GLIBC_2.39' not found") ?? '', /C library is older.*cargo install --path adapter/);
  assert.match(end('starting', 126, 'sh: 1: exec: /x/weft: Exec format error') ?? '', /not a program for this machine/);
  assert.match(end('starting', 126, 'sh: 1: exec: /x/weft: Permission denied') ?? '', /chmod \+x '\/x\/weft'/);
  const many = end('running', 101, Array.from({ length: 9 }, (_, index) => `line ${index}`).join('\n')) ?? '';
  assert.ok(many.includes('line 4 /') && !many.includes('line 3'));
});

test('the log keeps what happened, and does not grow without end', () => {
  const log = new SessionLog(path.join(root, 'log'));
  const said = log.fileOf('adapter-1') ?? '';
  writeFileSync(said, `${'x'.repeat(20_000)}\nlast\n`);
  assert.ok(log.take(said).endsWith('x\nlast\n') && !existsSync(said));
  log.note('ended');
  assert.match(readFileSync(log.file, 'utf8'), /it said:\nx+\nlast\n.*Z ended\n$/s);
  for (let at = 0; at < 40; at += 1) {
    log.note('y'.repeat(10_000));
  }
  const sizes = ['weft.log', 'weft.old.log'].map((name) => statSync(path.join(root, 'log', name)).size);
  assert.ok(sizes.every((size) => size > 0 && size < 300_000), String(sizes));
  writeFileSync(path.join(root, 'file'), '');
  const nowhere = new SessionLog(path.join(root, 'file/log'));
  nowhere.note('held up by nothing');
  assert.deepEqual([nowhere.fileOf('x'), nowhere.take('/nowhere')], [undefined, '']);
});
