/**
 * The rows of the Async Call Stack view, as plain data.
 *
 * The adapter tells a tree: the outermost future first, children inward. A call stack is read the other way
 * round, so that each chain is turned: its innermost frame is its first row, and who awaits stands below.
 */

import { type Subject } from './callStack';
import type { Frame } from './protocol';
import { shortPlace } from './rows';

/** `key` names a row by what it is, not by where it stands, so that it stays open when the stack grows above it. */
interface RowBase {
  readonly key: string;
  readonly label: string;
  readonly description: string;
  /** One line of the hover text each. */
  readonly tooltip: readonly string[];
}

/** A function, or the primitive future that all wait for. */
export type FrameRow = RowBase & { readonly kind: 'frame'; readonly frame: Frame };
/** Rows that belong together: branches of a `select!`, one of them, folded frames of a runtime, another task. */
export type GroupRow = RowBase & {
  readonly kind: 'branch' | 'runtime' | 'boundary';
  readonly open: boolean;
  readonly task: number | undefined;
  readonly rows: readonly Row[];
};
export type NoteRow = RowBase & { readonly kind: 'note' };
export type Row = FrameRow | GroupRow | NoteRow;

/** A line that stands for rows which are not there. */
export function noteRow(key: string, label: string): NoteRow {
  return { kind: 'note', key, label, description: '', tooltip: [label] };
}

/** The rows of a task's logical stack. */
export function stackRows(task: Subject, frames: readonly Frame[]): readonly Row[] {
  const parent = `task:${task.id}`;
  if (frames.length === 0) {
    return [noteRow(`${parent}/none`, 'No frames: the task has not been polled yet, or its future could not be read.')];
  }
  return levelRows(parent, frames);
}

/** Frames of one task, the boundaries behind them. */
function levelRows(parent: string, frames: readonly Frame[]): readonly Row[] {
  const own = frames.filter((frame) => frame.kind !== 'boundary');
  const boundaries = frames.filter((frame) => frame.kind === 'boundary');
  return [...own.flatMap((frame, index) => chainRows(index === 0 ? parent : `${parent}/${index}`, frame)), ...boundaries.map((frame) => boundaryRow(parent, frame))];
}

/** A frame and what it awaits, innermost first; where the way parts, the branches stand in a group. */
function chainRows(parent: string, outermost: Frame): readonly Row[] {
  const rows: Row[] = [];
  const seen = new Map<string, number>();
  let frame: Frame | undefined = outermost;
  while (frame) {
    const occurrence = seen.get(frame.name) ?? 0;
    seen.set(frame.name, occurrence + 1);
    const key = `${parent}/${frame.name}~${occurrence}`;
    const [child, ...others]: readonly Frame[] = frame.children;
    if (frame.kind !== 'branch') {
      rows.push(frameRow(key, frame));
    }
    if (frame.kind === 'branch' || others.length > 0) {
      rows.push(branchesRow(`${key}/branches`, frame));
      break;
    }
    frame = child;
  }
  return folded(parent, rows.reverse());
}

function branchesRow(key: string, frame: Frame): GroupRow {
  const rows = frame.children.map((child, index): Row => {
    const chain = chainRows(`${key}/${index}`, child);
    const [only] = chain;
    return chain.length === 1 && only ? only : groupRow('branch', `${key}/${index}`, nameOf(child), '', ['A branch, innermost frame first.'], chain);
  });
  const label = frame.kind === 'branch' ? nameOf(frame) : `awaits ${rows.length} futures`;
  return groupRow('branch', key, label, frame.note ?? '', ['Awaits several futures at once.'], rows);
}

function boundaryRow(parent: string, frame: Frame): GroupRow {
  const label = frame.name === '' ? 'awaited by' : frame.name;
  const leads = frame.task === undefined ? [] : ['Click to see the stack of this task.'];
  const rows = levelRows(`${parent}/${frame.name}`, frame.children);
  return { ...groupRow('boundary', `${parent}/${frame.name}`, label, frame.note ?? '', leads, rows), task: frame.task };
}

function groupRow(kind: GroupRow['kind'], key: string, label: string, description: string, more: readonly string[], rows: readonly Row[]): GroupRow {
  return { kind, key, label, description, tooltip: [label, ...more], open: kind !== 'runtime', task: undefined, rows };
}

function frameRow(key: string, frame: Frame): FrameRow {
  const place = frame.source && frame.line !== undefined ? shortPlace({ source: frame.source, line: frame.line }) : undefined;
  const code = frame.kind === 'await' || frame.kind === 'physical';
  const where = place ?? (code ? 'no source' : '');
  const label = nameOf(frame);
  return {
    kind: 'frame',
    key,
    label,
    description: [where, frame.note ?? ''].filter((part) => part !== '').join(' · '),
    tooltip: [label, ...(frame.source?.path === undefined ? [] : [`${frame.source.path}:${frame.line ?? 0}`]), meaning(frame)],
    frame,
  };
}

function meaning(frame: Frame): string {
  switch (frame.kind) {
    case 'await':
      return 'Suspended here, awaiting the frame above.';
    case 'physical':
      return 'On a thread.';
    default:
      return frame.task === undefined ? 'What the task waits for.' : 'What the task waits for. Click to see the stack of this task.';
  }
}

function nameOf(frame: Frame): string {
  return frame.name === '' ? frame.kind : frame.name;
}

/** Neighbours that are not the user's code become one row. */
function folded(parent: string, rows: readonly Row[]): readonly Row[] {
  const result: Row[] = [];
  let fold: FrameRow[] = [];
  const close = (): void => {
    const [first] = fold;
    if (first) {
      const label = fold.length === 1 ? '1 runtime frame' : `${fold.length} runtime frames`;
      const key = `${parent}/runtime:${fold.at(-1)?.key ?? ''}`;
      result.push(groupRow('runtime', key, label, first.label, ['Functions of a runtime or a library.'], fold));
      fold = [];
    }
  };
  for (const row of rows) {
    if (row.kind === 'frame' && row.frame.subtle) {
      fold.push(row);
    } else {
      close();
      result.push(row);
    }
  }
  close();
  return result;
}

/** A row of `stackTrace`. */
export interface StandardFrame {
  readonly id: number;
  readonly name: string;
  readonly file: string | undefined;
  readonly line: number;
  readonly isLabel: boolean;
}

/**
 * Which row of a `stackTrace` is the same frame as one of the tree. `undefined` where there is none, and where
 * that cannot be told: two branches may stand in the same line, and a `stackTrace` has only one of them.
 */
export function standardFrame(tree: readonly Frame[], wanted: Frame, stack: readonly StandardFrame[]): StandardFrame | undefined {
  const alike = (name: string, file: string | undefined, line: number | undefined): boolean =>
    name === wanted.name && file === wanted.source?.name && line === wanted.line;
  const found: { readonly frame: Frame; readonly section: string }[] = [];
  const collect = (frames: readonly Frame[], section: string): void => {
    for (const frame of frames) {
      const boundary = frame.kind === 'boundary';
      if (!boundary && alike(frame.name, frame.source?.name, frame.line)) {
        found.push({ frame, section });
      }
      collect(frame.children, boundary ? frame.name : section);
    }
  };
  collect(tree, '');
  const section = found.find(({ frame }) => frame === wanted)?.section;
  const inTree = found.filter((other) => other.section === section).map(({ frame }) => frame);
  let label = '';
  const inStack: StandardFrame[] = [];
  for (const frame of stack) {
    if (frame.isLabel) {
      label = frame.name;
    } else if (label === section && alike(frame.name, frame.file, frame.line)) {
      inStack.push(frame);
    }
  }
  // The tree begins outside, a `stackTrace` inside.
  return inTree.length === inStack.length ? inStack.reverse()[inTree.indexOf(wanted)] : undefined;
}
