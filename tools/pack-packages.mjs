// `node tools/pack-packages.mjs [--keep]`, after `npm run build`: what a user of the published packages gets. Packs every workspace,
// installs the tarballs into an empty folder (the other dependencies come from the registry), and runs the example of
// apps/standalone/README.md there. Needs a registry, so it is a tool and not a test; a test runs that example against the workspaces.
import { execFileSync } from 'node:child_process';
import { copyFileSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

const ROOT = path.join(path.dirname(fileURLToPath(import.meta.url)), '..');
const isKept = process.argv.includes('--keep');
const folder = mkdtempSync(path.join(tmpdir(), 'rivulet-pack-'));
const run = (command, args, cwd) => execFileSync(command, args, { cwd, encoding: 'utf8', stdio: ['ignore', 'pipe', 'inherit'] });
const seconds = (since) => `${((performance.now() - since) / 1000).toFixed(1)} s`;

try {
  const tarballs = path.join(folder, 'tarballs');
  const project = path.join(folder, 'project');
  mkdirSync(tarballs);
  mkdirSync(project);
  const packed = JSON.parse(run('npm', ['pack', '--workspaces', '--json', `--pack-destination=${tarballs}`], ROOT));
  for (const { name, version, size, files } of packed) {
    const names = files.map((file) => file.path);
    // A test or a source in a tarball is noise; a package without its code is worse.
    if (!names.some((one) => one.startsWith('dist/')) || names.some((one) => /\.test\.|^src\/|tsbuildinfo/.test(one))) {
      throw new Error(`${name} packs the wrong files: ${names.join(', ')}`);
    }
    console.log(`pack: ${name}@${version}, ${names.length} files, ${Math.ceil(size / 1024)} KiB`);
  }
  writeFileSync(path.join(project, 'package.json'), JSON.stringify({ name: 'empty', version: '1.0.0', private: true }));
  const installing = performance.now();
  run('npm', ['install', '--no-audit', '--no-fund', '--prefer-offline', ...readdirSync(tarballs).map((name) => path.join(tarballs, name))], project);
  console.log(`pack: installed into an empty folder in ${seconds(installing)}`);
  copyFileSync(path.join(ROOT, 'apps', 'standalone', 'examples', 'readme-node.test.mjs'), path.join(project, 'example.test.mjs'));
  const running = performance.now();
  console.log(run(process.execPath, ['--test', 'example.test.mjs'], project).trim());
  console.log(`pack: the example of the README ran in ${seconds(running)}`);
} finally {
  if (isKept) console.log(`pack: kept in ${folder}`);
  else rmSync(folder, { recursive: true, force: true });
}
