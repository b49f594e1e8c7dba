import assert from 'node:assert/strict';
import { test } from 'node:test';
import { plainText } from '../src/model/plainText';

/** What the editor makes a link of. */
const link = /\[([^\]]+)\]\(((?:https?:\/\/|command:|file:)[^)\s]+)(?: (["'])(.+?)(\3))?\)/i;

test('no words of a program become a link in a notification', () => {
  for (const text of ['[details](command:workbench.action.quit)', 'task [[a]](https://x.org "b") panicked', '[x](command:a)[y](command:b)', '[a]](command:c)', '[a]((file:///x)']) {
    assert.doesNotMatch(plainText(text), link);
  }
  assert.match('[details](command:workbench.action.quit)', link);
  assert.equal(plainText('task 3 [shop::order] (waiting) has a[1]'), 'task 3 [shop::order] (waiting) has a[1]');
});
