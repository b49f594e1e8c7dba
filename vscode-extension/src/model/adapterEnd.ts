/** How an adapter's process ended, in a sentence for who was debugging with it. */

/** How far its session had come. */
export type Stage = 'starting' | 'running' | 'ending';

/** How many of the last lines that it wrote to its standard error are told. */
const maxLines = 5;
const maxLine = 300;

export interface End {
  readonly program: string;
  readonly stage: Stage;
  /** None where a signal ended it. */
  readonly code: number | undefined;
  /** What it wrote to its standard error. */
  readonly said: string;
}

/** What to say of an adapter that has ended; `undefined` if it was to end. */
export function adapterEnd({ program, stage, code, said }: End): string | undefined {
  if (stage === 'ending') {
    return undefined;
  }
  const how = code === undefined ? 'was killed by a signal' : `ended with exit code ${code}`;
  const when = stage === 'starting' ? 'before it could start the session' : 'in the middle of the session';
  const lines = lastLines(said);
  const last = lines.length > 0 ? ` The last that it said: ${lines.join(' / ')}` : ' It said nothing.';
  return `The weft debug adapter ${how} ${when}.${last}${advice(program, stage, said)}`;
}

/** What to do about the ends that have a known reason. */
function advice(program: string, stage: Stage, said: string): string {
  if (/GLIBC(?:XX)?_[\d.]+' not found/.test(said)) {
    return ' This machine\'s C library is older than the adapter\'s: build the adapter here (cargo install --path adapter), and set "weft.adapterPath" to it.';
  }
  if (/Exec format error|cannot execute binary file/i.test(said)) {
    return ` ${program} is not a program for this machine: weft is for Linux on x86-64.`;
  }
  if (said.includes('Permission denied') && stage === 'starting') {
    return ` Make it executable: chmod +x '${program}'; if it is, its file system may be mounted noexec.`;
  }
  return stage === 'starting' ? '' : ' Start the session again; a program that weft had launched has ended with it.';
}

function lastLines(said: string): readonly string[] {
  const lines = said.split('\n').map((line) => line.trim()).filter((line) => line !== '');
  return lines.slice(-maxLines).map((line) => (line.length > maxLine ? `${line.slice(0, maxLine)}…` : line));
}
