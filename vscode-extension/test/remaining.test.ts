import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Wait } from '../src/model/protocol';
import { waitText } from '../src/model/remaining';

const wait = (kind: string, text: string, remainingMs?: number): Wait => ({ kind, text, holders: [], tasks: [], ...(remainingMs === undefined ? {} : { remainingMs }) });

const sleep = (remainingMs: number, said: string): Wait => wait('sleep', `sleep, ${said} left`, remainingMs);

test('a time runs on by whole seconds, or minutes, until it is due', () => {
  assert.equal(waitText(sleep(12_340, '12.3 s'), 0), 'sleep, 12.3 s left');
  assert.equal(waitText(sleep(12_340, '12.3 s'), 1000), 'sleep, 11 s left');
  assert.equal(waitText(sleep(12_340, '12.3 s'), 12_000), 'sleep, less than 1 s left');
  assert.equal(waitText(sleep(12_340, '12.3 s'), 12_340), 'sleep, due now');
  assert.equal(waitText(sleep(500, '500 ms'), 10), 'sleep, 500 ms left');
  assert.equal(waitText(sleep(3_599_000, '59 min 59 s'), 0), 'sleep, 59 min left');
  assert.equal(waitText(sleep(7_500_000, '125 min 0 s'), 0), 'sleep, 2 h 5 min left');
  assert.equal(waitText(sleep(65_000, '1 min 5 s'), 10_000), 'sleep, 55 s left');
});

test('a timeout counts as well, and text of another form is left as it is', () => {
  const read = wait('io', 'read, fd 11; timeout in 3.0 s', 3000);
  assert.equal(waitText(read, 1500), 'read, fd 11; timeout in 1 s');
  assert.equal(waitText(read, 9000), 'read, fd 11; timeout due now');
  assert.equal(waitText(wait('sleep', 'soon', 3000), 1500), 'soon');
  assert.equal(waitText(wait('mutex', 'lock'), 1500), 'lock');
});
