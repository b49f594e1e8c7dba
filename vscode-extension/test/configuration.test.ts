import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import { completed, pythonFile, runtimeOf } from '../src/model/configuration';

test('cwd is the workspace folder, and relative paths begin there', () => {
  assert.deepEqual(completed({ request: 'launch', program: 'target/debug/server', envFile: '.env', args: ['a/b'] }, '/shop'), {
    request: 'launch',
    program: '/shop/target/debug/server',
    envFile: '/shop/.env',
    cwd: '/shop',
    args: ['a/b'],
  });
  assert.deepEqual(completed({ request: 'launch', program: '/bin/server', cwd: 'sub' }, '/shop'), { request: 'launch', program: '/bin/server', cwd: '/shop/sub' });
});

test('what cargo has built is where it is', () => {
  const given = { request: 'launch', program: '${cargo:program}', cargo: { args: ['build'] }, cwd: '.' };
  assert.deepEqual(completed(given, '/shop'), { ...given, cwd: '/shop' });
});

test('an attach gets no cwd, and without a folder nothing changes', () => {
  assert.deepEqual(completed({ request: 'attach', pid: 7 }, '/shop'), { request: 'attach', pid: 7 });
  assert.deepEqual(completed({ request: 'launch', program: 'server' }, undefined), { request: 'launch', program: 'server' });
});

test('the runtime is what is said, else what the attributes mean', () => {
  const cases: readonly (readonly [Record<string, unknown>, string])[] = [
    [{ program: '/shop/target/debug/server' }, 'native'],
    [{ program: '/shop/main.py' }, 'python'],
    [{ module: 'shop' }, 'python'],
    [{ code: 'print()' }, 'python'],
    [{ connect: { port: 1 } }, 'python'],
    [{ listen: { port: 1 } }, 'python'],
    [{ processId: 7 }, 'python'],
    [{ pid: 7 }, 'native'],
    [{ program: '/shop/main.py', runtime: 'native' }, 'native'],
    [{ program: '/shop/run', runtime: 'python' }, 'python'],
    [{ module: null, program: '/shop/run' }, 'native'],
  ];
  assert.deepEqual(cases.map(([given]) => runtimeOf(given)), cases.map(([, expected]) => expected));
});

test('a Python file is started in a terminal, where it can read', () => {
  assert.deepEqual(pythonFile('/shop/main.py'), { runtime: 'python', name: 'Debug main.py', program: '/shop/main.py', console: 'integratedTerminal' });
});

interface Attributes {
  readonly properties: Readonly<Record<string, unknown>>;
}

interface Manifest {
  readonly version: string;
  readonly contributes: {
    readonly commands: readonly { readonly command: string }[];
    readonly menus: Readonly<Record<string, readonly { readonly command: string }[]>>;
    readonly debuggers: readonly {
      readonly configurationAttributes: { readonly launch: Attributes; readonly attach: Attributes };
      readonly configurationSnippets: readonly { readonly label: string; readonly body: Readonly<Record<string, unknown>> }[];
    }[];
  };
}

// The tests are bundled into dist/test.
const root = path.join(__dirname, '../..');
const manifest = JSON.parse(readFileSync(path.join(root, 'package.json'), 'utf8')) as Manifest;

test('a snippet uses only attributes that are offered', () => {
  const [debug] = manifest.contributes.debuggers;
  assert.equal(debug?.configurationSnippets.length, 13);
  for (const { label, body } of debug.configurationSnippets) {
    const { type, request, name, ...rest } = body;
    assert.deepEqual([type, typeof name], ['weft', 'string'], label);
    assert.ok(request === 'launch' || request === 'attach', label);
    const known: readonly string[] = Object.keys(debug.configurationAttributes[request].properties);
    assert.deepEqual(Object.keys(rest).filter((attribute) => !known.includes(attribute)), [], label);
  }
});

test('how a program is treated can be said of a launch and of an attach alike', () => {
  const [debug] = manifest.contributes.debuggers;
  assert.ok(debug);
  const { launch, attach } = debug.configurationAttributes;
  for (const name of ['signals', 'followForks', 'stepIntoRuntime', 'pinThreads', 'debugDirectories', 'sourceMap', 'async', 'stopOnEntry', 'runtime', 'justMyCode', 'subProcess', 'pathMappings', 'asyncio']) {
    assert.ok(launch.properties[name], `launch lacks ${name}`);
    assert.deepEqual(name === 'stopOnEntry' || attach.properties[name], name === 'stopOnEntry' || launch.properties[name], name);
    assert.ok(attach.properties[name], `attach lacks ${name}`);
  }
  assert.ok(launch.properties['console'] && attach.properties['coreFile'] && !attach.properties['console']);
});

test('menus name commands that exist, and the version is that of the adapter', () => {
  const commands = manifest.contributes.commands.map(({ command }) => command);
  const used = Object.values(manifest.contributes.menus).flatMap((items) => items.map(({ command }) => command));
  assert.deepEqual(used.filter((command) => !commands.includes(command)), []);
  const workspace = readFileSync(path.join(root, '../Cargo.toml'), 'utf8');
  assert.equal(/\[workspace\.package\]\nversion = "([^"]+)"/.exec(workspace)?.[1], manifest.version);
});
