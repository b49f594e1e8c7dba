/**
 * Where boxes and edges go: a layered layout (Sugiyama), from left to right, so that who waits is left of what it waits for.
 * Circles get one edge that leads back. Pure and deterministic: the same graph is laid out alike at each stop.
 *
 * Of the libraries on npm, dagre brings a graph library with it, elkjs 1.5 MB, d3-dag a solver of linear programs; for two hundred boxes
 * the textbook is enough.
 */

export interface Size {
  readonly width: number;
  readonly height: number;
}

export interface Point {
  readonly x: number;
  readonly y: number;
}

export type Rectangle = Point & Size;

export interface Layout {
  readonly width: number;
  readonly height: number;
  /** One for each box, in their order. */
  readonly boxes: readonly Rectangle[];
  /** One for each edge, in their order: its points, from the box it leaves to the one it enters. */
  readonly edges: readonly (readonly Point[])[];
}

export type Ends = readonly [from: number, to: number];

const columnGap = 70;
const rowGap = 22;
const islandGap = 40;

/** How often the layers' order is gone over; more finds hardly fewer crossings. */
const sweeps = 8;

/** A box, or the place where an edge passes a column. */
interface Vertex {
  readonly box: number | undefined;
  readonly height: number;
  readonly layer: number;
  readonly before: number[];
  readonly after: number[];
}

/** `edges` name boxes by their index. */
export function layoutOf(sizes: readonly Size[], edges: readonly Ends[]): Layout {
  const islands = islandsOf(sizes.length, edges).map((members) => {
    const inside = edges.map((_, index) => index).filter((index) => members.has(edges[index]?.[0] ?? -1));
    return islandLayout([...members], inside, sizes, edges);
  });
  return packed(sizes.length, edges.length, islands);
}

/** The boxes that hang together, in the order of their first ones. */
function islandsOf(count: number, edges: readonly Ends[]): readonly ReadonlySet<number>[] {
  const neighbours = Array.from({ length: count }, (): number[] => []);
  for (const [from, to] of edges) {
    neighbours[from]?.push(to);
    neighbours[to]?.push(from);
  }
  const seen = new Set<number>();
  const islands: Set<number>[] = [];
  for (let first = 0; first < count; first += 1) {
    if (seen.has(first)) {
      continue;
    }
    const island = new Set([first]);
    for (const box of island) {
      seen.add(box);
      for (const neighbour of neighbours[box] ?? []) {
        island.add(neighbour);
      }
    }
    islands.push(new Set([...island].sort((a, b) => a - b)));
  }
  return islands;
}

interface Island {
  readonly width: number;
  readonly height: number;
  readonly boxes: ReadonlyMap<number, Rectangle>;
  readonly edges: ReadonlyMap<number, readonly Point[]>;
}

/** Puts islands beside each other in rows, those of a row as high as the highest. */
function packed(boxCount: number, edgeCount: number, islands: readonly Island[]): Layout {
  const area = islands.reduce((sum, { width, height }) => sum + (width + islandGap) * (height + islandGap), 0);
  const widest = islands.reduce((most, { width }) => Math.max(most, width), Math.sqrt(area * 1.6));
  const boxes = Array.from({ length: boxCount }, (): Rectangle => ({ x: 0, y: 0, width: 0, height: 0 }));
  const edges = Array.from({ length: edgeCount }, (): readonly Point[] => []);
  let [x, y, rowHeight, farthest] = [0, 0, 0, 0];
  for (const island of islands) {
    if (x > 0 && x + island.width > widest) {
      [x, y, rowHeight] = [0, y + rowHeight + islandGap, 0];
    }
    for (const [index, box] of island.boxes) {
      boxes[index] = { ...box, x: box.x + x, y: box.y + y };
    }
    for (const [index, points] of island.edges) {
      edges[index] = points.map((point) => ({ x: point.x + x, y: point.y + y }));
    }
    farthest = Math.max(farthest, x + island.width);
    rowHeight = Math.max(rowHeight, island.height);
    x += island.width + islandGap;
  }
  return { width: farthest, height: y + rowHeight, boxes, edges };
}

function islandLayout(members: readonly number[], inside: readonly number[], sizes: readonly Size[], edges: readonly Ends[]): Island {
  const ends = (edge: number): Ends => edges[edge] ?? [0, 0];
  const backward = backwardEdges(members, inside, ends);
  const forth = (edge: number): Ends => (backward.has(edge) ? [ends(edge)[1], ends(edge)[0]] : ends(edge));
  const between = inside.filter((edge) => ends(edge)[0] !== ends(edge)[1]);
  const layers = layersOf(members, between.map(forth));
  const vertices: Vertex[] = members.map((box) => ({ box, height: sizes[box]?.height ?? 0, layer: layers.get(box) ?? 0, before: [], after: [] }));
  const ofBox = new Map(members.map((box, index) => [box, index]));
  const paths = new Map<number, readonly number[]>();
  for (const edge of between) {
    paths.set(edge, passed(vertices, forth(edge).map((box) => ofBox.get(box) ?? 0)));
  }
  const order = fewestCrossings(vertices);
  const middles = rows(vertices, order);
  const columns = order.map((layer) => layer.reduce((most, index) => Math.max(most, widthOf(vertices[index], sizes)), 0));
  const lefts = columns.map((_, layer) => columns.slice(0, layer).reduce((sum, width) => sum + width + columnGap, 0));
  const boxes = new Map<number, Rectangle>();
  for (const [index, { box, height, layer }] of vertices.entries()) {
    if (box !== undefined) {
      const width = sizes[box]?.width ?? 0;
      boxes.set(box, { x: (lefts[layer] ?? 0) + ((columns[layer] ?? 0) - width) / 2, y: (middles[index] ?? 0) - height / 2, width, height });
    }
  }
  const lines = new Map<number, readonly Point[]>();
  for (const [edge, path] of paths) {
    const through = path.slice(1, -1).flatMap((index) => {
      const layer = vertices[index]?.layer ?? 0;
      const [x, y] = [lefts[layer] ?? 0, middles[index] ?? 0];
      return [{ x, y }, { x: x + (columns[layer] ?? 0), y }];
    });
    lines.set(edge, backward.has(edge) ? through.reverse() : through);
  }
  const routed = ported(inside, ends, backward, boxes, lines);
  const loops = inside.some((edge) => ends(edge)[0] === ends(edge)[1]) ? loopRoom : 0;
  return {
    width: (lefts.at(-1) ?? 0) + (columns.at(-1) ?? 0) + loops,
    height: vertices.reduce((most, { height }, index) => Math.max(most, (middles[index] ?? 0) + height / 2), 0),
    boxes,
    edges: routed,
  };
}

function widthOf(vertex: Vertex | undefined, sizes: readonly Size[]): number {
  return vertex?.box === undefined ? 0 : (sizes[vertex.box]?.width ?? 0);
}

/** Edges that lead back to a box that led to them, met by going along the edges from each box in turn. Without recursion: chains are long. */
function backwardEdges(members: readonly number[], inside: readonly number[], ends: (edge: number) => Ends): ReadonlySet<number> {
  const leaving = new Map(members.map((box): [number, number[]] => [box, []]));
  for (const edge of inside) {
    leaving.get(ends(edge)[0])?.push(edge);
  }
  const backward = new Set<number>();
  const state = new Map<number, 'open' | 'done'>();
  for (const root of members) {
    const path = state.has(root) ? [] : [{ box: root, next: 0 }];
    while (path.length > 0) {
      const here = path.at(-1) ?? { box: root, next: 0 };
      state.set(here.box, 'open');
      const edge = leaving.get(here.box)?.[here.next];
      here.next += 1;
      if (edge === undefined) {
        state.set(here.box, 'done');
        path.pop();
        continue;
      }
      const to = ends(edge)[1];
      if (state.get(to) === 'open') {
        backward.add(edge);
      } else if (!state.has(to)) {
        path.push({ box: to, next: 0 });
      }
    }
  }
  return backward;
}

/** For each box the length of the longest way to it. The edges have no circle. */
function layersOf(members: readonly number[], edges: readonly Ends[]): ReadonlyMap<number, number> {
  const layers = new Map(members.map((box) => [box, 0]));
  const open = new Map(members.map((box) => [box, 0]));
  const after = new Map(members.map((box): [number, number[]] => [box, []]));
  for (const [from, to] of edges) {
    open.set(to, (open.get(to) ?? 0) + 1);
    after.get(from)?.push(to);
  }
  const ready = members.filter((box) => open.get(box) === 0);
  for (const box of ready) {
    for (const to of after.get(box) ?? []) {
      layers.set(to, Math.max(layers.get(to) ?? 0, (layers.get(box) ?? 0) + 1));
      const rest = (open.get(to) ?? 0) - 1;
      open.set(to, rest);
      if (rest === 0) {
        ready.push(to);
      }
    }
  }
  return layers;
}

/** The vertices of an edge from left to right; those between its ends are new. */
function passed(vertices: Vertex[], [from = 0, to = 0]: readonly number[]): readonly number[] {
  const path = [from];
  const [first, last] = [vertices[from]?.layer ?? 0, vertices[to]?.layer ?? 0];
  for (let layer = first + 1; layer < last; layer += 1) {
    path.push(vertices.push({ box: undefined, height: 0, layer, before: [], after: [] }) - 1);
  }
  path.push(to);
  for (const [index, vertex] of path.entries()) {
    const next = path[index + 1];
    if (next !== undefined) {
      vertices[vertex]?.after.push(next);
      vertices[next]?.before.push(vertex);
    }
  }
  return path;
}

/** The layers, each in an order in which few edges cross: back and forth, each vertex to the middle of its neighbours. */
function fewestCrossings(vertices: readonly Vertex[]): readonly (readonly number[])[] {
  const count = vertices.reduce((most, { layer }) => Math.max(most, layer), 0) + 1;
  let order: number[][] = Array.from({ length: count }, () => []);
  for (const [index, { layer }] of vertices.entries()) {
    order[layer]?.push(index);
  }
  let best = { order, crossings: crossings(vertices, order) };
  for (let sweep = 0; sweep < sweeps && best.crossings > 0; sweep += 1) {
    const side = sweep % 2 === 0 ? 'before' : 'after';
    const turned = side === 'before' ? order : [...order].reverse();
    const places = new Map<number, number>();
    const sorted = turned.map((layer) => {
      const wanted = new Map(
        layer.map((index, at) => {
          const neighbours = (vertices[index]?.[side] ?? []).flatMap((neighbour) => places.get(neighbour) ?? []);
          return [index, neighbours.length === 0 ? at : neighbours.reduce((sum, place) => sum + place, 0) / neighbours.length];
        }),
      );
      const next = [...layer].sort((a, b) => (wanted.get(a) ?? 0) - (wanted.get(b) ?? 0));
      next.forEach((index, at) => places.set(index, at));
      return next;
    });
    order = side === 'before' ? sorted : sorted.reverse();
    const now = crossings(vertices, order);
    best = now < best.crossings ? { order, crossings: now } : best;
  }
  return best.order;
}

/** How many pairs of edges between neighbouring layers cross: inversions, counted in a tree of sums. */
function crossings(vertices: readonly Vertex[], order: readonly (readonly number[])[]): number {
  let found = 0;
  for (const [layer, left] of order.entries()) {
    const right = new Map((order[layer + 1] ?? []).map((index, at) => [index, at]));
    const sums = new Array<number>(right.size + 1).fill(0);
    let seen = 0;
    for (const index of left) {
      const places = (vertices[index]?.after ?? []).flatMap((after) => right.get(after) ?? []);
      for (const place of places) {
        let upTo = 0;
        for (let at = place + 1; at > 0; at -= at & -at) {
          upTo += sums[at] ?? 0;
        }
        found += seen - upTo;
      }
      for (const place of places) {
        for (let at = place + 1; at < sums.length; at += at & -at) {
          sums[at] = (sums[at] ?? 0) + 1;
        }
        seen += 1;
      }
    }
  }
  return found;
}

/** The vertical middle of each vertex: near those of its neighbours, in the layer's order and without touching. */
function rows(vertices: readonly Vertex[], order: readonly (readonly number[])[]): readonly number[] {
  const middles = vertices.map(() => 0);
  for (const layer of order) {
    settle(vertices, layer, middles);
  }
  for (let sweep = 0; sweep < sweeps; sweep += 1) {
    const side = sweep % 2 === 0 ? 'before' : 'after';
    for (const layer of side === 'before' ? order : [...order].reverse()) {
      for (const index of layer) {
        const neighbours = vertices[index]?.[side] ?? [];
        if (neighbours.length > 0) {
          middles[index] = neighbours.reduce((sum, neighbour) => sum + (middles[neighbour] ?? 0), 0) / neighbours.length;
        }
      }
      settle(vertices, layer, middles);
    }
  }
  const top = vertices.reduce((least, { height }, index) => Math.min(least, (middles[index] ?? 0) - height / 2), Infinity);
  return middles.map((middle) => middle - top);
}

/**
 * Moves a layer's vertices as little as it takes (in the sum of squares) to keep their order and distances: where two would touch
 * they become one block at the mean of what they want.
 */
function settle(vertices: readonly Vertex[], layer: readonly number[], middles: number[]): void {
  const blocks: { sum: number; members: { index: number; offset: number }[] }[] = [];
  let offset = 0;
  let previous: number | undefined;
  for (const index of layer) {
    const height = vertices[index]?.height ?? 0;
    offset += previous === undefined ? 0 : (previous + height) / 2 + rowGap;
    previous = height;
    blocks.push({ sum: (middles[index] ?? 0) - offset, members: [{ index, offset }] });
    for (;;) {
      const [upper, lower] = [blocks.at(-2), blocks.at(-1)];
      if (!upper || !lower || upper.sum / upper.members.length < lower.sum / lower.members.length) {
        break;
      }
      upper.sum += lower.sum;
      upper.members.push(...lower.members);
      blocks.pop();
    }
  }
  for (const { sum, members } of blocks) {
    for (const member of members) {
      middles[member.index] = sum / members.length + member.offset;
    }
  }
}

/** How far an edge from a box to itself reaches beyond it. */
const loopRoom = 36;

/** Each edge with its ends on the sides of its boxes, spread over the side in the order of where they come from. */
function ported(
  inside: readonly number[],
  ends: (edge: number) => Ends,
  backward: ReadonlySet<number>,
  boxes: ReadonlyMap<number, Rectangle>,
  lines: ReadonlyMap<number, readonly Point[]>,
): ReadonlyMap<number, readonly Point[]> {
  const middle = (box: number): number => (boxes.get(box)?.y ?? 0) + (boxes.get(box)?.height ?? 0) / 2;
  const sides = new Map<string, { edge: number; start: boolean; towards: number }[]>();
  const port = (box: number, right: boolean, edge: number, start: boolean, towards: number): void => {
    const key = `${box}${right ? 'r' : 'l'}`;
    sides.set(key, [...(sides.get(key) ?? []), { edge, start, towards }]);
  };
  for (const edge of inside) {
    const [from, to] = ends(edge);
    const line = lines.get(edge) ?? [];
    const leavesRight = from === to || !backward.has(edge);
    port(from, leavesRight, edge, true, line[0]?.y ?? middle(to));
    port(to, from === to || !leavesRight, edge, false, line.at(-1)?.y ?? middle(from));
  }
  const starts = new Map<number, Point>();
  const stops = new Map<number, Point>();
  for (const [key, ports] of sides) {
    const box = boxes.get(Number.parseInt(key, 10)) ?? { x: 0, y: 0, width: 0, height: 0 };
    const x = key.endsWith('r') ? box.x + box.width : box.x;
    ports.sort((a, b) => a.towards - b.towards);
    for (const [at, { edge, start }] of ports.entries()) {
      (start ? starts : stops).set(edge, { x, y: box.y + (box.height * (at + 1)) / (ports.length + 1) });
    }
  }
  return new Map(
    inside.map((edge) => {
      const [start, stop] = [starts.get(edge), stops.get(edge)];
      const [from, to] = ends(edge);
      const reach = (start?.x ?? 0) + loopRoom - 10;
      const through = from === to ? [start, stop].flatMap((end) => (end ? [{ x: reach, y: end.y }] : [])) : (lines.get(edge) ?? []);
      return [edge, [start, ...through, stop].filter((point) => point !== undefined)];
    }),
  );
}
