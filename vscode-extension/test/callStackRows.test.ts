import assert from 'node:assert/strict';
import { test } from 'node:test';
import { stackRows, standardFrame, type Row, type StandardFrame } from '../src/model/callStackRows';
import type { Frame } from '../src/model/protocol';

const source = { name: 'main.rs', path: '/src/main.rs' };
const task = { id: 5, name: 'clerk' };
let ids = 0;

function frame(name: string, line?: number, children: readonly Frame[] = [], more: Partial<Frame> = {}): Frame {
  ids += 1;
  return { id: ids, name, kind: 'await', children, ...(line === undefined ? {} : { source, line }), ...more };
}
const leaf = (name: string, more: Partial<Frame> = {}): Frame => frame(name, undefined, [], { kind: 'leaf', ...more });
const plumbing = (name: string, children: readonly Frame[] = []): Frame => frame(name, 1, children, { subtle: true });

/** The tree as indented lines; what is folded at first in brackets. */
function lines(rows: readonly Row[], indent = ''): string[] {
  return rows.flatMap((row) => {
    const text = [row.label, row.description].filter((part) => part !== '').join(' | ');
    const open = 'rows' in row && !row.open ? `[${text}]` : text;
    return [indent + open, ...('rows' in row ? lines(row.rows, `${indent}  `) : [])];
  });
}
const keys = (rows: readonly Row[]): string[] => rows.flatMap((row) => [row.key, ...('rows' in row ? keys(row.rows) : [])]);

test('a chain is read from the inside, awaiters stand below with their own', () => {
  const main = frame('main', 41, [leaf('JoinHandle')]);
  const outer = frame('awaited by task 9 outer', undefined, [frame('outer', 3)], { kind: 'boundary', task: 9 });
  const tree = [frame('clerk', 24, [frame('price', 18)]), frame('awaited by task 1 main', undefined, [main, outer], { kind: 'boundary', task: 1 })];
  assert.deepEqual(lines(stackRows(task, tree)), [
    'price | main.rs:18',
    'clerk | main.rs:24',
    'awaited by task 1 main',
    '  JoinHandle',
    '  main | main.rs:41',
    '  awaited by task 9 outer',
    '    outer | main.rs:3',
  ]);
});

test('branches are a group, and one of several frames a group in it', () => {
  const select = frame('select!', undefined, [frame('fetch', 12, [leaf('Sleep')]), leaf('Notified')], { kind: 'branch', note: 'branches 1 and 3 of 3 are live' });
  assert.deepEqual(lines(stackRows(task, [frame('serve', 50, [select])])), [
    'select! | branches 1 and 3 of 3 are live',
    '  fetch',
    '    Sleep',
    '    fetch | main.rs:12',
    '  Notified',
    'serve | main.rs:50',
  ]);
  assert.deepEqual(lines(stackRows(task, [frame('both', 7, [leaf('a'), leaf('b')])])), ['awaits 2 futures', '  a', '  b', 'both | main.rs:7']);
});

test('frames that are not the user\'s are one row that opens', () => {
  const tree = [frame('main', 1, [plumbing('tokio::timeout', [plumbing('tokio::poll', [frame('own', 2, [plumbing('sleep', [leaf('Sleep')])])])])])];
  assert.deepEqual(lines(stackRows(task, tree)), [
    'Sleep',
    '[1 runtime frame | sleep]',
    '  sleep | main.rs:1',
    'own | main.rs:2',
    '[2 runtime frames | tokio::poll]',
    '  tokio::poll | main.rs:1',
    '  tokio::timeout | main.rs:1',
    'main | main.rs:1',
  ]);
});

test('what has no source or no name says so, and no frames are a sentence', () => {
  assert.deepEqual(lines(stackRows(task, [frame('stripped', undefined, [leaf('')], { note: 'never polled' })])), ['leaf', 'stripped | no source · never polled']);
  assert.match(stackRows(task, [])[0]?.label ?? '', /has not been polled/);
});

test('keys are unique, and stay when the stack grows inward', () => {
  const deep = (inner: readonly Frame[]): Frame[] => [frame('walk', 1, [frame('walk', 1, [frame('join!', undefined, [frame('a', 1, inner), frame('a', 1)], { kind: 'branch' })])])];
  const before = keys(stackRows(task, deep([])));
  const grown = keys(stackRows(task, deep([frame('b', 2)])));
  assert.equal(new Set(grown).size, grown.length);
  assert.deepEqual(before.filter((key) => !grown.includes(key)), []);
  assert.ok(before.includes('task:5/walk~0') && before.includes('task:5/walk~1'));
});

const row = (id: number, name: string, line: number): StandardFrame => ({ id, name, file: 'main.rs', line, isLabel: false });
const label = (name: string): StandardFrame => ({ id: 99, name, file: undefined, line: 0, isLabel: true });

test('a frame is found in the standard stack, of the right task and the right recursion', () => {
  const inner = frame('walk', 3);
  const middle = frame('walk', 3, [inner]);
  const tree = [frame('main', 9, [middle]), frame('awaited by task 1 main', undefined, [frame('walk', 3)], { kind: 'boundary', task: 1 })];
  const stack = [row(1, 'walk', 3), row(2, 'walk', 3), row(3, 'main', 9), label('task 5 main'), label('awaited by task 1 main'), row(4, 'walk', 3), row(5, 'poll', 1)];
  assert.equal(standardFrame(tree, inner, stack)?.id, 1);
  assert.equal(standardFrame(tree, middle, stack)?.id, 2);
  assert.equal(standardFrame(tree, tree[0] ?? inner, stack)?.id, 3);
  assert.equal(standardFrame(tree, tree[1]?.children[0] ?? inner, stack)?.id, 4);
});

test('of two branches in one line none is taken for the other', () => {
  const [one, two] = [frame('fetch', 4), frame('fetch', 4)];
  const tree = [frame('main', 9, [frame('join!', undefined, [one, two], { kind: 'branch' })])];
  assert.equal(standardFrame(tree, two, [row(1, 'fetch', 4), row(2, 'main', 9)]), undefined);
  assert.equal(standardFrame(tree, frame('other', 1), [row(1, 'other', 1)]), undefined);
});
