// The debugpy that the .vsix carries: Python programs are debugged with it where their environment has none.
import { execFileSync } from 'node:child_process';
import { copyFileSync, cpSync, mkdtempSync, readFileSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';

const pythons = ['3.10', '3.11', '3.12', '3.13', '3.14'];
const adapter = path.join(import.meta.dirname, '../../adapter/python/src/debugpy.rs');

/**
 * Puts debugpy and its licence where the adapter looks for them: beside itself. The wheels of one version differ only in the
 * compiled modules, whose names say which Python they are for: laid over each other they are good for all.
 */
export function carryDebugpy(beside) {
  const version = /const PINNED: &str = "(.*)";/.exec(readFileSync(adapter, 'utf8'))[1];
  for (const old of readdirSync(beside).filter((name) => name.startsWith('debugpy-'))) {
    rmSync(path.join(beside, old), { recursive: true });
  }
  const place = path.join(beside, `debugpy-${version}`);
  const wheels = mkdtempSync(path.join(tmpdir(), 'weft-debugpy-'));
  try {
    for (const python of pythons) {
      const target = path.join(wheels, python);
      const pip = ['-m', 'pip', 'install', '--quiet', '--disable-pip-version-check', '--no-deps', '--no-compile'];
      const platform = ['--platform', 'manylinux_2_34_x86_64', '--python-version', python, '--only-binary', ':all:'];
      execFileSync('python3', [...pip, ...platform, '--target', target, `debugpy==${version}`], { cwd: wheels, stdio: 'inherit' });
      cpSync(path.join(target, 'debugpy'), path.join(place, 'any/debugpy'), { recursive: true });
      copyFileSync(path.join(target, `debugpy-${version}.dist-info/licenses/LICENSE`), path.join(place, 'LICENSE'));
    }
  } finally {
    rmSync(wheels, { recursive: true });
  }
}
