import assert from 'node:assert/strict';
import { test } from 'node:test';
import { description, due, initial, isCurrent, key, message, reduce, wanted, type Action, type CallStackState, type Subject } from '../src/model/callStack';
import type { Frame } from '../src/model/protocol';

const clerk: Subject = { id: 5, name: 'clerk' };
const sleeper: Subject = { id: 2, name: 'sleeper' };
const frames: readonly Frame[] = [{ id: 1, name: 'f', kind: 'await', children: [] }];

/** A view on a scripted adapter: what is due is asked at once, and kept in `asked`. */
function after(actions: readonly Action[], from: CallStackState = initial): { state: CallStackState; asked: string[] } {
  const asked: string[] = [];
  let state = from;
  for (const action of actions) {
    state = reduce(state, action);
    const ask = due(state);
    if (ask) {
      asked.push(ask.key);
      state = reduce(state, { type: 'asked', key: ask.key });
    }
  }
  return { state, asked };
}

const visible: Action = { type: 'visible', visible: true };
const stopped = (announced: number): Action => ({ type: 'session', stopped: true, announced });
const running = (announced: number): Action => ({ type: 'session', stopped: false, announced });
const focused = (thread: number, frame = 1): Action => ({ type: 'focused', focus: { thread, frame } });
const owned = (moment: number, thread: number, task: Subject | undefined): Action => ({ type: 'owned', moment, thread, task });
const chose = (task: Subject): Action => ({ type: 'chose', task });
const answered = (name: string, subject: Subject | undefined): Action => ({ type: 'answered', shown: { key: name, subject, frames, failure: undefined } });
const shownClerk = [visible, stopped(1), focused(77), owned(1, 77, clerk), answered('1/task:5', clerk)];

test('a stop asks which task the focused thread runs, and then for its stack', () => {
  const { state, asked } = after(shownClerk);
  assert.deepEqual(asked, ['1/thread:77', '1/task:5']);
  assert.equal(description(state), 'task 5 clerk');
  assert.equal(message(state), undefined);
  assert.ok(isCurrent(state));
});

test('nothing is asked while nobody looks, and what is missing as soon as somebody does', () => {
  const hidden = after([stopped(1), focused(77), chose(sleeper)]);
  assert.deepEqual(hidden.asked, []);
  assert.deepEqual(after([visible], hidden.state).asked, ['1/task:2']);
  assert.deepEqual(after([{ type: 'visible', visible: false }, focused(77, 2), focused(78)], after(shownClerk).state).asked, []);
});

test('nothing is asked before the stop is announced, nor while the program runs', () => {
  const { asked, state } = after([visible, running(3), stopped(3), focused(77)]);
  assert.deepEqual(asked, []);
  assert.deepEqual(after([stopped(4)], state).asked, ['4/thread:77']);
  assert.deepEqual(after([running(4), focused(77), chose(sleeper), running(5)], after([stopped(4)], state).state).asked, []);
});

test('a thread without a task says so', () => {
  const { state, asked } = after([visible, stopped(1), focused(77), owned(1, 77, undefined), answered('1/thread:77', undefined)]);
  assert.deepEqual(asked, ['1/thread:77']);
  assert.equal(description(state), undefined);
  assert.match(message(state) ?? '', /runs no async task/);
});

test('a chosen task is shown until the focus moves', () => {
  const chosen = after([chose(sleeper), answered('1/task:2', sleeper)], after(shownClerk).state);
  assert.deepEqual(chosen.asked, ['1/task:2']);
  assert.equal(description(chosen.state), 'task 2 sleeper (selected)');
  assert.deepEqual(after([focused(77)], chosen.state).asked, [], 'the same frame is told again');
  const moved = after([focused(77, 9)], chosen.state);
  assert.deepEqual(moved.asked, ['1/task:5']);
  assert.equal(description(after([answered('1/task:5', clerk)], moved.state).state), 'task 5 clerk');
});

test('the focused task is not called selected when it is chosen', () => {
  const { state, asked } = after([chose(clerk)], after(shownClerk).state);
  assert.deepEqual(asked, []);
  assert.equal(description(state), 'task 5 clerk');
});

test('an answer that is not wanted any more is dropped', () => {
  const { state } = after([chose(sleeper), chose({ id: 3, name: '' }), answered('1/task:2', sleeper)], after(shownClerk).state);
  assert.equal(state.shown?.key, '1/task:5');
  assert.equal(after([answered('1/task:3', { id: 3, name: '' })], state).state.shown?.key, '1/task:3');
  const next = after([chose(sleeper), running(1), stopped(2), answered('1/task:2', sleeper)], after(shownClerk).state);
  assert.equal(next.state.shown?.key, '1/task:5');
});

test('back to what is shown while another is asked for', () => {
  const { state, asked } = after([chose(sleeper), chose(clerk), answered('1/task:2', sleeper), answered('1/task:5', clerk)], after(shownClerk).state);
  assert.deepEqual(asked, ['1/task:2', '1/task:5']);
  assert.equal(state.shown?.subject, clerk);
  assert.equal(state.asked, undefined);
});

test('rows outlive a step, and go when the program keeps running', () => {
  const step = after([chose(sleeper), answered('1/task:2', sleeper), running(1)], after(shownClerk).state);
  assert.equal(step.state.shown?.subject, sleeper);
  assert.equal(isCurrent(step.state), false);
  assert.equal(wanted(step.state), undefined);
  const done = after([stopped(2), focused(78), owned(1, 78, sleeper), owned(2, 78, clerk)], step.state);
  assert.deepEqual(done.asked, ['2/thread:78', '2/task:5']);
  const gone = after([{ type: 'cleared' }], step.state).state;
  assert.equal(gone.shown, undefined);
  assert.equal(message(gone), 'The program is running.');
});

test('numbers that end without a step are asked for again', () => {
  // Memory was written to: the same stop has another generation.
  const { asked, state } = after([stopped(2)], after(shownClerk).state);
  assert.deepEqual(asked, ['2/thread:77']);
  assert.equal(isCurrent(state), false);
  assert.deepEqual(after([stopped(2)], state).asked, []);
});

test('a refusal is said in the adapter\'s words', () => {
  const shown = { key: '1/thread:77', subject: undefined, frames: [], failure: 'There is no such task.' };
  const { state } = after([visible, stopped(1), focused(77), { type: 'answered', shown }]);
  assert.equal(message(state), 'There is no such task.');
  assert.equal(key(1, { thread: 77 }), shown.key);
});
