import assert from 'node:assert/strict';
import { test } from 'node:test';
import { drawingOf, svgFile, type Element } from '../src/model/drawing';
import { graphOf, maxBoxes, type Graph } from '../src/model/graph';
import { boxName, boxSentence, graphText } from '../src/model/graphText';
import type { Problem, Task, Wait } from '../src/model/protocol';

const source = { name: 'main.rs', path: '/src/main.rs' };

function task(id: number, name: string, more: Partial<Task> = {}): Task {
  return { id, name, kind: 'task', runtime: 1, state: 'waiting', awaitedBy: [], ...more };
}

function wait(kind: string, text: string, more: Partial<Wait> = {}): { waitingOn: Wait } {
  return { waitingOn: { kind, text, holders: [], tasks: [], ...more } };
}

function lock(id: number, type: string, holders: readonly number[]): { waitingOn: Wait } {
  const held = holders.map((holder) => `task ${holder}`).join(' and ');
  return wait('mutex', `lock ${type}, 1st of 1 in the queue, held by ${held}`, { resource: { id, type }, holders });
}

function at(line: number, entry = line): Partial<Task> {
  return { location: { source, line }, entry: { source, line: entry }, frames: 3 };
}

const sleeping = wait('sleep', 'sleep, 59 min 59 s left');

function edges(graph: Graph): string[] {
  const names = new Map(graph.boxes.map((box) => [box.key, boxName(box)]));
  return graph.edges.map(({ from, to, label, count, problems }) => {
    const marks = problems.length > 0 ? ' !' : '';
    return `${names.get(from) ?? '?'} -${label}${count > 1 ? ` ×${count}` : ''}-> ${names.get(to) ?? '?'}${marks}`;
  });
}

/** Two tasks in a circle of locks, a third that waits for one of the locks, main that joins the third. */
const stuck: readonly Task[] = [
  task(1, 'app::main', { ...at(9), ...wait('join', 'join app::bystander', { tasks: [4] }) }),
  task(2, 'app::number_then_text', { ...at(32, 29), ...lock(0x200, 'Mutex<String>', [3]) }),
  task(3, 'app::text_then_number', { ...at(39, 36), ...lock(0x100, 'Mutex<u32>', [2]) }),
  task(4, 'app::bystander', { ...at(59, 57), ...lock(0x100, 'Mutex<u32>', [2]), awaitedBy: [{ task: 1, via: 'join' }] }),
];
const deadlock: Problem = { kind: 'deadlock', severity: 'error', text: '2 tasks wait for each other', tasks: [2, 3], resources: [0x100, 0x200] };

test('a deadlock: boxes, edges, and who is in the circle', () => {
  const graph = graphOf({ tasks: stuck, problems: [deadlock] });
  assert.deepEqual(graph.boxes.map(boxName), [
    'task 1 app::main',
    'task 2 app::number_then_text',
    'task 3 app::text_then_number',
    'task 4 app::bystander',
    'Mutex<String> 0x200',
    'Mutex<u32> 0x100',
  ]);
  assert.deepEqual(graph.boxes.filter(({ problems }) => problems.length > 0).map(({ key }) => key), ['task:2', 'task:3', 'resource:512', 'resource:256']);
  assert.deepEqual(edges(graph), [
    'task 2 app::number_then_text -waits for-> Mutex<String> 0x200 !',
    'Mutex<String> 0x200 -held by-> task 3 app::text_then_number !',
    'task 3 app::text_then_number -waits for-> Mutex<u32> 0x100 !',
    'Mutex<u32> 0x100 -held by-> task 2 app::number_then_text !',
    'task 1 app::main -join-> task 4 app::bystander',
    'task 4 app::bystander -waits for-> Mutex<u32> 0x100',
  ]);
});

test('the text of a graph', () => {
  const text = graphText(graphOf({ tasks: stuck.slice(1, 3), problems: [deadlock] }), ['a note']);
  assert.equal(
    text,
    `Task graph: 2 tasks in 2 boxes, 2 resources
a note

deadlock 1: 2 tasks wait for each other

task 2 app::number_then_text [deadlock 1]
  waiting · main.rs:32
  lock Mutex<String>, 1st of 1 in the queue, held by task 3
  waits for Mutex<String> 0x200 [deadlock 1]
  holds Mutex<u32> 0x100 [deadlock 1]

task 3 app::text_then_number [deadlock 1]
  waiting · main.rs:39
  lock Mutex<u32>, 1st of 1 in the queue, held by task 2
  waits for Mutex<u32> 0x100 [deadlock 1]
  holds Mutex<String> 0x200 [deadlock 1]

Mutex<String> 0x200 [deadlock 1]
  held by task 3 app::text_then_number [deadlock 1]
  waited for by task 2 app::number_then_text [deadlock 1]

Mutex<u32> 0x100 [deadlock 1]
  held by task 2 app::number_then_text [deadlock 1]
  waited for by task 3 app::text_then_number [deadlock 1]
`,
  );
  const [first] = graphOf({ tasks: [task(7, 'a\nfake line', sleeping)], problems: [] }).boxes;
  assert.ok(first);
  assert.equal(graphText({ boxes: [first], edges: [], problems: [], left: { boxes: 3, tasks: 40, edges: 2 }, tasks: 1 }).split('\n\n')[0], [
    'Task graph: 1 task in 1 box',
    '3 more boxes with 40 tasks are left out: the picture would be too large.',
    '2 more edges are left out: the picture would be too large.',
  ].join('\n'));
  assert.match(graphText(graphOf({ tasks: [task(7, 'a\nfake line', sleeping)], problems: [] })), /^task 7 a fake line$/m);
});

test('tasks with the same entry, state, place and wait are one box; each difference makes another', () => {
  const same = [1, 2, 3].map((id) => task(id, `sleeper-${id}`, { ...at(12), ...wait('sleep', `sleep, ${id} min 5 s left`) }));
  const [box, ...none] = graphOf({ tasks: same, problems: [] }).boxes;
  assert.ok(box?.kind === 'task' && none.length === 0);
  assert.deepEqual([box.tasks.map(({ id }) => id), box.label, box.wait], [[1, 2, 3], 'sleeper-…', 'sleep, … min 5 s left']);
  const others: Partial<Task>[] = [at(13, 12), at(12, 11), { state: 'ready' }, { runtime: 2 }, { kind: 'root' }, { frames: 4 }, wait('io', 'read, fd 3'), { error: 'cut off' }];
  for (const other of others) {
    const [first] = same;
    assert.ok(first);
    assert.equal(graphOf({ tasks: [...same, { ...first, id: 9, ...other }], problems: [] }).boxes.length, 2, JSON.stringify(other));
  }
});

test('places in a queue, peers and times do not keep tasks apart', () => {
  const texts = [
    'lock Mutex<u8>, 1st of 2 in the queue, held by task 3',
    'lock Mutex<u8>, 2nd of 2 in the queue, held by task 3 and task 4',
    'lock Mutex<u8>, held by task 3, task 5 and task 6',
    'lock Mutex<u8>',
  ];
  assert.equal(graphOf({ tasks: texts.map((text, id) => task(id, 'f', wait('mutex', text))), problems: [] }).boxes.length, 1);
  const reads = ['read, fd 9, peer 10.0.0.7:5432', 'read, fd 11, peer [::1]:80; timeout in 3.0 s', 'read, fd 12, peer /run/x; timeout in 59 min 2 s'];
  assert.equal(graphOf({ tasks: reads.map((text, id) => task(id, 'f', wait('io', text))), problems: [] }).boxes.length, 2);
});

test('of tasks with one stack the one that has the lock is told from those that want it', () => {
  const workers = [1, 2, 3, 4].map((id) => task(id, 'worker', { ...at(20), ...(id === 4 ? sleeping : lock(0x100, 'Mutex', [4])) }));
  const sleepers = [5, 6].map((id) => task(id, 'worker', { ...at(20), ...sleeping }));
  const graph = graphOf({ tasks: [...workers, ...sleepers], problems: [] });
  assert.deepEqual(graph.boxes.map((box) => (box.kind === 'task' ? box.tasks.map(({ id }) => id) : box.label)), [[1, 2, 3], [4], [5, 6], 'Mutex']);
  assert.deepEqual(edges(graph), ['3 × worker -waits for ×3-> Mutex 0x100', 'Mutex 0x100 -held by-> task 4 worker']);
});

test('resources that one task each waits for are merged with their tasks, and a box that is opened shows its members', () => {
  const tasks = [1, 2, 3].flatMap((id) => [
    task(id, 'client', { ...at(5), ...wait('channel', 'receive', { resource: { id: 0x1000 + id, type: 'oneshot' }, holders: [id + 10] }) }),
    task(id + 10, 'server', { ...at(8), ...sleeping }),
  ]);
  const closed = graphOf({ tasks, problems: [] });
  assert.deepEqual(edges(closed), ['3 × client -waits for ×3-> 3 × oneshot', '3 × oneshot -held by ×3-> 3 × server']);
  const opened = graphOf({ tasks, problems: [] }, { open: new Set(['task:1', 'task:2', 'task:3']) });
  const [clients, servers] = [['task 1 client', 'task 2 client', 'task 3 client'], ['task 11 server', 'task 12 server', 'task 13 server']];
  assert.deepEqual(opened.boxes.map(boxName).sort(), ['oneshot 0x1001', 'oneshot 0x1002', 'oneshot 0x1003', ...clients, ...servers].sort());
});

test('a task that waits for itself, ids that are not listed, and both words for one await', () => {
  const self = task(1, 'f', lock(0x100, 'Mutex', [1, 99]));
  const joiner = task(2, 'g', wait('group', 'JoinSet of 2', { tasks: [1, 98] }));
  const joined = { ...self, awaitedBy: [{ task: 2, via: 'joinset' }, { task: 97, via: 'join' }] };
  const problem = { kind: 'futurelock', severity: 'error', text: 'left behind', tasks: [1, 96], resources: [0x100] };
  const graph = graphOf({ tasks: [joined, joiner], problems: [{ ...problem, kind: 'blocking-in-async' }, problem] });
  assert.deepEqual(edges(graph), ['task 2 g -joinset-> task 1 f', 'task 1 f -waits for-> Mutex 0x100 !', 'Mutex 0x100 -held by-> task 1 f !']);
  assert.deepEqual(graph.problems.map(({ kind }) => kind), ['futurelock']);
});

test('10,000 tasks of few kinds are few boxes', () => {
  const tasks = Array.from({ length: 10_000 }, (_, id) => {
    const kind = id % 5;
    const held = kind === 0 ? lock(0x100, 'Mutex', [7]) : kind === 1 ? wait('channel', 'receive', { resource: { id: 0x10000 + id, type: 'oneshot' }, holders: [id + 1] }) : sleeping;
    return task(id, `kind${kind}`, { ...at(10 * kind), ...held, awaitedBy: kind === 4 ? [{ task: id - 2, via: 'join' }] : [] });
  });
  const graph = graphOf({ tasks, problems: [] });
  assert.equal(graph.tasks, 10_000);
  assert.ok(graph.boxes.length < 12, `${graph.boxes.length} boxes`);
  assert.deepEqual(graph.boxes.reduce((sum, box) => sum + (box.kind === 'task' ? box.tasks.length : 0), 0), 10_000);
  assert.ok(edges(graph).includes('2000 × kind0 -waits for ×2000-> Mutex 0x100'));
});

test('a chain of 10,000 and a circle of 10,000 are merged, too', () => {
  const chain = Array.from({ length: 10_000 }, (_, id) => task(id, 'link', { ...at(3), ...wait('join', 'join link', { tasks: [id + 1] }) }));
  assert.equal(graphOf({ tasks: chain, problems: [] }).boxes.length, 7);
  const philosophers = Array.from({ length: 5000 }, (_, id) => task(id, 'eats', { ...at(3), ...lock(0x10000 + id, 'Fork', [(id + 1) % 5000]) }));
  const circle = { ...deadlock, tasks: philosophers.map(({ id }) => id), resources: philosophers.map(({ id }) => 0x10000 + id) };
  const graph = graphOf({ tasks: philosophers, problems: [circle] });
  assert.deepEqual(edges(graph), ['5000 × eats -waits for ×5000-> 5000 × Fork !', '5000 × Fork -held by ×5000-> 5000 × eats !']);
  const few = philosophers.slice(0, 5).map((one) => ({ ...one, ...lock(0x10000 + one.id, 'Fork', [(one.id + 1) % 5]) }));
  assert.equal(graphOf({ tasks: few, problems: [{ ...circle, tasks: [0, 1, 2, 3, 4] }] }).boxes.length, 10);
});

test('a thousand problems of one kind are merged like their tasks', () => {
  const tasks = Array.from({ length: 1000 }, (_, id) => task(id, 'receives', { ...at(3), ...lock(0x10000 + id, 'channel', [id]) }));
  const problems = tasks.map(({ id }) => ({ ...deadlock, tasks: [id], resources: [0x10000 + id] }));
  const graph = graphOf({ tasks, problems });
  assert.deepEqual(edges(graph), ['1000 × receives -waits for ×1000-> 1000 × channel !', '1000 × channel -held by ×1000-> 1000 × receives !']);
  assert.deepEqual(graph.boxes[0]?.problems.length, 1000);
  assert.match(graphText(graph), /^1000 × receives \[deadlock 1, deadlock 2, deadlock 3, 997 more problems\]$/m);
});

test('where merging is not enough, the circle and what is linked stay, and the rest is counted', () => {
  const distinct = Array.from({ length: 3 * maxBoxes }, (_, id) => task(id + 10, `f${id}`, sleeping));
  const graph = graphOf({ tasks: [...distinct, ...stuck], problems: [deadlock] });
  assert.equal(graph.boxes.length, maxBoxes);
  assert.deepEqual(graph.left, { boxes: 2 * maxBoxes + 6, tasks: 2 * maxBoxes + 6, edges: 0 });
  assert.equal(graph.edges.length, 6);
});

function all(elements: readonly Element[]): Element[] {
  return elements.flatMap((element) => [element, ...all(element.children)]);
}

test('the drawing has a labelled group for each box, and text is never markup', () => {
  const graph = graphOf({ tasks: [...stuck, task(9, '<script>alert("&")</script>\u0000\ud800', sleeping)], problems: [deadlock] });
  const drawing = drawingOf(graph);
  const groups = drawing.elements.filter(({ box }) => box !== undefined);
  assert.deepEqual(groups.map(({ box }) => box), graph.boxes.map(({ key }) => key));
  const circle = groups[1];
  assert.ok(circle);
  assert.equal(circle.attributes['class'], 'box task circle state-waiting');
  assert.equal(circle.attributes['aria-label'], graph.boxes[1] && boxSentence(graph, graph.boxes[1]));
  assert.deepEqual(all([circle]).flatMap(({ tag, text }) => (tag === 'text' ? text : [])), [
    'deadlock 1',
    'app::number_then_text',
    'task 2 · waiting · main.rs:32',
    'lock Mutex<String>, 1st of 1 in the q…',
  ]);
  const file = svgFile(drawing, 'a < b');
  assert.doesNotMatch(file, /<script/);
  assert.match(file, /&#60;script&#62;alert\(&#34;&#38;&#34;\)&#60;\/script&#62;\ufffd\ufffd</);
  assert.equal(file.match(/<g class="box /g)?.length, 7);
  assert.equal(file.match(/<g class="edge [a-z]+ circle"/g)?.length, 4);
});
