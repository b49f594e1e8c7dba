/**
 * The page of the Task Graph: shows what it is sent and says what the user chose. It knows nothing of tasks.
 *
 * **Invariant:** text of the debuggee is set as text, never as markup: elements are made one by one.
 */

import type { Element as Drawn } from '../model/drawing';
import type { BoxDetails, FromPage, GraphView, LegendEntry, ToPage } from '../model/graphMessages';
import { Camera, type Place } from './camera';

interface Host {
  postMessage(message: FromPage): void;
  getState(): unknown;
  setState(state: unknown): void;
}
declare function acquireVsCodeApi(): Host;

const host = acquireVsCodeApi();
const picture = part('picture') as Element as SVGSVGElement;
const scene = part('scene') as Element as SVGGElement;
const status = part('status');
const legend = part('legend');
const details = part('details');

const camera = new Camera(picture, scene, host.getState(), (state) => {
  host.setState(state);
});

let shown: GraphView | undefined;
/** The entry of the legend that is chosen, by its name. */
let chosen: string | undefined;

window.addEventListener('message', ({ data }: MessageEvent<ToPage>) => {
  if (data.type === 'view') {
    show(data);
  } else {
    showDetails(data);
  }
});

for (const type of ['mergeAgain', 'saveSvg', 'saveText', 'copyText'] as const) {
  part(type).addEventListener('click', () => {
    host.postMessage({ type });
  });
}
part('fit').addEventListener('click', () => {
  camera.fit();
});
part('nearer').addEventListener('click', () => {
  camera.zoom(1.25);
});
part('farther').addEventListener('click', () => {
  camera.zoom(0.8);
});
host.postMessage({ type: 'ready' });

function part(id: string): HTMLElement {
  const found = document.getElementById(id);
  if (!found) {
    throw new Error(`The page has no ${id}.`);
  }
  return found;
}

function show(view: GraphView): void {
  const before = shown;
  shown = view;
  setText(status, view.status);
  document.body.classList.toggle('past', !view.current);
  document.body.classList.toggle('empty', !view.drawing);
  part('mergeAgain').toggleAttribute('disabled', !view.opened);
  for (const id of ['fit', 'nearer', 'farther', 'saveSvg', 'saveText', 'copyText']) {
    part(id).toggleAttribute('disabled', !view.drawing);
  }
  if (before?.version === view.version) {
    return;
  }
  const focused = document.activeElement?.closest<SVGElement>('[data-box]')?.dataset['box'];
  scene.replaceChildren(...(view.drawing?.elements ?? []).map(made));
  details.replaceChildren();
  setText(part('words'), view.text);
  part('notes').replaceChildren(...view.notes.map((note) => element('li', note)));
  legend.replaceChildren(...view.legend.map(legendRow));
  camera.resize(view.drawing ?? { width: 0, height: 0 });
  choose(view.legend.find(({ name }) => name === chosen));
  if (focused !== undefined) {
    boxOf(focused)?.focus({ preventScroll: true });
  }
}

/** An element of the drawing as one of the page. */
function made({ tag, attributes, text, children, box }: Drawn): SVGElement {
  const node = document.createElementNS('http://www.w3.org/2000/svg', tag);
  for (const [name, value] of Object.entries(attributes)) {
    node.setAttribute(name, value);
  }
  if (box !== undefined) {
    node.dataset['box'] = box;
    node.setAttribute('tabindex', '0');
  }
  if (text !== undefined) {
    node.textContent = text;
  }
  node.append(...children.map(made));
  return node;
}

function legendRow(entry: LegendEntry): HTMLElement {
  const button = element('button', '');
  button.dataset['name'] = entry.name;
  button.append(element('strong', entry.name), ` ${entry.text}`);
  button.addEventListener('click', () => {
    choose(chosen === entry.name ? undefined : entry);
    const [first] = entry.boxes;
    if (chosen !== undefined && first !== undefined) {
      camera.bring(boxOf(first));
    }
  });
  const row = element('li', '');
  row.append(button);
  return row;
}

/** Shows a circle alone: everything else is dimmed. */
function choose(entry: LegendEntry | undefined): void {
  chosen = entry?.name;
  const boxes = new Set(entry?.boxes);
  picture.classList.toggle('one', entry !== undefined);
  for (const button of legend.querySelectorAll('button')) {
    button.setAttribute('aria-pressed', String(button.dataset['name'] === chosen));
  }
  for (const node of scene.querySelectorAll<SVGElement>('.box, .edge')) {
    const { box, from, to } = node.dataset;
    const among = box === undefined ? boxes.has(from ?? '') && boxes.has(to ?? '') : boxes.has(box);
    node.classList.toggle('chosen', among);
  }
}

function showDetails({ box, title, lines, tasks, more }: BoxDetails): void {
  if (!boxOf(box)) {
    return;
  }
  const rows = tasks.map(({ id, label }) => {
    const row = element('li', '');
    row.append(taskButton('code', id, label, `Go to the code of ${label}`), taskButton('stack', id, 'Show Stack', `Show the stack of ${label}`));
    return row;
  });
  const list = element('ul', '');
  list.append(...rows, ...(more > 0 ? [element('li', `and ${more} more`)] : []));
  details.replaceChildren(element('h2', title), ...lines.map((line) => element('p', line)), list);
}

function taskButton(type: 'code' | 'stack', task: number, label: string, meaning: string): HTMLElement {
  const button = element('button', label);
  button.className = type;
  button.setAttribute('aria-label', meaning);
  button.addEventListener('click', () => {
    host.postMessage({ type, task });
  });
  return button;
}

function element<T extends keyof HTMLElementTagNameMap>(tag: T, text: string): HTMLElementTagNameMap[T] {
  const node = document.createElement(tag);
  node.textContent = text;
  return node;
}

/** Sets a text only if it is another one, so that a screen reader does not say it again. */
function setText(node: Element, text: string): void {
  if (node.textContent !== text) {
    node.textContent = text;
  }
}

function boxes(): SVGElement[] {
  return [...scene.querySelectorAll<SVGElement>('[data-box]')];
}

function boxOf(key: string): SVGElement | undefined {
  return boxes().find((node) => node.dataset['box'] === key);
}

function open(node: SVGElement): void {
  const { box } = node.dataset;
  if (box !== undefined) {
    node.focus({ preventScroll: true });
    host.postMessage({ type: 'choose', box });
  }
}

scene.addEventListener('click', ({ target }) => {
  const node = (target as Element).closest<SVGElement>('[data-box]');
  if (node && !camera.dragged) {
    open(node);
  }
});

scene.addEventListener('focusin', ({ target }) => {
  const node = (target as Element).closest<SVGElement>('[data-box]');
  if (node?.matches(':focus-visible')) {
    camera.bring(node);
  }
});

const directions: Readonly<Record<string, Place>> = {
  ArrowLeft: { x: -1, y: 0 },
  ArrowRight: { x: 1, y: 0 },
  ArrowUp: { x: 0, y: -1 },
  ArrowDown: { x: 0, y: 1 },
};

picture.addEventListener('keydown', (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey) {
    return;
  }
  const node = (event.target as Element).closest<SVGElement>('[data-box]');
  const direction = directions[event.key];
  if (direction) {
    if (event.shiftKey || !node) {
      camera.pan(-60 * direction.x, -60 * direction.y);
    } else {
      nearest(node, direction)?.focus();
    }
  } else if (event.key === '+' || event.key === '=') {
    camera.zoom(1.25);
  } else if (event.key === '-') {
    camera.zoom(0.8);
  } else if (event.key === '0') {
    camera.fit();
  } else if (event.key === 'Escape') {
    choose(undefined);
  } else if (node && (event.key === 'Enter' || event.key === ' ')) {
    open(node);
  } else {
    return;
  }
  event.preventDefault();
});

/** The box that lies nearest in a direction; what is off to the side counts as twice as far. */
function nearest(node: SVGElement, direction: Place): SVGElement | undefined {
  const here = middle(node);
  const distance = (other: SVGElement): number => {
    const { x, y } = middle(other);
    const [ahead, aside] = [(x - here.x) * direction.x + (y - here.y) * direction.y, (x - here.x) * direction.y - (y - here.y) * direction.x];
    return ahead <= 1 ? Infinity : ahead + 2 * Math.abs(aside);
  };
  const all = boxes().filter((other) => Number.isFinite(distance(other)));
  return all.sort((a, b) => distance(a) - distance(b))[0];
}

function middle(node: Element): Place {
  const { x, y, width, height } = node.getBoundingClientRect();
  return { x: x + width / 2, y: y + height / 2 };
}
