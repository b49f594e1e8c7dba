import assert from 'node:assert/strict';
import { test } from 'node:test';
import { layoutOf, type Ends, type Layout, type Rectangle } from '../src/model/layout';

const size = { width: 100, height: 40 };

function laidOut(count: number, edges: readonly Ends[]): Layout {
  return layoutOf(Array.from({ length: count }, () => size), edges);
}

function apart(boxes: readonly Rectangle[]): boolean {
  return boxes.every((a, index) =>
    boxes.slice(index + 1).every((b) => a.x + a.width <= b.x || b.x + b.width <= a.x || a.y + a.height <= b.y || b.y + b.height <= a.y),
  );
}

/** Every edge ends on the sides of its boxes, and everything lies in the picture. */
function sound(layout: Layout, edges: readonly Ends[]): void {
  assert.ok(apart(layout.boxes), 'boxes do not cover each other');
  for (const [index, [from, to]] of edges.entries()) {
    const points = layout.edges[index] ?? [];
    for (const [box, point] of [[layout.boxes[from], points[0]], [layout.boxes[to], points.at(-1)]] as const) {
      assert.ok(box && point);
      assert.ok((point.x === box.x || point.x === box.x + box.width) && point.y > box.y && point.y < box.y + box.height, `edge ${index}`);
    }
  }
  for (const { x, y } of [...layout.boxes, ...layout.edges.flat()]) {
    assert.ok(x >= 0 && y >= 0 && x <= layout.width && y <= layout.height, `${x},${y} is in the picture`);
  }
}

test('who waits is left of what it waits for, in one row', () => {
  const layout = laidOut(3, [[0, 1], [1, 2]]);
  assert.deepEqual(layout.boxes.map(({ x, y }) => [x, y]), [[0, 0], [170, 0], [340, 0]]);
  assert.deepEqual(layout.edges[0], [{ x: 100, y: 20 }, { x: 170, y: 20 }]);
  assert.deepEqual([layout.width, layout.height], [440, 40]);
});

test('a circle has one edge that leads back, around the boxes between', () => {
  const edges: Ends[] = [[0, 1], [1, 2], [2, 3], [3, 0]];
  const layout = laidOut(4, edges);
  assert.deepEqual(layout.boxes.map(({ x }) => x), [0, 170, 340, 510]);
  const [back] = layout.edges.slice(3);
  assert.deepEqual([back?.[0]?.x, back?.at(-1)?.x], [510, 100]);
  for (const { x, y } of back?.slice(1, -1) ?? []) {
    const covered = layout.boxes.some((box) => x > box.x && x < box.x + box.width && y > box.y && y < box.y + box.height);
    assert.ok(!covered);
  }
  sound(layout, edges);
});

test('edges that need not cross do not', () => {
  // Two waiters each for two locks, given in the order in which they would cross.
  const edges: Ends[] = [[0, 5], [1, 4], [2, 5], [3, 4]];
  const layout = laidOut(6, edges);
  const places = [0, 2, 1, 3].map((box) => layout.boxes[box]?.y ?? 0);
  const [upper, lower] = layout.boxes[5] && layout.boxes[4] ? [layout.boxes[5].y, layout.boxes[4].y] : [0, 0];
  const [a = 0, b = 0, c = 0, d = 0] = places;
  assert.ok(upper < lower ? Math.max(a, b) < Math.min(c, d) : Math.min(a, b) > Math.max(c, d));
  sound(layout, edges);
});

test('an edge from a box to itself, two between the same boxes, and boxes alone', () => {
  const edges: Ends[] = [[0, 0], [1, 2], [2, 1]];
  const layout = laidOut(8, edges);
  sound(layout, edges);
  assert.equal(layout.edges[0]?.length, 4);
  assert.notEqual(layout.edges[1]?.[0]?.y, layout.edges[2]?.at(-1)?.y);
  assert.deepEqual(laidOut(0, []), { width: 0, height: 0, boxes: [], edges: [] });
});

test('two hundred boxes and four hundred edges, at random: sound, and twice the same', () => {
  let seed = 1;
  const random = (below: number): number => {
    seed = (seed * 48271) % 2147483647;
    return seed % below;
  };
  const edges = Array.from({ length: 400 }, (): Ends => [random(200), random(200)]);
  const layout = laidOut(200, edges);
  sound(layout, edges);
  assert.deepEqual(laidOut(200, edges), layout);
});
