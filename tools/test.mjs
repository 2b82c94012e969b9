// `npm test`: installs, builds, lints, type-checks, runs all tests, and ends with one line that counts.
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { parseArgs } from 'node:util';
import { runJest } from './jest-run.mjs';
import { build, checkNode, install, isInstalled, ROOT, run, step } from './prepare.mjs';

const PROJECTS = ['unit', 'conformance', 'integration'];
const STEPS = ['install', 'build', 'lint', 'typecheck', ...PROJECTS];
const USAGE = `npm test [-- --only STEP[,STEP]]   steps: ${STEPS.join(', ')}
Integration tests take the Kafka of KAFKA_BROKERS, else one in Docker (KAFKA_IMAGE chooses the image), else a local one (Java 17 and Maven).
Each of install, build, lint and typecheck counts as one test.`;

const { values: options } = parseArgs({ options: { only: { type: 'string' }, help: { type: 'boolean', default: false } } });
if (options.help) {
  console.log(USAGE);
  process.exit(0);
}
const chosen = options.only?.split(',') ?? STEPS;
const unknown = chosen.filter((name) => !STEPS.includes(name));
if (unknown.length > 0) {
  console.error(`unknown step ${unknown.join(', ')}\n${USAGE}`);
  process.exit(2);
}

/** @typedef {{ passed: number, failed: number, skipped: number }} Counts */
const total = { passed: 0, failed: 0, skipped: 0 };
const env = { ...process.env, NX_DAEMON: 'false', FORCE_COLOR: '0' };

/** A step that passes or fails as a whole; its output is shown when it fails. @returns {Promise<Counts>} */
async function whole(title, work) {
  const { code, output } = await step(title, work);
  if (code === 0) return { passed: 1, failed: 0, skipped: 0 };
  console.log(`${output.trimEnd()}\n${title} failed (exit ${code}).`);
  return { passed: 0, failed: 1, skipped: 0 };
}

/** @returns {Counts} what jest wrote down; a file that could not even be loaded is a failed test, and so is a jest that died */
function readResults(file, code) {
  if (!fs.existsSync(file)) return { passed: 0, failed: 1, skipped: 0 };
  const results = JSON.parse(fs.readFileSync(file, 'utf8'));
  const failed = results.numFailedTests + results.numRuntimeErrorTestSuites;
  return {
    passed: results.numPassedTests,
    // Something outside the tests can fail too: a global set-up, an open handle.
    failed: failed === 0 && code !== 0 ? 1 : failed,
    skipped: results.numPendingTests + results.numTodoTests,
  };
}

/** @returns {Promise<Counts>} */
async function jest(project) {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'rivulet-test-'));
  const file = path.join(folder, 'results.json');
  // Tests with real processes and a real broker share few cores: side by side they would only time each other out.
  const workers = project === 'unit' ? [] : ['--runInBand'];
  const args = ['--selectProjects', project, '--passWithNoTests', '--json', `--outputFile=${file}`, ...workers];
  console.log(`\n${project} tests`);
  const code = await runJest(args, { resultsFile: file, env });
  const counts = readResults(file, code);
  fs.rmSync(folder, { recursive: true });
  return counts;
}

async function runStep(name) {
  if (name === 'install') {
    return isInstalled() ? { passed: 1, failed: 0, skipped: 0 } : whole('Installing dependencies (npm ci)', install);
  }
  if (name === 'build') return whole('Building', build);
  if (name === 'lint') return whole('Linting', () => run('npm', ['run', '--silent', 'lint'], { env }));
  if (name === 'typecheck') return whole('Checking types', () => run('npm', ['run', '--silent', 'typecheck'], { env }));
  return jest(name);
}

checkNode();
fs.rmSync(path.join(ROOT, '.rivulet', 'test-logs'), { recursive: true, force: true });
const summary = [];
for (const name of STEPS.filter((step) => chosen.includes(step))) {
  const start = performance.now();
  const counts = await runStep(name);
  for (const kind of Object.keys(total)) total[kind] += counts[kind];
  summary.push(`${name.padEnd(12)} ${counts.passed} passed, ${counts.failed} failed, ${((performance.now() - start) / 1000).toFixed(0)} s`);
  // Nothing after these can work; what follows would only hide why.
  if (counts.failed > 0 && (name === 'install' || name === 'build')) break;
}
console.log(`\n${summary.join('\n')}`);
// A test that does not run proves nothing: it counts as failed.
if (total.skipped > 0) console.log(`${total.skipped} skipped, counted as failed`);
const failed = total.failed + total.skipped;
process.exitCode = failed === 0 && total.passed > 0 ? 0 : 1;
console.log(`${total.passed} passed, ${failed} failed`);
