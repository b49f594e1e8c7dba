import assert from 'node:assert/strict';
import { test } from 'node:test';
import { decodeChanged, decodeStack, decodeTasks, type Frame } from '../src/model/protocol';

const source = { name: 'main.rs', path: '/src/main.rs' };

test('a whole answer is read as it is', () => {
  const task = {
    id: 3,
    threadId: 2 ** 30 + 3,
    name: 'shop::main',
    kind: 'root',
    runtime: 0,
    state: 'waiting',
    location: { source, line: 12 },
    entry: { source, line: 1 },
    spawnedAt: { source, line: 2 },
    spawnedBy: 1,
    osThread: 77,
    waitingOn: { kind: 'join', text: 'task 4', remainingMs: 250, resource: { id: 4096, type: 'JoinHandle' }, holders: [4], tasks: [4] },
    frames: 2,
    awaitedBy: [{ task: 9, via: 'join' }],
    error: 'cut off',
  };
  const body = {
    generation: 5,
    total: 10,
    matched: 1,
    runtimes: [{ id: 0, kind: 'tokio-multi-thread', name: 'io', taskCount: 10 }],
    tasks: [task],
    problems: [{ kind: 'deadlock', severity: 'error', text: 'stuck', tasks: [3], resources: [4096] }],
    notes: ['stopped for 2 ms'],
  };
  assert.deepEqual(decodeTasks({ ...body, runtimes: [{ ...body.runtimes[0], osThreads: [7, 8] }], tasks: [{ ...task, spawner: 1 }] }), {
    ...body,
    runtimes: [{ ...body.runtimes[0], threads: 2 }],
  });
});

test('what is no answer is refused', () => {
  for (const value of [undefined, null, 7, 'tasks', [], {}, { generation: 1 }, { tasks: [] }, { generation: -1, tasks: [] }, { generation: '1', tasks: [] }]) {
    assert.equal(decodeTasks(value), undefined);
  }
});

test('a bad field is left out and its task stays; a task without an id, or twice, does not', () => {
  const tasks = [{ id: 1, name: 7, state: 'sleeping', location: { source, line: -4 }, awaitedBy: 'x', waitingOn: {} }, { name: 'no id' }, null, { id: 1, name: 'again' }];
  const decoded = decodeTasks({ generation: 0, tasks, problems: [{ kind: 'deadlock' }], notes: [1, 'ok'], runtimes: {} });
  assert.deepEqual(decoded?.tasks, [{ id: 1, name: '', kind: 'task', awaitedBy: [], waitingOn: { kind: 'unknown', text: 'unknown', holders: [], tasks: [] } }]);
  assert.deepEqual([decoded.total, decoded.matched, decoded.problems, decoded.notes, decoded.runtimes], [1, 1, [], ['ok'], []]);
});

test('a stack keeps its shape', () => {
  const frames = [{ id: 1, name: 'serve', kind: 'await', subtle: true, source, line: 3, children: [{ name: 'Sleep', kind: 'leaf', children: [] }] }, { id: 2, name: 'awaited by', kind: 'boundary', task: 7, children: [] }];
  assert.deepEqual(decodeStack({ frames: frames.map(({ subtle, ...frame }) => ({ ...frame, other: 1, ...(subtle ? { presentationHint: 'subtle' } : {}) })) }), frames);
  assert.equal(decodeStack({ frames: {} }), undefined);
  assert.equal(decodeStack(undefined), undefined);
});

test('a frame tree without end is cut', () => {
  const loop: { name: string; kind: string; children: unknown[] } = { name: 'loop', kind: 'await', children: [] };
  loop.children.push(loop);
  const depth = (frames: readonly Frame[]): number => (frames[0] ? 1 + depth(frames[0].children) : 0);
  assert.equal(depth(decodeStack({ frames: [loop] }) ?? []), 201);

  loop.children.push(loop);
  const size = (frames: readonly Frame[]): number => frames.reduce((sum, frame) => sum + 1 + size(frame.children), 0);
  assert.equal(size(decodeStack({ frames: [loop] }) ?? []), 5000);
});

test('an announcement without a generation is none', () => {
  assert.equal(decodeChanged({ generation: 0 }), 0);
  assert.equal(decodeChanged({ generation: 1.5 }), undefined);
  assert.equal(decodeChanged(null), undefined);
});
