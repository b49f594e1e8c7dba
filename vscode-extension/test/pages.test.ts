import assert from 'node:assert/strict';
import { test } from 'node:test';
import { allPages, ofGeneration } from '../src/model/pages';
import type { TasksBody } from '../src/model/protocol';
import { largePage } from '../src/model/store';

type Asked = Parameters<Parameters<typeof allPages>[0]>[0];

const page = (generation: number, start: number, count: number, matched: number): TasksBody => {
  const tasks = Array.from({ length: Math.max(0, Math.min(count, matched - start)) }, (_, index) => ({ id: start + index, name: '', kind: 'task', awaitedBy: [] }));
  return { generation, total: matched, matched, runtimes: [], tasks, problems: [], notes: [] };
};

/** Answers of a program with 12,000 tasks, the first of `generations` first. */
function adapter(...generations: readonly number[]): { readonly asked: Asked[]; readonly ask: (page: Asked) => Promise<TasksBody> } {
  const asked: Asked[] = [];
  return {
    asked,
    ask: (from) => {
      asked.push(from);
      return Promise.resolve(page(generations[asked.length - 1] ?? -1, from.start, from.count, 12_000));
    },
  };
}

test('pages of one snapshot are one list', async () => {
  const { asked, ask } = adapter(3, 3, 3);
  const all = await allPages(ask, 3, 50_000);
  assert.deepEqual(all.tasks.map(({ id }) => id), Array.from({ length: 12_000 }, (_, id) => id));
  assert.deepEqual(asked, [0, 1, 2].map((index) => ({ start: index * largePage, count: largePage, generation: 3 })));
});

test('no more are read than are wanted', async () => {
  const { asked, ask } = adapter(3, 3);
  assert.equal((await allPages(ask, 3, 7000)).tasks.length, 7000);
  assert.deepEqual(asked.map(({ count }) => count), [5000, 2000]);
});

test('without a snapshot the first page makes one, and the others are of it', async () => {
  const { asked, ask } = adapter(8, 8, 8);
  assert.equal((await allPages(ask, undefined, Infinity)).tasks.length, 12_000);
  assert.deepEqual(asked.map(({ generation }) => generation), [undefined, 8, 8]);
});

test('a page of another snapshot, the first or a later one, is no part of the list', async () => {
  for (const generations of [[4, 4, 4], [3, 3, 4]]) {
    await assert.rejects(allPages(adapter(...generations).ask, 3, 50_000), /The program has moved on\./);
  }
  await assert.rejects(allPages(adapter(8, 8, 9).ask, undefined, Infinity), /The program has moved on\./);
  assert.throws(() => ofGeneration(page(4, 0, 1, 1), 3), /The program has moved on\./);
});

test('a list that ends too early is not told as the whole', async () => {
  const ask = ({ start, count }: Asked): Promise<TasksBody> => Promise.resolve({ ...page(3, start, count, 6000), matched: 7000 });
  await assert.rejects(allPages(ask, 3, 50_000), /told of 7000 tasks and listed only 6000/);
});
