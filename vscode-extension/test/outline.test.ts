import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Runtime, Task, TaskFilter, TasksBody } from '../src/model/protocol';
import { outline, rowsBelow, taskRows, topRows, uncounted, type Grouping, type Outline } from '../src/model/outline';
import type { Row } from '../src/model/rows';
import { initial, pageSize, queryKey, type Part, type SessionState } from '../src/model/store';

function task(id: number, more: Partial<Task> = {}): Task {
  return { id, name: `shop::order${id}`, kind: 'task', state: 'waiting', runtime: 0, awaitedBy: [], ...more };
}

function snapshotOf(tasks: readonly Task[], more: Partial<TasksBody> = {}): TasksBody {
  return { generation: 1, total: tasks.length, matched: tasks.length, runtimes: [], tasks, problems: [], notes: [], ...more };
}

function stateOf(snapshot: TasksBody, parts: readonly (readonly [TaskFilter, number])[] = []): SessionState {
  const known = parts.map(([filter, matched]): [string, Part] => [queryKey({ filter, start: 0, count: 0 }), { tasks: [], matched }]);
  return { ...initial, run: 'stopped', snapshot, parts: new Map(known) };
}

/** The rows below one that need no request. */
function below(from: Outline, row: Row): readonly Row[] {
  const rows = rowsBelow(from, row);
  return Array.isArray(rows) ? (rows as readonly Row[]) : [];
}

/** The tree as indented lines with descriptions of groups, every row opened, frames left out. */
function lines(snapshot: TasksBody, grouping: Grouping, parts: readonly (readonly [TaskFilter, number])[] = []): string[] {
  const from = outline(snapshot, {}, grouping);
  const walk = (rows: readonly Row[], indent: string): string[] =>
    rows.flatMap((row) => (row.kind === 'stack' ? [] : [indent + row.label + (row.kind === 'group' && row.description !== '' ? ` (${row.description})` : ''), ...walk(below(from, row), `${indent}  `)]));
  return walk(topRows(stateOf(snapshot, parts), from), '');
}

const two: readonly Runtime[] = [
  { id: 0, kind: 'tokio-multi-thread', taskCount: 2 },
  { id: 1, kind: 'tokio-local-set', name: 'ui' },
];

test('one runtime makes no group; several are groups and lose no task', () => {
  assert.deepEqual(lines(snapshotOf([task(1), task(2)], { runtimes: two }), 'runtime'), ['shop::order1', 'shop::order2']);
  const mixed = snapshotOf([task(1), task(2, { runtime: 1 }), task(3), task(4, { runtime: 9 })], { runtimes: two });
  assert.deepEqual(lines(mixed, 'runtime'), ['tokio-multi-thread (2 tasks)', '  shop::order1', '  shop::order3', 'ui (tokio-local-set · 1 task)', '  shop::order2', 'shop::order4']);
  assert.deepEqual(lines(mixed, 'none'), ['shop::order1', 'shop::order2', 'shop::order3', 'shop::order4']);
});

test('states are groups in the order of a life, and a task of no known state is not lost', () => {
  const { state, ...unknown } = task(4);
  assert.equal(state, 'waiting');
  const tasks = [task(1), task(2, { state: 'running' }), task(3), unknown];
  assert.deepEqual(lines(snapshotOf(tasks), 'state'), ['running (1 task)', '  shop::order2', 'waiting (2 tasks)', '  shop::order1', '  shop::order3', 'shop::order4']);
  assert.deepEqual(lines(snapshotOf([unknown]), 'state'), ['shop::order4']);
});

test('entry functions are told by their place, and by their name where all its tasks have one', () => {
  const entry = { source: { name: 'shop.py', path: '/shop.py' }, line: 7 };
  const tasks = [task(1, { name: 'a', entry }), task(2, { name: 'x::f' }), task(3, { name: 'b', entry }), task(4, { name: 'x::g', entry: { ...entry, line: 9 } })];
  assert.deepEqual(lines(snapshotOf(tasks), 'entry'), ['shop.py:7 (2 tasks)', '  a', '  b', 'x::f (1 task)', '  x::f', 'x::g (shop.py:9 · 1 task)', '  x::g']);
});

test('a task stands below who awaits it, else below who spawned it', () => {
  const tasks = [task(1), task(2, { awaitedBy: [{ task: 1, via: 'join' }], spawnedBy: 3 }), task(3, { spawnedBy: 1 }), task(4, { spawnedBy: 77 })];
  assert.deepEqual(lines(snapshotOf(tasks), 'tree'), ['shop::order1', '  shop::order2', '  shop::order3', 'shop::order4']);
  const from = outline(snapshotOf(tasks), {}, 'tree');
  const [first] = topRows(stateOf(from.snapshot), from);
  assert.deepEqual(first && below(from, first).map((row) => row.kind), ['task', 'task', 'stack']);
});

test('every task is in the tree exactly once, whatever awaits what', () => {
  const awaitedBy = (...ids: number[]): Partial<Task> => ({ awaitedBy: ids.map((id) => ({ task: id, via: 'join' })) });
  const tasks = [task(5, awaitedBy(2)), task(1, awaitedBy(3)), task(2, awaitedBy(1)), task(3, awaitedBy(2)), task(4, awaitedBy(4)), task(6, awaitedBy(99, 1))];
  assert.deepEqual(lines(snapshotOf(tasks), 'tree'), ['shop::order1', '  shop::order2', '    shop::order5', '    shop::order3', '  shop::order6', 'shop::order4']);
});

test('a problem leads to its tasks, also to those that are not listed', () => {
  const problems = [{ kind: 'deadlock', severity: 'error', text: 'stuck', tasks: [2, 8], resources: [] }];
  assert.deepEqual(lines(snapshotOf([task(2)], { problems }), 'none'), ['stuck', '  shop::order2', '  task 8', 'shop::order2']);
});

test('of more than a page each level has ranges, made of what is listed or to be asked for', () => {
  const tasks = Array.from({ length: pageSize }, (_, id) => task(id));
  const from = outline(snapshotOf(tasks, { total: 2500, matched: 2500 }), {}, 'none');
  const rows = topRows(stateOf(from.snapshot), from);
  assert.deepEqual(rows.map((row) => row.label), ['Tasks 1 to 1000', 'Tasks 1001 to 2000', 'Tasks 2001 to 2500']);
  assert.deepEqual(rows.map((row) => row.kind === 'group' && row.open), [true, false, false]);
  assert.deepEqual(rows.map((row) => rowsBelow(from, row)).slice(1), [
    { filter: {}, start: 1000, count: 1000 },
    { filter: {}, start: 2000, count: 500 },
  ]);
  assert.equal(rows[0] && below(from, rows[0]).length, 1000);
});

test('groups of tasks that are not all listed are counted and filled by the adapter', () => {
  const snapshot = snapshotOf([task(1)], { total: 2500, matched: 2500, runtimes: two });
  const filter: TaskFilter = { text: 'order', states: ['waiting', 'ready'] };
  const from = outline(snapshot, filter, 'state');
  const asked = uncounted(from);
  assert.deepEqual(asked, [
    { filter: { text: 'order', states: ['ready'] }, start: 0, count: 0 },
    { filter: { text: 'order', states: ['waiting'] }, start: 0, count: 0 },
  ]);
  const rows = topRows(stateOf(snapshot, [[{ text: 'order', states: ['waiting'] }, 2400]]), from);
  assert.deepEqual(rows.map((row) => [row.label, row.description]), [['waiting', '2400 tasks']]);
  const [group] = rows;
  const ranges = group ? below(from, group) : [];
  assert.deepEqual(ranges.map((row) => row.label), ['Tasks 1 to 1000', 'Tasks 1001 to 2000', 'Tasks 2001 to 2400']);
  assert.deepEqual(ranges[2] && rowsBelow(from, ranges[2]), { filter: { text: 'order', states: ['waiting'] }, start: 2000, count: 400 });
  assert.deepEqual(lines(snapshot, 'runtime', [[{ runtime: 0 }, 2300], [{ runtime: 1 }, 200]]).filter((line) => !line.startsWith(' ')), ['tokio-multi-thread (2300 tasks)', 'ui (tokio-local-set · 200 tasks)']);
});

test('keys are unique in the whole tree, and last from one snapshot to the next', () => {
  const problems = [{ kind: 'deadlock', severity: 'error', text: 'stuck', tasks: [1, 2], resources: [] }];
  const tasks = Array.from({ length: 3000 }, (_, id) => task(id, { spawnedBy: id % 7 === 0 ? id - 1 : 1, runtime: id % 2 }));
  for (const grouping of ['none', 'tree', 'state', 'entry', 'runtime'] as const) {
    const keys = (generation: number): string[] => {
      const from = outline(snapshotOf(tasks, { generation, problems, runtimes: two }), {}, grouping);
      const walk = (rows: readonly Row[]): string[] => rows.flatMap((row) => [row.key, ...walk(below(from, row))]);
      return walk(topRows(stateOf(from.snapshot), from));
    };
    const first = keys(1);
    assert.equal(new Set(first).size, first.length, grouping);
    assert.equal(first.filter((key) => key.startsWith('task:') && !key.endsWith('/stack') && !key.includes('/from:')).length, 3000, grouping);
    assert.deepEqual(keys(2), first, grouping);
  }
});

test('100,000 tasks are projected in well under a second, and no level has more than a page of rows', () => {
  const many = Array.from({ length: 100_000 }, (_, id) =>
    task(id, { spawnedBy: Math.floor(id / 3), runtime: id % 2, name: `shop::order${id % 500}`, state: id % 10 === 0 ? 'ready' : 'waiting' }),
  );
  const chain = many.map((one) => ({ ...one, spawnedBy: one.id - 1 }));
  for (const [tasks, grouping] of [[many, 'none'], [many, 'state'], [many, 'entry'], [many, 'runtime'], [many, 'tree'], [chain, 'tree']] as const) {
    const snapshot = snapshotOf(tasks, { runtimes: two });
    const begin = performance.now();
    const from = outline(snapshot, {}, grouping);
    const top = topRows(stateOf(snapshot), from);
    const first = performance.now() - begin;
    // Every row, one level after the other: recursion would not bear the chain.
    let rows = 0;
    for (const todo: (readonly Row[])[] = [top]; ; ) {
      const level = todo.pop();
      if (!level) {
        break;
      }
      assert.ok(level.length <= pageSize + 1);
      rows += level.filter((row) => row.kind === 'task').length;
      todo.push(...level.map((row) => below(from, row)).filter((children) => children.length > 0));
    }
    const all = performance.now() - begin;
    assert.equal(rows, 100_000);
    assert.equal(taskRows(from, tasks.slice(0, 3)).length, 3);
    console.log(`${grouping}${tasks === chain ? ' (a chain)' : ''}: top rows ${first.toFixed(1)} ms, every row ${all.toFixed(0)} ms`);
    // A machine that does much else takes several times the usual; what grows with the square takes minutes.
    assert.ok(all < 20_000, `${grouping}: ${all} ms`);
  }
});
