import assert from 'node:assert/strict';
import { test } from 'node:test';
import { withDefaults } from '../src/model/configuration';
import { diagnosticOf } from '../src/model/diagnostics';
import type { Problem, TasksBody } from '../src/model/protocol';
import { news, problemKey, status } from '../src/model/status';
import { initial, type SessionState } from '../src/model/store';

const rendered = `error[E0308]: mismatched types
 --> examples/burnt.rs:2:21
  |
2 |     let loaf: u32 = "charcoal";
  |               ---   ^^^^^^^^^^ expected \`u32\`, found \`&str\`
  |               |
  |               expected due to this
  |
  = note: expected type
help: try this
`;

test('what the compiler says has its place, its code and its advice', () => {
  const body = { category: 'console', output: rendered, source: { path: '/b/examples/burnt.rs' }, line: 2, column: 21 };
  assert.deepEqual(diagnosticOf(body), {
    file: '/b/examples/burnt.rs',
    line: 1,
    column: 20,
    end: 30,
    severity: 'error',
    code: 'E0308',
    message: 'mismatched types\nexpected `u32`, found `&str`\nnote: expected type\nhelp: try this',
  });
  assert.deepEqual(diagnosticOf({ ...body, output: 'warning: unused variable: `x`\n', column: undefined }), {
    file: '/b/examples/burnt.rs', line: 1, column: 0, end: 1, severity: 'warning', message: 'unused variable: `x`',
  });
});

test('what has no place, or is not the compiler\'s, is no problem of the build', () => {
  const body = { output: rendered, source: { path: '/b/a.rs' }, line: 2, column: 21 };
  for (const other of [{ ...body, source: undefined }, { ...body, line: 0 }, { ...body, line: 'x' }, { ...body, output: 'order 3 priced\n' }, { ...body, output: 7 }, null, 'error: x']) {
    assert.equal(diagnosticOf(other), undefined);
  }
});

test('settings stand in for what a configuration leaves out, and for nothing else', () => {
  const defaults = { async: { stepMode: 'thread', maxThreads: 9 }, asyncio: { debug: true } };
  assert.deepEqual(withDefaults({ program: 'a', async: { maxThreads: 3 } }, defaults), { program: 'a', async: { stepMode: 'thread', maxThreads: 3 } });
  assert.deepEqual(withDefaults({ program: 'a.py', asyncio: { debug: false } }, defaults), { program: 'a.py', async: defaults.async, asyncio: { debug: false } });
  assert.deepEqual(withDefaults({ program: 'a', async: 'wrong' }, defaults), { program: 'a', async: 'wrong' });
  assert.deepEqual(withDefaults({ program: 'a.py' }, { async: {}, asyncio: {} }), { program: 'a.py' });
});

const problem = (kind: string, severity: string, text: string, ...tasks: number[]): Problem => ({ kind, severity, text, tasks, resources: [] });

function stopped(total: number, ...problems: Problem[]): SessionState {
  const snapshot = { generation: 1, total, matched: total, runtimes: [], tasks: [], problems, notes: [] } as unknown as TasksBody;
  return { ...initial, run: 'stopped', snapshot };
}

test('the status bar counts tasks and problems, and nothing that is over', () => {
  assert.deepEqual([status(undefined), status(initial), status({ ...initial, run: 'ended' })], [undefined, undefined, undefined]);
  assert.deepEqual(status(stopped(1)), { text: '$(list-tree) 1 task', label: '1 task', severity: 'none' });
  const two = stopped(214, problem('blocking-in-async', 'warning', 'task 3 blocks', 3), problem('deadlock', 'error', 'tasks 1 and 2', 1, 2));
  assert.deepEqual(status(two), { text: '$(list-tree) 214 tasks $(error) 2', label: '214 tasks, 2 problems: task 3 blocks; tasks 1 and 2', severity: 'error' });
  assert.deepEqual(status({ ...two, run: 'running', stale: true }), { text: '$(list-tree) Async tasks', label: 'The program is running', severity: 'none' });
});

test('a problem is new once, whatever its words and the order of its tasks', () => {
  const first = problem('deadlock', 'error', 'for 3 ms', 2, 10);
  const told = new Set([problemKey(first)]);
  const later = stopped(2, problem('deadlock', 'error', 'for 90 ms', 10, 2), problem('deadlock', 'error', 'others', 3, 4));
  assert.deepEqual(news(later, told).map(({ text }) => text), ['others']);
  assert.deepEqual(news({ ...later, stale: true }, told), []);
  assert.deepEqual(news({ ...later, run: 'running' }, new Set()), []);
});
