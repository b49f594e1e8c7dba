import assert from 'node:assert/strict';
import { test } from 'node:test';
import { firstTaskThread, type Frame, type TasksBody } from '../src/model/protocol';
import { due, hasMore, initial, isCurrent, isLooking, isReading, largePage, noFilter, pageSize, queryKey, reduce, type Action, type SessionState } from '../src/model/store';

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
  assert.deepEqual(after([stopped, changed(1)]).asked, { ticket: 0, ask: first, filter: noFilter });
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
  assert.deepEqual(state.asked, { ticket: 1, ask: first, filter: noFilter });
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
  assert.deepEqual(again.asked, { ticket: 1, ask: first, filter: noFilter });
});

test('rows outlive a short step and go when the program keeps running', () => {
  const running = after([stopped, changed(1), answered(0, body(1, [1, 2])), resumed]);
  assert.deepEqual(shown(running), [1, 2]);
  assert.equal(running.stale, true);
  assert.equal(isCurrent(running, 1), false);
  assert.equal(after([{ type: 'settled' }], running).snapshot, undefined);

  const stepped = after([stopped, { type: 'settled' }, changed(2)], running);
  assert.deepEqual(shown(stepped), [1, 2]);
  assert.deepEqual(stepped.asked, { ticket: 1, ask: first, filter: noFilter });
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
  assert.deepEqual(asked.asked, { ticket: 0, ask: first, filter: noFilter });
  for (const actions of [
    [changed(9), answered(0, body(9, [1]))],
    [answered(0, body(9, [1])), changed(9)],
  ]) {
    const state = after(actions, asked);
    assert.deepEqual(shown(state), [1]);
    assert.equal(state.asked, undefined);
    assert.equal(state.news, false);
    assert.deepEqual(after([stopped, changed(10)], state).asked, { ticket: 1, ask: first, filter: noFilter });
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

const whole: Action = { type: 'whole', whole: true };

test('pages are read only when all tasks are needed, and from the same snapshot', () => {
  const state = after([stopped, changed(3), answered(0, body(3, [1, 2], 5))]);
  assert.equal(hasMore(state), true);
  assert.deepEqual([state.asked, isReading(state)], [undefined, false]);
  const asked = after([whole], state);
  assert.deepEqual(asked.asked?.ask, { start: 2, count: largePage, generation: 3 });
  assert.equal(isReading(asked), true);
  const all = after([answered(1, body(3, [2, 3, 4, 5], 5))], asked);
  assert.deepEqual(shown(all), [1, 2, 3, 4, 5]);
  assert.deepEqual([hasMore(all), isReading(all), all.asked], [false, false, undefined]);
});

test('a page of another snapshot is not mixed in, and none is asked for again', () => {
  const state = after([whole, stopped, changed(3), answered(0, body(3, [1, 2], 5)), answered(1, body(2, [8]))]);
  assert.deepEqual(shown(state), [1, 2]);
  assert.deepEqual([state.asked, isReading(state)], [undefined, false]);
});

test('an empty page ends the list', () => {
  const state = after([whole, stopped, changed(3), answered(0, body(3, [1], 5)), answered(1, body(3, [], 5))]);
  assert.deepEqual([hasMore(state), state.asked], [false, undefined]);
});

test('when a page is refused, it is told and no further one is asked for until there is another snapshot', () => {
  const state = after([whole, stopped, changed(3), answered(0, body(3, [1], 5)), { type: 'refused', ticket: 1, message: 'gone' }]);
  assert.deepEqual([state.failure, state.asked], ['gone', undefined]);
  assert.deepEqual(shown(state), [1]);
  const next = after([resumed, stopped, changed(4), answered(2, body(4, [1], 5))], state);
  assert.deepEqual(next.asked?.ask, { start: 1, count: largePage, generation: 4 });
  assert.equal(next.failure, undefined);
});

test('reading ends when the program goes on', () => {
  const state = after([whole, stopped, changed(3), answered(0, body(3, [1], 5)), resumed]);
  assert.deepEqual([state.asked, isReading(state)], [undefined, false]);
  assert.deepEqual(shown(after([answered(1, body(3, [2], 5))], state)), [1]);
});

const slow = { typed: 'slow state:waiting', ask: { text: 'slow', states: ['waiting'] } } as const;

test('a filter is asked of the snapshot that is shown, and of every later one', () => {
  const state = after([stopped, changed(3), answered(0, body(3, [1, 2])), { type: 'filter', filter: slow }]);
  assert.deepEqual(state.asked?.ask, { start: 0, count: pageSize, generation: 3, filter: slow.ask });
  assert.deepEqual(shown(state), [1, 2]);
  const filtered = after([answered(1, { ...body(3, [2]), total: 2 })], state);
  assert.deepEqual([shown(filtered), filtered.applied, filtered.asked], [[2], slow, undefined]);
  const next = after([resumed, stopped, changed(4)], filtered);
  assert.deepEqual(next.asked?.ask, { start: 0, count: pageSize, filter: slow.ask });
  const cleared = after([answered(2, body(4, [2])), { type: 'filter', filter: noFilter }], next);
  assert.deepEqual(cleared.asked?.ask, { start: 0, count: pageSize, generation: 4 });
});

test('of a filter that changes while it is asked for, the last counts', () => {
  const quick = { typed: 'quick', ask: { text: 'quick' } };
  const typing = after([stopped, changed(3), answered(0, body(3, [1, 2])), { type: 'filter', filter: slow }, { type: 'filter', filter: quick }]);
  assert.deepEqual(typing.asked?.ask.filter, slow.ask);
  const next = after([answered(1, body(3, [1]))], typing);
  assert.deepEqual(next.asked?.ask.filter, quick.ask);
  assert.deepEqual(shown(after([answered(2, body(3, [2]))], next)), [2]);
});

test('a filter with which the adapter cannot be asked of the snapshot is not asked again and again', () => {
  const state = after([stopped, changed(3), answered(0, body(3, [1])), { type: 'filter', filter: slow }, { type: 'refused', ticket: 1, message: 'gone' }]);
  assert.deepEqual([state.asked, state.failure], [undefined, 'gone']);
  const next = after([{ type: 'filter', filter: { typed: 'quick', ask: { text: 'quick' } } }], state);
  assert.deepEqual(next.asked?.ask, { start: 0, count: pageSize, generation: 3, filter: { text: 'quick' } });
  const found = after([answered(2, body(3, [1]))], next);
  assert.deepEqual([found.asked, found.failure, isLooking(next), isLooking(found)], [undefined, undefined, true, false]);
});

test('a refusal that comes after another filter was typed does not keep that one from being asked', () => {
  const quick = { typed: 'quick', ask: { text: 'quick' } };
  const typing = after([stopped, changed(3), answered(0, body(3, [1])), { type: 'filter', filter: slow }, { type: 'filter', filter: quick }]);
  const next = after([{ type: 'refused', ticket: 1, message: 'gone' }], typing);
  assert.deepEqual(next.asked?.ask.filter, quick.ask);
  assert.equal(after([{ type: 'refused', ticket: 2, message: 'gone' }], next).asked, undefined);
});

test('a part is kept for its own snapshot and filter only', () => {
  const query = { filter: {}, start: 1000, count: 2 };
  const part = { tasks: body(3, [7, 8]).tasks, matched: 5000 };
  const state = after([stopped, changed(3), answered(0, body(3, [1], 5000)), { type: 'part', generation: 3, query, part }]);
  assert.equal(state.parts.get(queryKey(query)), part);
  assert.equal(state.parts.get(queryKey({ ...query, start: 0 })), undefined);
  assert.equal(after([{ type: 'filter', filter: slow }, answered(1, body(3, [1], 4000))], state).parts.size, 0);
  const next = after([resumed, stopped, changed(4), answered(1, body(4, [1], 5000))], state);
  assert.equal(after([{ type: 'part', generation: 3, query, part }], next).parts.size, 0);
});

test("tasks' threads are known as long as they are listed, other threads never", () => {
  const [task, other] = [firstTaskThread + 4, 4];
  const state = after([{ type: 'thread', id: task, listed: true }, { type: 'thread', id: other, listed: true }]);
  assert.deepEqual([...state.pinned], [task]);
  assert.equal(after([{ type: 'thread', id: task, listed: true }], state), state);
  assert.deepEqual([...after([{ type: 'thread', id: task, listed: false }], state).pinned], []);
});

test('what a task stops for is replaced, and ends with the session', () => {
  const state = after([stopped, { type: 'stops', task: 4, on: ['polled'] }, { type: 'stops', task: 5, on: ['panicked'] }, { type: 'stops', task: 4, on: ['completed', 'cancelled'] }]);
  assert.deepEqual([...state.stops].sort(), [[4, ['completed', 'cancelled']], [5, ['panicked']]]);
  assert.deepEqual([...after([{ type: 'stops', task: 5, on: [] }], state).stops.keys()], [4]);
  assert.equal(after([{ type: 'ended' }], state).stops.size, 0);
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
