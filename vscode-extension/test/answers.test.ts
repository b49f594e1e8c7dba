import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Answers } from '../src/model/answers';
import { cargoComplaint } from '../src/model/cargo';

test('an answer is kept, a failure is not', async () => {
  const answers = new Answers<number>();
  let asked = 0;
  const next = (outcome: Promise<number>) => () => ((asked += 1), outcome);
  const failing = Promise.reject(new Error('no'));
  await Promise.all([assert.rejects(answers.about('a', next(failing)), /no/), assert.rejects(answers.about('a', next(failing)), /no/)]);
  assert.equal(asked, 1);
  assert.equal(await answers.about('a', next(Promise.resolve(1))), 1);
  assert.equal(await answers.about('a', next(Promise.resolve(2))), 1);
  answers.forget();
  assert.equal(await answers.about('a', next(Promise.resolve(3))), 3);
  assert.equal(asked, 3);
});

test('a failure that comes late takes no newer answer away', async () => {
  const answers = new Answers<number>();
  let fail = (): void => undefined;
  const late = answers.about('a', () => new Promise<number>((_, reject) => { fail = () => { reject(new Error('late')); }; }));
  answers.forget();
  assert.equal(await answers.about('a', () => Promise.resolve(1)), 1);
  fail();
  await assert.rejects(late, /late/);
  assert.equal(await answers.about('a', () => Promise.resolve(2)), 1);
});

test('why cargo says nothing', () => {
  const failed = new Error('Command failed: cargo metadata');
  assert.equal(cargoComplaint(Object.assign(failed, { stderr: 'warning: x\nerror: no targets\nCaused by: y\n', code: 101 })), 'error: no targets');
  assert.equal(cargoComplaint(Object.assign(new Error('spawn cargo ENOENT'), { code: 'ENOENT', stderr: '' })), 'cargo was not found on PATH or in the folder of rustup.');
  assert.equal(cargoComplaint(Object.assign(new Error('Command failed'), { killed: true, stderr: '' })), 'cargo metadata took too long and was ended.');
  assert.deepEqual([cargoComplaint(new Error('x')), cargoComplaint('y')], ['x', 'y']);
});
