/** Text for notifications. */

/**
 * The text without links. The editor makes `[label](command:…)` in a notification a link that runs the command, and names of
 * tasks, messages of panics and the words of other programs are anybody's.
 */
export function plainText(text: string): string {
  return text.replaceAll('](', '] (');
}
