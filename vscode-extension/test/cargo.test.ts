import assert from 'node:assert/strict';
import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { test } from 'node:test';
import { cargoLaunches, cargoProgram, portable, writtenLaunches } from '../src/model/cargo';

const target = (name: string, kind: string, more: object = {}) => ({ name, kind: [kind], test: true, ...more });
const shop = {
  name: 'shop',
  manifest_path: '/work/shop/Cargo.toml',
  targets: [
    target('shop', 'lib'),
    target('server', 'bin', { test: false }),
    target('client', 'bin'),
    target('tour', 'example', { test: false, 'required-features': ['demo', 'net'] }),
    target('orders', 'test'),
    target('build-script-build', 'custom-build', { test: false }),
    target('macros', 'proc-macro'),
  ],
};

test('programs, examples and tests of a package are offered, each with how it is built', () => {
  const launches = cargoLaunches({ packages: [shop] });
  assert.deepEqual(
    launches.map(({ name }) => name),
    ['Debug client', 'Debug server', 'Debug example tour', 'Debug unit tests of client', 'Debug unit tests of macros', 'Debug unit tests of shop', 'Debug test orders'],
  );
  assert.deepEqual(launches[1], {
    name: 'Debug server',
    cargo: { args: ['build', '--package=shop', '--bin=server'], filter: { name: 'server', kind: 'bin' } },
  });
  assert.deepEqual(launches[2]?.cargo.args, ['build', '--package=shop', '--example=tour', '--features=demo,net']);
  assert.deepEqual(launches[5], {
    name: 'Debug unit tests of shop',
    cargo: { args: ['test', '--no-run', '--package=shop', '--lib'], filter: { name: 'shop', kind: 'lib' } },
    cwd: '/work/shop',
  });
  assert.deepEqual(launches[6]?.cargo.args, ['test', '--no-run', '--package=shop', '--test=orders']);
});

test('of several packages it is said whose a target is, unless the name does', () => {
  const stock = { name: 'stock', manifest_path: '/work/stock/Cargo.toml', targets: [target('stock', 'bin', { test: false }), target('orders', 'test')] };
  const names = cargoLaunches({ packages: [shop, stock] }).map(({ name }) => name);
  assert.deepEqual(names.slice(0, 3), ['Debug client of shop', 'Debug server of shop', 'Debug stock']);
  assert.deepEqual(names.slice(-2), ['Debug test orders of shop', 'Debug test orders of stock']);
});

test('a library of several kinds has unit tests, and what is no metadata has nothing', () => {
  const several = { name: 'l', manifest_path: '/l/Cargo.toml', targets: [{ name: 'l', kind: ['cdylib', 'rlib'], test: true }, { name: 7 }, null] };
  const expected = {
    name: 'Debug unit tests of l',
    cargo: { args: ['test', '--no-run', '--package=l', '--lib'], filter: { name: 'l', kind: 'lib' } },
    cwd: '/l',
  };
  assert.deepEqual(cargoLaunches({ packages: [several, { name: 'broken' }, 3] }), [expected]);
  for (const kind of ['lib', 'rlib', 'dylib', 'cdylib', 'staticlib', 'proc-macro']) {
    const one = { name: 'l', manifest_path: '/l/Cargo.toml', targets: [target('l', kind)] };
    assert.deepEqual(cargoLaunches({ packages: [one] }), [expected]);
  }
  for (const nothing of [undefined, null, 'x', {}, { packages: 'x' }]) {
    assert.deepEqual(cargoLaunches(nothing), []);
  }
});

test('a new launch.json gets a few programs, or else what there is', () => {
  const names = (packages: readonly object[]) => writtenLaunches(cargoLaunches({ packages })).map(({ name }) => name);
  assert.deepEqual(names([shop]), ['Debug client', 'Debug server']);
  assert.deepEqual(names([{ ...shop, targets: [target('shop', 'lib')] }]), ['Debug unit tests of shop']);
  const many = Array.from({ length: 30 }, (_, at) => target(`b${at}`, 'bin'));
  assert.equal(names([{ ...shop, targets: many }]).length, 10);
});

test('a folder inside of the workspace is written as any machine has it', () => {
  const launch = { name: '', cargo: { args: [], filter: { name: '', kind: '' } } };
  const cwd = (folder: string, inside: string) => portable({ ...launch, cwd: inside }, folder).cwd;
  assert.equal(cwd('/work', '/work'), '${workspaceFolder}');
  assert.equal(cwd('/work', '/work/a/b'), '${workspaceFolder}/a/b');
  assert.equal(cwd('/work', '/work/..a'), '${workspaceFolder}/..a');
  assert.equal(cwd('/work/shop', '/work'), '/work');
  assert.equal(cwd('/work/shop', '/work/shopping'), '/work/shopping');
  assert.deepEqual(portable(launch, '/work'), launch);
});

test('cargo is looked for on the search path, then where rustup puts it', () => {
  const root = mkdtempSync(path.join(os.tmpdir(), 'weft-test-'));
  try {
    const put = (name: string): string => {
      const file = path.join(root, name);
      mkdirSync(path.dirname(file), { recursive: true });
      writeFileSync(file, '');
      chmodSync(file, 0o755);
      return file;
    };
    assert.equal(cargoProgram({ PATH: `${root}/bin`, HOME: root }), 'cargo');
    const rustups = put('.cargo/bin/cargo');
    assert.equal(cargoProgram({ PATH: `${root}/bin:.`, HOME: root }), rustups);
    assert.equal(cargoProgram({ HOME: '/nowhere', CARGO_HOME: path.join(root, '.cargo') }), rustups);
    const onPath = put('bin/cargo');
    assert.equal(cargoProgram({ PATH: `${root}/bin`, HOME: root }), onPath);
  } finally {
    rmSync(root, { recursive: true, force: true });
  }
});
