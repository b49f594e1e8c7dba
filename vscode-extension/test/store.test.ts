import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Frame, TasksBody } from '../src/model/protocol';
import { due, hasMore, initial, isCurrent, pageSize, reduce, type Action, type SessionState } from '../src/model/store';

const first = { start: 0, count: pageSize };

function body(generation: number, ids: readonly number[], matched = ids.length): TasksBody {
  const tasks = ids.map((id) => ({ id, name: `task${id}`, kind: 'task', awaitedBy: [] }));
  return { generation, total: matched, matched, runtimes: [], tasks, problems: [], notes: [] };
}

/** Applies the actions the way a session does: what is due after each is asked at once. */
function after(actions: readonly Action[], from: SessionState = initial): SessionState {
  return actions.reduce((state, action) => {
    const next = reduce(state, action);
    const ask = due(next);
    return ask ? reduce(next, { type: 'asked', ask }) : next;
  }, from);
}

const started: Action = { type: 'started' };
const stopped: Action = { type: 'stopped' };
const resumed: Action = { type: 'resumed' };
const changed = (generation: number): Action => ({ type: 'changed', generation });
const answered = (ticket: number, page: TasksBody): Action => ({ type: 'answered', ticket, body: page });
const shown = (state: SessionState): number[] | undefined => state.snapshot?.tasks.map((task) => task.id);
const frames: readonly Frame[] = [{ name: 'f', kind: 'await', children: [] }];

test('a stop is followed by one request for the first page', () => {
  assert.equal(after([stopped]).asked, undefined);
  assert.deepEqual(after([stopped, changed(1)]).asked, { ticket: 0, ask: first });
  const state = after([stopped, changed(1), answered(0, body(1, [1, 2]))]);
  assert.deepEqual(shown(state), [1, 2]);
  assert.equal(state.asked, undefined);
});

test('an announcement asks nothing while the program runs', () => {
  assert.equal(after([started, changed(1)]).asked, undefined);
  assert.equal(after([stopped, changed(1), answered(0, body(1, [1])), resumed, changed(2)]).asked, undefined);
});

test('the announcement of what is shown already asks nothing', () => {
  // The stop that focusing a task makes.
  const state = after([stopped, changed(4), answered(0, body(4, [1])), stopped, changed(4)]);
  assert.equal(state.asked, undefined);
  assert.deepEqual(shown(state), [1]);
});

test('an answer older than the newest announcement is dropped and asked again', () => {
  const state = after([stopped, changed(1), changed(2), answered(0, body(1, [1]))]);
  assert.equal(state.snapshot, undefined);
  assert.deepEqual(state.asked, { ticket: 1, ask: first });
  assert.deepEqual(shown(after([answered(1, body(2, [7]))], state)), [7]);
});

test('an adapter that only has an older snapshot is not asked for ever', () => {
  const state = after([stopped, changed(5), answered(0, body(4, [1]))]);
  assert.equal(state.asked, undefined);
  assert.equal(state.snapshot, undefined);
});

test('an answer that comes after the program went on is dropped', () => {
  const running = after([stopped, changed(1), resumed, answered(0, body(1, [1]))]);
  assert.equal(running.snapshot, undefined);
  const again = after([stopped, changed(2), answered(0, body(1, [1]))], running);
  assert.equal(again.snapshot, undefined);
  assert.deepEqual(again.asked, { ticket: 1, ask: first });
});

test('rows outlive a short step and go when the program keeps running', () => {
  const running = after([stopped, changed(1), answered(0, body(1, [1, 2])), resumed]);
  assert.deepEqual(shown(running), [1, 2]);
  assert.equal(running.stale, true);
  assert.equal(isCurrent(running, 1), false);
  assert.equal(after([{ type: 'settled' }], running).snapshot, undefined);

  const stepped = after([stopped, { type: 'settled' }, changed(2)], running);
  assert.deepEqual(shown(stepped), [1, 2]);
  assert.deepEqual(stepped.asked, { ticket: 1, ask: first });
  const done = after([answered(1, body(2, [3]))], stepped);
  assert.deepEqual(shown(done), [3]);
  assert.equal(done.stale, false);
});

test('before there is a program nothing is asked', () => {
  assert.equal(after([{ type: 'refresh' }]).asked, undefined);
  assert.deepEqual(after([{ type: 'refresh' }, started]).asked, undefined);
  assert.equal(after([stopped, started]).run, 'stopped');
});

test('a refresh asks while the program runs, and its own announcement does not ask again', () => {
  const asked = after([started, { type: 'refresh' }]);
  assert.deepEqual(asked.asked, { ticket: 0, ask: first });
  for (const actions of [
    [changed(9), answered(0, body(9, [1]))],
    [answered(0, body(9, [1])), changed(9)],
  ]) {
    const state = after(actions, asked);
    assert.deepEqual(shown(state), [1]);
    assert.equal(state.asked, undefined);
    assert.equal(state.news, false);
    assert.deepEqual(after([stopped, changed(10)], state).asked, { ticket: 1, ask: first });
  }
});

test('a refresh during a request is asked after it', () => {
  const state = after([stopped, changed(1), { type: 'refresh' }]);
  assert.equal(state.asked?.ticket, 0);
  assert.equal(after([answered(0, body(1, [1]))], state).asked?.ticket, 1);
});

test('a refresh answered with less than what is shown changes nothing', () => {
  // Shown without an announcement: the answer to an earlier refresh.
  const state = after([started, { type: 'refresh' }, answered(0, body(6, [1])), { type: 'refresh' }, answered(1, body(5, [2]))]);
  assert.deepEqual(shown(state), [1]);
});

test('a refusal is told, and goes with the next answer', () => {
  const state = after([stopped, changed(1), { type: 'refused', ticket: 0, message: 'no debug information' }]);
  assert.equal(state.failure, 'no debug information');
  assert.equal(state.asked, undefined);
  assert.equal(after([changed(2), answered(1, body(2, []))], state).failure, undefined);
});

test('further pages come from the same snapshot and are added to it', () => {
  const state = after([stopped, changed(3), answered(0, body(3, [1, 2], 5))]);
  assert.equal(hasMore(state), true);
  const asked = after([{ type: 'more' }], state);
  assert.deepEqual(asked.asked?.ask, { start: 2, count: pageSize, generation: 3 });
  const all = after([answered(1, body(3, [2, 3, 4, 5], 5))], asked);
  assert.deepEqual(shown(all), [1, 2, 3, 4, 5]);
  assert.equal(hasMore(all), false);
  assert.equal(after([{ type: 'more' }], all).asked, undefined);
});

test('a page of another snapshot is not mixed in', () => {
  const state = after([stopped, changed(3), answered(0, body(3, [1, 2], 5)), { type: 'more' }, answered(1, body(2, [8]))]);
  assert.deepEqual(shown(state), [1, 2]);
});

test('an empty page ends the list', () => {
  const state = after([stopped, changed(3), answered(0, body(3, [1], 5)), { type: 'more' }, answered(1, body(3, [], 5))]);
  assert.equal(hasMore(state), false);
});

test('when a page is refused, the tasks of now are asked for', () => {
  const state = after([stopped, changed(3), answered(0, body(3, [1], 5)), { type: 'more' }, { type: 'refused', ticket: 1, message: 'gone' }]);
  assert.deepEqual(state.asked, { ticket: 2, ask: first });
  assert.equal(state.failure, undefined);
});

test('a stack is kept for its own snapshot only', () => {
  const state = after([stopped, changed(1), answered(0, body(1, [1])), { type: 'stack', generation: 1, task: 1, frames }]);
  assert.deepEqual(state.stacks.get(1), frames);
  const next = after([resumed, stopped, changed(2), answered(1, body(2, [1]))], state);
  assert.equal(next.stacks.size, 0);
  assert.equal(after([{ type: 'stack', generation: 1, task: 1, frames }], next).stacks.size, 0);
});

test('the end clears everything and nothing is asked after it', () => {
  const state = after([stopped, changed(1), answered(0, body(1, [1])), { type: 'ended' }, stopped, changed(2), { type: 'refresh' }, resumed]);
  assert.equal(state.run, 'ended');
  assert.equal(state.snapshot, undefined);
  assert.equal(state.asked, undefined);
});
