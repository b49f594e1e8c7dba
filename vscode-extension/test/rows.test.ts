import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Frame, Task, TasksBody } from '../src/model/protocol';
import { named, outline, topRows } from '../src/model/outline';
import { frameRows, message, spoken, taskDescription, taskTooltip, type Row } from '../src/model/rows';
import { initial, type SessionState } from '../src/model/store';

const main = { name: 'main.rs', path: '/home/me/src/main.rs' };

function task(id: number, more: Partial<Task> = {}): Task {
  return { id, name: `shop::order${id}`, kind: 'task', state: 'waiting', runtime: 0, awaitedBy: [], ...more };
}

function stopped(tasks: readonly Task[], more: Partial<TasksBody> = {}): SessionState {
  const snapshot = { generation: 1, total: tasks.length, matched: tasks.length, runtimes: [], tasks, problems: [], notes: [], ...more };
  return { ...initial, run: 'stopped', snapshot };
}

/** The tree as indented lines: labels of what is visible without a click. */
function visible(rows: readonly Row[], indent = ''): string[] {
  return rows.flatMap((row) => [indent + row.label, ...('rows' in row ? visible(row.rows, `${indent}  `) : [])]);
}

const top = (state: SessionState): readonly Row[] => topRows(state, state.snapshot && outline(state.snapshot, {}, 'none'));

test('problems come first, tasks under their exact names, notes last', () => {
  const problems = [{ kind: 'deadlock', severity: 'error', text: 'tasks 1 and 2 wait for each other', tasks: [1, 2], resources: [] }];
  const state = stopped([task(1), task(2, { name: '' })], { problems, notes: ['no debug information for libz'] });
  assert.deepEqual(visible(top(state)), ['tasks 1 and 2 wait for each other', 'shop::order1', 'task 2', 'no debug information for libz']);
  assert.deepEqual(top(state)[0]?.tooltip, ['tasks 1 and 2 wait for each other', 'task 1 shop::order1', 'task 2']);
});

test('200 tasks are 200 rows, and their keys are unique and last', () => {
  const many = Array.from({ length: 200 }, (_, id) => task(id));
  const keys = top(stopped(many)).map((row) => row.key);
  assert.equal(new Set(keys).size, 200);
  assert.equal(keys[7], 'task:7');
  assert.deepEqual(top(stopped(many, { generation: 2 })).map((row) => row.key), keys);
});

test('a description says state, wait, place and error', () => {
  const waitingOn = { kind: 'sleep', text: 'sleep, 2.5 s left', holders: [], tasks: [] };
  const location = { source: main, line: 42 };
  assert.equal(taskDescription(task(1, { waitingOn, location })), 'waiting · sleep, 2.5 s left · main.rs:42');
  const unread = { id: 2, name: 'f', kind: 'task', awaitedBy: [], error: 'its header cannot be read' };
  assert.equal(taskDescription(unread), 'its header cannot be read');
  assert.equal(taskDescription(task(3, { location: { source: { path: '/a/b.rs' }, line: 1 } })), 'waiting · b.rs:1');
});

test('a tooltip names the other tasks', () => {
  const waitingOn = { kind: 'mutex', text: 'lock Mutex<Db>', holders: [2, 7], tasks: [] };
  const first = task(1, { awaitedBy: [{ task: 2, via: 'join' }], spawnedBy: 9, location: { source: main, line: 5 }, waitingOn });
  const { snapshot } = stopped([first, task(2)]);
  assert.ok(snapshot);
  const { known } = outline(snapshot, {}, 'none');
  assert.deepEqual(taskTooltip(first, snapshot, (id) => named(known, id)), [
    'shop::order1',
    'Task 1, waiting',
    'Waits on: lock Mutex<Db>',
    'Held by: task 2 shop::order2',
    'Held by: task 7',
    'At: /home/me/src/main.rs:5',
    'Spawned by: task 9',
    'Awaited by: task 2 shop::order2 (join)',
  ]);
});

test('a row is spoken with its state, its wait and its place', () => {
  const [row] = top(stopped([task(1, { waitingOn: { kind: 'mutex', text: 'lock Mutex<Db>', holders: [], tasks: [] }, location: { source: main, line: 5 } })]));
  assert.equal(row && spoken(row), 'shop::order1, waiting, for lock Mutex<Db>, at main.rs line 5');
  const [unread] = top(stopped([{ id: 2, name: '', kind: 'task', awaitedBy: [], error: 'its header cannot be read' }]));
  assert.equal(unread && spoken(unread), 'task 2, state unknown, its header cannot be read');
});

const frame = (name: string, kind: Frame['kind'], children: readonly Frame[] = [], line?: number): Frame =>
  line === undefined ? { name, kind, children } : { name, kind, children, source: main, line };

test('a chain is one level; branches and awaiters are nested', () => {
  const chain = frame('serve', 'await', [frame('handle', 'await', [frame('select!', 'branch', [frame('read', 'await', [frame('Readiness', 'leaf')], 7), frame('Sleep', 'leaf')])])], 3);
  const awaiter = frame('awaited by task 1 main', 'boundary', [frame('main', 'await', [], 30)]);
  const rows = frameRows('task:4', [chain, awaiter]);
  assert.deepEqual(visible(rows), ['serve', 'handle', 'select!', '  read', '  Readiness', '  Sleep', 'awaited by task 1 main', '  main']);
  assert.deepEqual(rows.map((row) => row.description), ['main.rs:3', '', '', '']);
  const keys = (all: readonly Row[]): string[] => all.flatMap((row) => [row.key, ...('rows' in row ? keys(row.rows) : [])]);
  assert.equal(new Set(keys(rows)).size, 8);
});

test('a branch keeps even a single child below it', () => {
  assert.deepEqual(visible(frameRows('task:1', [frame('JoinSet', 'branch', [frame('fetch', 'await')])])), ['JoinSet', '  fetch']);
});

test('a task without frames says so', () => {
  assert.deepEqual(frameRows('task:1', []).map((row) => [row.kind, row.key]), [['note', 'task:1/none']]);
});

test('the line above the tree', () => {
  const many = Array.from({ length: 21 }, (_, id) => task(id, { state: id < 2 ? 'running' : 'waiting' }));
  assert.equal(message(stopped(many)), '21 tasks: 2 running, 19 waiting');
  assert.equal(message(stopped(many, { total: 9000, matched: 9000 })), '9000 tasks');
  assert.equal(message({ ...stopped(many, { total: 9000, matched: 9000 }), whole: true }), 'Reading tasks: 21 of 9000.');
  const filter = { typed: ' order1 ', ask: { text: 'order1' } };
  const filtered = { ...stopped([task(1)], { total: 9000 }), filter, applied: filter };
  assert.match(message(filtered) ?? '', /^Filter "order1": 1 of 9000 tasks\. Clear Filter/);
  const retyped = { ...filtered, filter: { typed: 'order2 ', ask: { text: 'order2' } } };
  const asked = { ticket: 0, ask: { start: 0, count: 1 }, filter };
  assert.equal(message({ ...retyped, asked }), 'Looking for "order2"…');
  assert.match(message(retyped) ?? '', /^Filter "order1": 1 of 9000 tasks\./);
  assert.equal(message(stopped(many.slice(1))), undefined);
  assert.equal(message(stopped([])), 'No async tasks.');
  assert.equal(message(initial), undefined);
  assert.match(message({ ...initial, run: 'running' }) ?? '', /is running/);
  assert.equal(message({ ...initial, run: 'stopped' }), undefined);
});

test('a refusal is a row of its own', () => {
  assert.deepEqual(visible(top({ ...initial, failure: 'pause first' })), ['pause first']);
});
