// Bundles the extension into dist/extension.js and the page of the Task Graph into dist/taskGraph.js; with --tests, each unit test into dist/test/.
import { build } from 'esbuild';
import { readdirSync, rmSync } from 'node:fs';
import path from 'node:path';

const root = path.dirname(import.meta.dirname);
const tests = process.argv.includes('--tests');
const common = { absWorkingDir: root, bundle: true, platform: 'node', format: 'cjs', target: 'node20', logLevel: 'warning' };

if (tests) {
  rmSync(path.join(root, 'dist/test'), { recursive: true, force: true });
  const entryPoints = readdirSync(path.join(root, 'test'))
    .filter((name) => name.endsWith('.test.ts'))
    .map((name) => `test/${name}`);
  await build({ ...common, entryPoints, outdir: 'dist/test', sourcemap: 'inline' });
} else {
  await build({ ...common, entryPoints: ['src/extension.ts'], outfile: 'dist/extension.js', external: ['vscode'], minifySyntax: true });
  await build({ ...common, platform: 'browser', format: 'iife', target: 'es2022', entryPoints: ['src/webview/graph.ts'], outfile: 'dist/taskGraph.js', minifySyntax: true });
}
