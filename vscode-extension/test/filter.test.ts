import assert from 'node:assert/strict';
import { test } from 'node:test';
import { both, isEmpty, parseFilter } from '../src/model/filter';

const runtimes = [
  { id: 0, kind: 'tokio-multi-thread' },
  { id: 3, kind: 'asyncio', name: 'MainThread' },
];

test('what is typed is looked for, and states and runtimes are conditions of their own', () => {
  const parsed = (typed: string): unknown => parseFilter(typed, runtimes);
  assert.deepEqual(parsed('main.rs:12'), { filter: { text: 'main.rs:12' } });
  assert.deepEqual(parsed('  lock  Mutex<Db> '), { filter: { text: 'lock Mutex<Db>' } });
  assert.deepEqual(parsed('state:waiting,Ready db runtime:mainthread'), { filter: { text: 'db', states: ['waiting', 'ready'], runtime: 3 } });
  assert.deepEqual(parsed('runtime:0'), { filter: { runtime: 0 } });
  assert.deepEqual(parsed('runtime:tokio-multi-thread'), { filter: { runtime: 0 } });
  assert.deepEqual(parsed(' '), { filter: {} });
  assert.deepEqual(parsed('state:'), { filter: { text: 'state:' } });
});

test('what cannot be meant is told with what can', () => {
  assert.deepEqual(parseFilter('state:wating', runtimes), { error: 'There is no state "wating". States are created, ready, running, waiting, done, failed, cancelled.' });
  assert.deepEqual(parseFilter('runtime:io', runtimes), { error: 'There is no runtime "io". Runtimes are tokio-multi-thread (0), MainThread (3).' });
  assert.deepEqual(parseFilter('runtime:io', []), { error: 'There is no runtime "io". None is known yet.' });
});

test('a filter and a group hold together, or nothing passes them', () => {
  assert.deepEqual(both({ text: 'db' }, { states: ['ready'] }), { text: 'db', states: ['ready'] });
  assert.deepEqual(both({ states: ['ready', 'waiting'] }, { states: ['ready'] }), { states: ['ready'] });
  assert.equal(both({ states: ['waiting'] }, { states: ['ready'] }), undefined);
  assert.deepEqual(both({ states: ['waiting'] }, { runtime: 1 }), { states: ['waiting'], runtime: 1 });
  assert.equal(both({ runtime: 2 }, { runtime: 1 }), undefined);
  assert.deepEqual([isEmpty({}), isEmpty({ runtime: 0 })], [true, false]);
});
