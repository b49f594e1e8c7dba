import assert from 'node:assert/strict';
import { test } from 'node:test';
import { treeText } from '../src/model/treeText';
import type { Task } from '../src/model/protocol';

const body = { generation: 1, total: 2, matched: 2, runtimes: [], tasks: [], problems: [], notes: [] };

test('the text is that of `weft tasks`', () => {
  const tasks: Task[] = [
    { id: 1, runtime: 1, name: 'app::main', kind: 'root', state: 'waiting', waitingOn: { kind: 'join', text: 'task 2', holders: [], tasks: [2] }, awaitedBy: [], location: { source: { path: '/src/main.rs' }, line: 9 } },
    { id: 2, runtime: 1, name: 'app::serve', kind: 'task', state: 'running', osThread: 8, awaitedBy: [{ task: 1, via: 'join' }] },
    { id: 3, runtime: 7, name: '', kind: 'task', awaitedBy: [], error: 'cut off' },
  ];
  const text = treeText({
    ...body,
    runtimes: [{ id: 1, kind: 'tokio-multi-thread', taskCount: 2, threads: 2 }],
    tasks,
    problems: [{ kind: 'deadlock', severity: 'error', text: 'a task waits for itself', tasks: [1], resources: [] }],
    notes: ['one thing could not be seen'],
  });
  assert.equal(
    text,
    'tokio-multi-thread, 2 tasks, 2 threads\n   1 app::main (root) waiting: task 2 at main.rs:9\n     2 app::serve running on thread 8\n' +
      '   3 task 3 ?: cut off\ndeadlock: a task waits for itself\nnote: one thing could not be seen\n',
  );
});

test('a circle is there once, and a long chain does not end the walk', () => {
  const chain = Array.from({ length: 50_000 }, (_, id): Task => ({ id, name: 'f', kind: 'task', state: 'waiting', awaitedBy: [{ task: (id + 1) % 50_000, via: 'join' }] }));
  assert.equal(treeText({ ...body, tasks: chain }).split('\n').length, 50_001);
});
