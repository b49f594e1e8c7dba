import assert from 'node:assert/strict';
import { test } from 'node:test';
import { FocusedThreads } from '../src/model/focus';
import { firstTaskThread } from '../src/model/protocol';

const [seven, nine] = [firstTaskThread + 7, firstTaskThread + 9];

test('the stop that a focus brings names the thread of its task', () => {
  const threads = new FocusedThreads();
  threads.requested(1, { task: 7 });
  threads.answered(1, true);
  threads.stopped('pause', seven);
  assert.equal(threads.taskOf(seven), 7);
  threads.resumed();
  threads.stopped('step', nine);
  assert.deepEqual([threads.taskOf(seven), threads.taskOf(nine)], [7, undefined]);
});

test('a task that is pinned or unpinned says nothing of the thread of the next stop', () => {
  for (const listed of [true, false]) {
    const threads = new FocusedThreads();
    threads.requested(1, { task: 7, listed });
    threads.answered(1, true);
    threads.stopped('pause', nine);
    assert.equal(threads.taskOf(nine), undefined);
  }
});

test('a focus that fails, or is overtaken by another stop, says nothing', () => {
  const threads = new FocusedThreads();
  threads.requested(1, { task: 7 });
  threads.answered(1, false);
  threads.stopped('pause', nine);
  threads.requested(2, { task: 7 });
  threads.answered(2, true);
  threads.resumed();
  threads.stopped('pause', nine);
  threads.requested(3, { task: 7 });
  threads.answered(3, true);
  threads.stopped('step', nine);
  threads.stopped('pause', nine);
  assert.equal(threads.taskOf(nine), undefined);
  threads.requested(4, undefined);
  threads.answered(4, true);
  threads.stopped('pause', nine);
  assert.equal(threads.taskOf(nine), undefined);
});
