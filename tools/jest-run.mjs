// One run of jest that always ends: what a test left open would keep it alive for ever, without a word about why.
import { spawn } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { setTimeout as elapse } from 'node:timers/promises';
import { ROOT } from './prepare.mjs';

const BIN = path.join(ROOT, 'node_modules', 'jest', 'bin', 'jest.js');
const EXIT_WHEN_IDLE = path.join(ROOT, 'tools', 'exit-when-idle.cjs');
/** How long jest may take to end once its results are written, ms. All tear-downs are before that. */
const EXIT_MS_MAX = 30_000;
/** How long a process that is not busy takes to describe itself, ms. */
const REPORT_MS_MAX = 10_000;
const POLL_MS = 500;
/** Share of a core: less is a process that waits. */
const BUSY_MIN = 0.1;

const isWithin = (promise, ms) => Promise.race([promise.then(() => true), elapse(ms, false, { ref: false })]);

/** @returns {number} of a process, ms so far; NaN where there is no /proc */
function cpuMs(pid) {
  try {
    const [user, kernel] = fs.readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1].split(' ').slice(11, 13);
    return (Number(user) + Number(kernel)) * 10;
  } catch {
    return NaN;
  }
}

/**
 * @returns {Promise<string | null>} what a test left behind: what Node's report shows as open, or where a loop is that never waits.
 * null: no JavaScript runs; Node itself does not come to its end (https://github.com/nodejs/node/issues/54918 is one way, exit-when-idle.cjs tells another)
 */
async function whatIsLeft(child, reportFile) {
  const before = cpuMs(child.pid);
  child.kill('SIGUSR2');
  for (let waitedMs = 0; waitedMs < REPORT_MS_MAX; waitedMs += POLL_MS) {
    await elapse(POLL_MS);
    try {
      const { libuv } = JSON.parse(fs.readFileSync(reportFile, 'utf8'));
      const open = libuv.filter(({ type, is_active: isActive, is_referenced: isReferenced }) => isActive && isReferenced && type !== 'loop');
      return open.map((handle) => JSON.stringify(handle)).join('\n');
    } catch { /* not written yet, or not whole */ }
  }
  if ((cpuMs(child.pid) - before) / REPORT_MS_MAX < BUSY_MIN) return null;
  // Loaded late: it needs what `npm test` installs first.
  const { pausedStacks } = await import('./paused-stacks.mjs');
  return (await pausedStacks(child.pid)) || null;
}

/** @returns {string[]} what the open files of a process are; none where there is no /proc */
function pipesOf(pid, fds) {
  try {
    return (fds ?? fs.readdirSync(`/proc/${pid}/fd`)).map((fd) => fs.readlinkSync(`/proc/${pid}/fd/${fd}`));
  } catch {
    return [];
  }
}

/** @returns {string[]} processes that still have one of these pipes open (Linux only) */
function holdersOf(outputs) {
  const pids = fs.existsSync('/proc/self/fd') ? fs.readdirSync('/proc').filter((name) => /^\d+$/.test(name) && Number(name) !== process.pid) : [];
  return pids.filter((pid) => pipesOf(pid).some((link) => outputs.has(link)))
    .map((pid) => `${pid} ${fs.readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ')}`);
}

/**
 * @param {string[]} args for jest; must write its results to `resultsFile`
 * @returns {Promise<number>} its exit code; 1 when a test left something open; whether tests failed is in the results
 */
export async function runJest(args, { resultsFile, env }) {
  const folder = path.dirname(resultsFile);
  const report = ['--report-on-signal', `--report-directory=${folder}`, '--report-filename=report.json'];
  const node = ['--require', EXIT_WHEN_IDLE, ...report];
  const child = spawn(process.execPath, [...node, BIN, ...args], { cwd: ROOT, env, stdio: ['ignore', 'pipe', 'pipe'] });
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (bytes) => process.stdout.write(bytes));
  const outputs = new Set(pipesOf(child.pid, ['1', '2']));
  const exited = new Promise((resolve) => child.once('exit', resolve));
  // Not the same: what it started may hold its output open when it has gone.
  const closed = new Promise((resolve) => child.once('close', resolve));
  while (child.exitCode === null && child.signalCode === null && !fs.existsSync(resultsFile)) await elapse(POLL_MS);
  if (!(await isWithin(exited, EXIT_MS_MAX))) {
    const left = await whatIsLeft(child, path.join(folder, 'report.json'));
    child.kill('SIGKILL');
    console.log(left === null
      ? 'jest is through, but its process does not end, though no JavaScript runs and it waits for nothing: Node hangs in its own exit. It was killed.'
      : `jest does not end:\n${left}`);
    return left === null ? 0 : 1;
  }
  if (!(await isWithin(closed, EXIT_MS_MAX))) {
    console.log(`jest has ended, but something it started has not:\n${holdersOf(outputs).join('\n')}`);
    child.stdout.destroy();
    child.stderr.destroy();
    return 1;
  }
  return child.exitCode ?? 1;
}
