/** Times that run on while the program stands: timers are clocks of the machine, not of the program. */

import type { Wait } from './protocol';

/** The wait's text, `elapsed` milliseconds after the adapter looked at it. */
export function waitText(wait: Wait, elapsed: number): string {
  const { text, remainingMs } = wait;
  if (remainingMs === undefined) {
    return text;
  }
  const said = exact(remainingMs);
  const left = remainingMs - Math.max(elapsed, 0);
  if (left <= 0) {
    return text.replace(`${said} left`, 'due now').replace(`timeout in ${said}`, 'timeout due now');
  }
  return elapsed < 1000 && left < 60_000 ? text : text.replace(said, rounded(left));
}

/** Whole seconds below a minute and whole minutes above it, so that a long wait does not change with every second. */
function rounded(left: number): string {
  const minutes = Math.floor(left / 60_000);
  if (minutes < 1) {
    return left < 1000 ? 'less than 1 s' : `${Math.floor(left / 1000)} s`;
  }
  return minutes < 60 ? `${minutes} min` : `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
}

/** A duration in the words in which the adapter put it into the text. */
function exact(milliseconds: number): string {
  if (milliseconds < 1000) {
    return `${milliseconds} ms`;
  }
  const seconds = Math.floor(milliseconds / 1000);
  return seconds < 60 ? `${seconds}.${Math.floor(milliseconds / 100) % 10} s` : `${Math.floor(seconds / 60)} min ${seconds % 60} s`;
}
