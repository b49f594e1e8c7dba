/** What the Task Graph's page and the extension say to each other. */

import type { Drawing } from './drawing';

/** A conclusion that the picture marks, with its evidence, and the boxes of its circle. */
export interface LegendEntry {
  readonly name: string;
  readonly text: string;
  readonly boxes: readonly string[];
}

/** All that the page shows. */
export interface GraphView {
  readonly type: 'view';
  /** What is to be said of the picture as a whole: that there is none, or of when it is. */
  readonly status: string;
  /** The program has not moved on since; else the picture is greyed. */
  readonly current: boolean;
  /** Another number is another picture. 0: none. */
  readonly version: number;
  readonly drawing: Drawing | undefined;
  readonly legend: readonly LegendEntry[];
  readonly notes: readonly string[];
  readonly text: string;
  /** Whether boxes were opened that can be merged again. */
  readonly opened: boolean;
}

/** What is known of the box that was chosen. */
export interface BoxDetails {
  readonly type: 'details';
  readonly box: string;
  readonly title: string;
  readonly lines: readonly string[];
  /** Its tasks, or those that wait for it and hold it; a click shows their code. */
  readonly tasks: readonly { readonly id: number; readonly label: string }[];
  readonly more: number;
}

export type ToPage = GraphView | BoxDetails;

export type FromPage =
  /** The page is there, for the first time or again. */
  | { readonly type: 'ready' }
  /** The user chose a box: a merged one opens, else the editor shows its code. */
  | { readonly type: 'choose'; readonly box: string }
  | { readonly type: 'code' | 'stack'; readonly task: number }
  | { readonly type: 'mergeAgain' | 'saveSvg' | 'saveText' | 'copyText' };

/** Reads a message of the page; `undefined` when it is none. */
export function decodeFromPage(value: unknown): FromPage | undefined {
  if (typeof value !== 'object' || value === null) {
    return undefined;
  }
  const { type, box, task } = value as Readonly<Record<string, unknown>>;
  switch (type) {
    case 'choose':
      return typeof box === 'string' ? { type, box } : undefined;
    case 'code':
    case 'stack':
      return typeof task === 'number' ? { type, task } : undefined;
    case 'ready':
    case 'mergeAgain':
    case 'saveSvg':
    case 'saveText':
    case 'copyText':
      return { type };
    default:
      return undefined;
  }
}
