/**
 * The Task Graph as a drawing: the elements of an SVG, which the page builds one by one (so that no text of the debuggee is ever
 * parsed) and the export writes down. Looks are classes; the page and the exported file each have their own style for them.
 */

import type { Box, Edge, Graph } from './graph';
import { boxDetails, boxSentence, boxTitle, problemNames } from './graphText';
import { layoutOf, type Point, type Rectangle } from './layout';

/** An element of the drawing. `box` marks the group of a box, by its key. */
export interface Element {
  readonly tag: 'g' | 'rect' | 'path' | 'text' | 'title';
  readonly attributes: Readonly<Record<string, string>>;
  readonly text?: string;
  readonly children: readonly Element[];
  readonly box?: string;
}

export interface Drawing {
  readonly width: number;
  readonly height: number;
  readonly elements: readonly Element[];
}

/** Width of a character of a monospaced font of 12 px, which is a little more than that of any. */
const character = 7.4;
const lineHeight = 17;
const padding = 9;
const margin = 24;

/** The longest line in a box, in characters; what is longer ends in `…`, and whole texts are in the title. */
const longest = 38;

/** With more edges than these their labels would cover each other. */
const labelledEdges = 80;

interface Lines {
  readonly marks: string;
  readonly title: string;
  readonly details: readonly string[];
}

export function drawingOf(graph: Graph): Drawing {
  const lines = graph.boxes.map((box) => linesOf(graph, box));
  const sizes = lines.map(({ marks, title, details }) => {
    const all = [...(marks === '' ? [] : [marks]), title, ...details];
    const width = Math.max(110, ...all.map((line) => columns(line) * character)) + 2 * padding;
    return { width, height: all.length * lineHeight + 2 * padding - 3 };
  });
  const indices = new Map(graph.boxes.map(({ key }, index) => [key, index]));
  const layout = layoutOf(sizes, graph.edges.map(({ from, to }) => [indices.get(from) ?? 0, indices.get(to) ?? 0] as const));
  const labelled = graph.edges.length <= labelledEdges;
  const edges = graph.edges.map((edge, index) => edgeElement(graph, edge, (layout.edges[index] ?? []).map(inset), labelled));
  const boxes = graph.boxes.map((box, index) => {
    const place = layout.boxes[index] ?? { x: 0, y: 0, width: 0, height: 0 };
    return boxElement(graph, box, { ...place, ...inset(place) }, lines[index] ?? { marks: '', title: '', details: [] });
  });
  return { width: layout.width + 2 * margin, height: layout.height + 2 * margin, elements: [...edges, ...boxes] };
}

function inset({ x, y }: Point): Point {
  return { x: x + margin, y: y + margin };
}

function linesOf(graph: Graph, box: Box): Lines {
  return {
    marks: cut(problemNames(graph, box.problems).join(', ')),
    // The end of a path says more than its beginning.
    title: cutFront(boxTitle(box), boxTitle(box).length - box.label.length),
    details: boxDetails(box).map(cut),
  };
}

/** How many columns of a monospaced font a text takes: East Asian letters and emoji take two. */
function columns(text: string): number {
  let sum = 0;
  for (const letter of text) {
    sum += (letter.codePointAt(0) ?? 0) >= 0x1100 && letter !== '…' ? 2 : 1;
  }
  return sum;
}

function cut(text: string): string {
  const letters = Array.from(text.replace(/\s+/g, ' '));
  return letters.length <= longest ? letters.join('') : `${letters.slice(0, longest - 1).join('')}…`;
}

/** Cuts a text's front behind its first `kept` letters. */
function cutFront(text: string, kept: number): string {
  const letters = Array.from(text.replace(/\s+/g, ' '));
  return letters.length <= longest ? letters.join('') : [...letters.slice(0, kept), '…', ...letters.slice(letters.length - longest + kept + 1)].join('');
}

function boxElement(graph: Graph, box: Box, place: Rectangle, { marks, title, details }: Lines): Element {
  const said = boxSentence(graph, box);
  const merged = (box.kind === 'task' ? box.tasks : box.resources).length > 1;
  const classes = ['box', box.kind, ...(merged ? ['merged'] : []), ...(box.problems.length > 0 ? ['circle'] : []), ...(box.kind === 'task' ? [`state-${box.state ?? 'unknown'}`] : [])];
  const { x, y, width, height } = place;
  const rectangle = (className: string, by: number): Element => {
    const at = { x: round(x + by), y: round(y + by), width: round(width), height: round(height), rx: box.kind === 'resource' ? '14' : '3' };
    return { tag: 'rect', attributes: { class: className, ...at }, children: [] };
  };
  const rows = [...(marks === '' ? [] : [['marks', marks] as const]), ['name', title] as const, ...details.map((line) => ['detail', line] as const)];
  const texts = rows.map(([className, text], row): Element => {
    const at = { x: round(x + padding), y: round(y + padding + 10 + row * lineHeight) };
    return { tag: 'text', attributes: { class: className, ...at }, text, children: [] };
  });
  return {
    tag: 'g',
    attributes: { class: classes.join(' '), role: 'button', 'aria-label': said },
    box: box.key,
    children: [
      { tag: 'title', attributes: {}, text: said, children: [] },
      ...(merged ? [rectangle('shadow', 4)] : []),
      rectangle('frame', 0),
      ...texts,
    ],
  };
}

function edgeElement(graph: Graph, edge: Edge, points: readonly Point[], labelled: boolean): Element {
  const marks = problemNames(graph, edge.problems);
  const label = `${edge.label}${edge.count > 1 ? ` ×${edge.count}` : ''}`;
  const classes = ['edge', edge.kind, ...(marks.length > 0 ? ['circle'] : [])];
  const [a, b] = [points[Math.floor((points.length - 1) / 2)], points[Math.ceil((points.length - 1) / 2)]];
  const middle = points.length % 2 === 1 ? points[(points.length - 1) / 2] : a && b && { x: (a.x + b.x) / 2, y: (a.y + b.y) / 2 };
  const text: Element[] =
    labelled && middle ? [{ tag: 'text', attributes: { class: 'label', x: round(middle.x), y: round(middle.y - 4), 'text-anchor': 'middle' }, text: label, children: [] }] : [];
  return {
    tag: 'g',
    attributes: { class: classes.join(' '), 'data-from': edge.from, 'data-to': edge.to },
    children: [
      { tag: 'title', attributes: {}, text: [label, ...marks].join(', '), children: [] },
      { tag: 'path', attributes: { class: 'line', d: curve(points) }, children: [] },
      { tag: 'path', attributes: { class: 'arrow', d: arrow(points) }, children: [] },
      ...text,
    ],
  };
}

/** A line through points that leaves and enters each horizontally, in the direction of the whole edge. */
function curve(points: readonly Point[]): string {
  const [first, ...others] = points;
  if (!first) {
    return '';
  }
  let from = first;
  const parts = [`M${round(from.x)} ${round(from.y)}`];
  for (const to of others) {
    const bend = (to.x - from.x) / 2;
    // A vertical stretch (of an edge from a box to itself) is a straight line.
    parts.push(bend === 0 ? `L${round(to.x)} ${round(to.y)}` : `C${round(from.x + bend)} ${round(from.y)} ${round(to.x - bend)} ${round(to.y)} ${round(to.x)} ${round(to.y)}`);
    from = to;
  }
  return parts.join('');
}

/** A triangle at the end of an edge, which enters its box horizontally. */
function arrow(points: readonly Point[]): string {
  const [before, tip] = points.slice(-2);
  if (!before || !tip) {
    return '';
  }
  const back = before.x < tip.x ? -8 : 8;
  return `M${round(tip.x)} ${round(tip.y)}l${back} -4v8z`;
}

function round(number: number): string {
  return String(Math.round(number * 10) / 10);
}

/** How an exported file looks: readable on white and on black, printed, and without colours. */
const exportStyle = `
text { font: 12px monospace; fill: #1f1f1f; }
.name { font-weight: bold; }
.label { font-size: 10px; paint-order: stroke; stroke: #ffffff; stroke-width: 3px; }
.frame, .shadow { fill: #f8f8f8; stroke: #616161; }
.resource .frame { fill: #e8f0fa; }
.line { fill: none; stroke: #616161; }
.arrow { fill: #616161; }
.held .line { stroke-dasharray: 6 3; }
.awaits .line { stroke-dasharray: 2 3; }
.circle .frame { stroke: #b01011; stroke-width: 3; }
.circle .line { stroke: #b01011; stroke-width: 2.5; }
.circle .arrow, .circle .marks { fill: #b01011; }
.background { fill: #ffffff; }
`;

/** The drawing as a file of its own. */
export function svgFile(drawing: Drawing, description: string): string {
  const [width, height] = [round(drawing.width), round(drawing.height)];
  return [
    '<?xml version="1.0" encoding="UTF-8"?>',
    `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}" viewBox="0 0 ${width} ${height}">`,
    `<title>Task graph</title><desc>${escaped(description)}</desc><style>${exportStyle}</style>`,
    `<rect class="background" width="${width}" height="${height}"/>`,
    ...drawing.elements.map(written),
    '</svg>\n',
  ].join('\n');
}

function written({ tag, attributes, text, children }: Element): string {
  const all = Object.entries(attributes).map(([name, value]) => ` ${name}="${escaped(value)}"`);
  return `<${tag}${all.join('')}>${escaped(text ?? '')}${children.map(written).join('')}</${tag}>`;
}

/** What XML can hold of a text: not control characters, not half letters. */
function escaped(text: string): string {
  const plain = text.replace(/[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\u{10000}-\u{10ffff}]/gu, '\ufffd');
  return plain.replace(/[&<>"']/g, (sign) => `&#${sign.charCodeAt(0)};`);
}
