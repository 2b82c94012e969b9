// Installs and builds when needed. Plain Node: this runs before anything is installed.
import { spawn } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

export const ROOT = path.resolve(path.dirname(fileURLToPath(import.meta.url)), '..');
const NODE_MIN = [20, 15];
const PROGRESS_MS = 10_000;

export function checkNode() {
  const [major, minor] = process.versions.node.split('.').map(Number);
  if (major > NODE_MIN[0] || (major === NODE_MIN[0] && minor >= NODE_MIN[1])) return;
  console.error(`Rivulet needs Node ${NODE_MIN.join('.')} or newer; this is ${process.versions.node}.`);
  process.exit(1);
}

/** Says that a step goes on, so that nobody takes a long one for a hang. @returns what the work returns */
export async function step(title, work) {
  const start = performance.now();
  const seconds = () => `${((performance.now() - start) / 1000).toFixed(0)} s`;
  console.log(`${title} ...`);
  const timer = setInterval(() => console.log(`  ... ${seconds()}`), PROGRESS_MS);
  try {
    const result = await work();
    console.log(`  done in ${seconds()}`);
    return result;
  } finally {
    clearInterval(timer);
  }
}

/** Runs a program to its end. @returns {Promise<{ code: number, output: string }>} what it printed, both streams */
export function run(command, args, { env = process.env } = {}) {
  return new Promise((resolve) => {
    const child = spawn(command, args, { cwd: ROOT, env, stdio: ['ignore', 'pipe', 'pipe'] });
    const pieces = [];
    for (const stream of [child.stdout, child.stderr]) stream.on('data', (bytes) => pieces.push(bytes));
    child.on('error', (error) => resolve({ code: 127, output: error.message }));
    child.on('close', (code) => resolve({ code: code ?? 1, output: Buffer.concat(pieces).toString() }));
  });
}

const packagesOf = (file) => JSON.parse(fs.readFileSync(path.join(ROOT, file), 'utf8')).packages;

/** npm leaves a list of what it installed: all that our lock wants must be there in that version. File times say nothing after a clone. */
export function isInstalled() {
  if (!fs.existsSync(path.join(ROOT, 'node_modules/.package-lock.json'))) return false;
  const wanted = packagesOf('package-lock.json');
  const found = packagesOf('node_modules/.package-lock.json');
  return Object.entries(wanted).every(([name, { version, optional, link }]) =>
    !name.startsWith('node_modules/') || optional || (link ? found[name]?.link === true : found[name]?.version === version));
}

/** @returns {Promise<{ code: number, output: string }>} */
export const install = () => run('npm', ['ci', '--no-audit', '--no-fund']);

/** @returns {Promise<{ code: number, output: string }>} what has not changed since the last build is taken from Nx's cache */
export const build = () => run('npx', ['nx', 'run-many', '-t', 'build', '--output-style=static'],
  { env: { ...process.env, NX_DAEMON: 'false', NX_TUI: 'false', FORCE_COLOR: '0' } });

/** Installs and builds, or ends the process with what went wrong. */
export async function prepare() {
  checkNode();
  const steps = [['Building', build]];
  if (!isInstalled()) steps.unshift(['Installing dependencies (npm ci)', install]);
  for (const [title, work] of steps) {
    const { code, output } = await step(title, work);
    if (code === 0) continue;
    console.error(`${output}\n${title} failed (exit ${code}).`);
    process.exit(1);
  }
}
