// Writes one .vsix into this folder, with the release build of the adapter inside it at bin/weft, and beside it the debugpy
// that Python programs are debugged with where their environment has none.
import { execFileSync } from 'node:child_process';
import { chmodSync, copyFileSync, mkdirSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { carryDebugpy } from './debugpy.mjs';

const root = path.dirname(import.meta.dirname);
const workspace = path.dirname(root);
const run = (program, args, cwd) => execFileSync(program, args, { cwd, stdio: 'inherit' });

run('cargo', ['build', '--release', '-p', 'weft-dap'], workspace);
const target = path.resolve(workspace, process.env.CARGO_TARGET_DIR ?? 'target');
mkdirSync(path.join(root, 'bin'), { recursive: true });
copyFileSync(path.join(target, 'release', 'weft'), path.join(root, 'bin', 'weft'));
chmodSync(path.join(root, 'bin', 'weft'), 0o755);
try {
  // The adapter's own debug information is four fifths of the file, and of no use here.
  run('strip', ['--strip-debug', 'bin/weft'], root);
} catch {
  console.warn('strip is not installed: the adapter is packaged with its debug information');
}

carryDebugpy(path.join(root, 'bin'));

run(process.execPath, ['scripts/build.mjs'], root);

const licences = ['LICENSE-MIT', 'LICENSE-APACHE'].map((name) => readFileSync(path.join(workspace, name), 'utf8').trim());
writeFileSync(
  path.join(root, 'LICENSE.txt'),
  `Licensed under either of the two licences below, at your option.\n\n${licences.join(`\n\n${'-'.repeat(78)}\n\n`)}\n`,
);

for (const old of readdirSync(root).filter((name) => name.endsWith('.vsix'))) {
  rmSync(path.join(root, old));
}
run(path.join(root, 'node_modules/.bin/vsce'), ['package', '--target', 'linux-x64', '--no-dependencies', '--allow-missing-repository'], root);
