import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';

interface Schema {
  readonly type?: string | readonly string[];
  readonly description?: string;
  readonly markdownDescription?: string;
  readonly default?: unknown;
  readonly enum?: readonly unknown[];
  readonly enumDescriptions?: readonly string[];
  readonly properties?: Readonly<Record<string, Schema>>;
}

interface Manifest {
  readonly files: readonly string[];
  readonly contributes: {
    readonly configuration: { readonly properties: Readonly<Record<string, Schema>> };
    readonly debuggers: readonly [{ readonly configurationAttributes: Readonly<Record<'launch' | 'attach', { readonly properties: Readonly<Record<string, Schema>> }>> }];
    readonly walkthroughs: readonly { readonly steps: readonly { readonly media: { readonly svg: string; readonly altText: string }; readonly description: string }[] }[];
    readonly commands: readonly { readonly command: string }[];
  };
}

// The tests are bundled into dist/test.
const root = path.join(__dirname, '../..');
const manifest = JSON.parse(readFileSync(path.join(root, 'package.json'), 'utf8')) as Manifest;
const { launch, attach } = manifest.contributes.debuggers[0].configurationAttributes;
const guide = readFileSync(path.join(root, '../docs/launch.md'), 'utf8');

/** The names in the first column of the tables between a heading and the next one. */
function documented(heading: string): string[] {
  const at = guide.indexOf(`\n${heading}\n`);
  assert.ok(at >= 0, heading);
  const section = guide.slice(at + heading.length + 2).split(/\n#+ /)[0] ?? '';
  return section.split('\n').filter((line) => line.startsWith('| `')).flatMap((line) => [...(line.split('|')[1] ?? '').matchAll(/`([^`]+)`/g)].map(([, name]) => name ?? ''));
}

/** Which names of a table of docs/launch.md are keys, and which are attributes: a table's own heading says so. */
function tables(heading: string): ReadonlyMap<string, string[]> {
  const at = guide.indexOf(`\n${heading}\n`);
  const section = guide.slice(at + heading.length + 2).split(/\n#+ /)[0] ?? '';
  const found = new Map<string, string[]>();
  let title = '';
  for (const line of section.split('\n')) {
    const first = line.startsWith('|') ? (line.split('|')[1] ?? '').trim() : '';
    if (first === '') {
      title = '';
    } else if (title === '') {
      title = found.has(first) ? `${first} again` : first;
      found.set(title, []);
    } else {
      found.get(title)?.push(...[...first.matchAll(/`([^`]+)`/g)].map(([, name]) => name ?? ''));
    }
  }
  return found;
}

const sorted = (names: Iterable<string>): string[] => [...new Set(names)].sort();
const keys = (schema: Schema | undefined): string[] => sorted(Object.keys(schema?.properties ?? {}));

test('every attribute that docs/launch.md has is offered, and every one that is offered is in it', () => {
  const python = tables('## Python programs');
  const started = python.get('attribute') ?? [];
  const attached = python.get('attribute again') ?? [];
  assert.ok(started.includes('module') && attached.includes('processId'), 'the tables of Python programs');
  assert.deepEqual(sorted(Object.keys(launch.properties)), sorted([...documented('## Launch'), ...started]));
  // How a Python program is treated can be said of one that runs, too; how it is started cannot.
  const ofStart = ['program', 'module', 'code', 'python', 'pythonArgs', 'autoReload'];
  const treated = started.filter((name) => !ofStart.includes(name));
  assert.deepEqual(sorted(Object.keys(attach.properties)), sorted([...documented('## Attach'), ...treated, ...attached, 'asyncOnly']));
});

test('so it is with the keys of cargo, async and asyncio', () => {
  assert.deepEqual(keys(launch.properties['cargo']), sorted(documented('### What cargo builds')));
  assert.deepEqual(keys(launch.properties['async']), sorted(documented('## `async`')));
  assert.deepEqual(keys(launch.properties['asyncio']), sorted(tables('## Python programs').get('key of `asyncio`') ?? []));
});

/** All schemas with their names, those within others too. */
function all(name: string, schema: Schema): [string, Schema][] {
  return [[name, schema], ...Object.entries(schema.properties ?? {}).flatMap(([key, inner]) => all(`${name}.${key}`, inner))];
}

test('every attribute says what it means, of which type it is, and what each of its values does', () => {
  const schemas = [launch, attach].flatMap(({ properties }) => Object.entries(properties).flatMap(([name, schema]) => all(name, schema)));
  const settings = Object.entries(manifest.contributes.configuration.properties);
  for (const [name, schema] of [...schemas, ...settings]) {
    const said = schema.markdownDescription ?? schema.description ?? '';
    assert.match(said, /^[A-Za-z`].*[.)]$/s, `${name}: ${said}`);
    assert.ok(schema.type !== undefined || schema.enum !== undefined || 'anyOf' in schema || 'oneOf' in schema, `${name} has no type`);
    if (schema.enumDescriptions) {
      assert.equal(schema.enumDescriptions.length, schema.enum?.length, name);
    }
  }
});

test('each key of async and asyncio has a setting that is its default', () => {
  const settings = manifest.contributes.configuration.properties;
  for (const attribute of ['async', 'asyncio']) {
    const properties = launch.properties[attribute]?.properties ?? {};
    const names = Object.keys(settings).filter((name) => name.startsWith(`weft.${attribute}.`));
    assert.deepEqual(sorted(names), sorted(Object.keys(properties).map((key) => `weft.${attribute}.${key}`)));
    for (const [key, { default: expected, type, enum: values }] of Object.entries(properties)) {
      const setting = settings[`weft.${attribute}.${key}`];
      assert.deepEqual([setting?.default, setting?.type, setting?.enum], [expected, type, values], key);
    }
  }
});

test('the walkthrough shows pictures that are packed, and its buttons are commands', () => {
  const [walkthrough] = manifest.contributes.walkthroughs;
  assert.equal(walkthrough?.steps.length, 5);
  assert.ok(manifest.files.includes('media/walkthrough/**'));
  const own = manifest.contributes.commands.map(({ command }) => command);
  for (const { media, description } of walkthrough.steps) {
    assert.ok(existsSync(path.join(root, media.svg)) && media.altText.length > 20, media.svg);
    const used = [...description.matchAll(/\(command:(weft\.[A-Za-z]+)\)/g)].map(([, command]) => command ?? '');
    assert.deepEqual(used.filter((command) => !own.includes(command)), []);
  }
});
