import assert from 'node:assert/strict';
import { test } from 'node:test';
import { decodeScopes, decodeVariables, inlineText, inlineVariables, portions } from '../src/model/variables';

const labels = (container: Parameters<typeof portions>[0]): unknown[] => portions(container).map((portion) => (portion.kind === 'part' ? portion.label : portion.arguments));

test('a container without elements is read at once, a short list too', () => {
  assert.deepEqual(labels({ reference: 7 }), [{ variablesReference: 7 }]);
  assert.deepEqual(labels({ reference: 7, named: 3, indexed: 0 }), [{ variablesReference: 7 }]);
  assert.deepEqual(labels({ reference: 7, named: 1, indexed: 100 }), [
    { variablesReference: 7, filter: 'named' },
    { variablesReference: 7, filter: 'indexed', start: 0, count: 100 },
  ]);
});

test('a long list is read in parts, and parts of parts', () => {
  assert.deepEqual(labels({ reference: 7, indexed: 250 }), ['[0..99]', '[100..199]', '[200..249]']);
  const [first, , last] = portions({ reference: 7, indexed: 25_000 });
  assert.ok(first?.kind === 'part' && last?.kind === 'part');
  assert.deepEqual([first.label, last.label], ['[0..9999]', '[20000..24999]']);
  assert.deepEqual(labels(last.container).slice(0, 2), ['[20000..20099]', '[20100..20199]']);
  const part = portions(last.container)[1];
  assert.ok(part?.kind === 'part');
  assert.deepEqual(labels(part.container), [{ variablesReference: 7, filter: 'indexed', start: 20_100, count: 100 }]);
  assert.equal(portions({ reference: 7, indexed: Number.MAX_SAFE_INTEGER }).length <= 100, true);
});

test('answers are not believed', () => {
  assert.deepEqual(decodeScopes(undefined), []);
  assert.deepEqual(decodeVariables({ variables: [null, 3] }), []);
  assert.deepEqual(decodeVariables({ variables: [{ name: 1, value: 'x', variablesReference: -1, indexedVariables: 2.5 }] }), [
    { name: '', value: 'x', type: undefined, reference: 0, named: undefined, indexed: undefined },
  ]);
  assert.deepEqual(decodeScopes({ scopes: [{ name: 'Locals', variablesReference: 4, expensive: true, presentationHint: 'locals' }] }), [
    { name: 'Locals', expensive: true, hint: 'locals', reference: 4, named: undefined, indexed: undefined },
  ]);
});

test('at the ends of lines stand values, and none for what has none or is one of several', () => {
  const all = [
    ['a', '1'],
    ['b', '<not kept across the .await at line 3>'],
    ['x', '2'],
    ['x (shadowed)', '1'],
    ['y', '3'],
    ['y', '4'],
  ].map(([name = '', value = '']) => ({ name, value, type: undefined, reference: 0 }));
  const { values, shadowed } = inlineVariables(all);
  assert.deepEqual([...values], [['a', '1'], ['x', '2'], ['y', '3']]);
  assert.deepEqual([...shadowed], ['x', 'y']);
  assert.equal(inlineText('a', '{\n  1,\n  2 }'), 'a = { 1, 2 }');
  assert.equal(inlineText('a', 'x'.repeat(70)), `a = ${'x'.repeat(59)}…`);
});
