/**
 * Thousands of seeds, as `npm run sim` runs them: in plain processes, several times as fast as in jest's sandbox, side by side. A seed that
 * fails says how to run it again.
 */
import { execFile } from 'node:child_process';
import path from 'node:path';
import { promisify } from 'node:util';

const ROOT = path.join(__dirname, '..', '..');
/** 90 s on two cores of their own. */
const SEEDS_MS_MAX = 900_000;

/** @returns what `npm run sim` counted, by name */
async function sim(...args: string[]): Promise<Map<string, number>> {
  const run = promisify(execFile)(process.execPath, [path.join(ROOT, 'tools', 'sim.mjs'), ...args], { cwd: ROOT, timeout: SEEDS_MS_MAX });
  const { stdout } = await run.catch((error: { stdout: string; stderr: string }) => { throw new Error(`${error.stdout}${error.stderr}`); });
  return new Map([...stdout.matchAll(/([A-Za-z][\w ]*?) (\d+)(?:,|$)/gm)].map(([, name, count]) => [name!, Number(count)]));
}

test.concurrent.each([1, 1_001])('[OWN-9] [WATCH-1] whatever happens, every session gets the content once, in order, to the same end (1,000 seeds from %i)', async (from) => {
  const counts = await sim('--from', String(from), '--seeds', '1000');
  expect(counts.get('takeovers')).toBeGreaterThan(1_000);
  expect(counts.get('delivered')).toBeGreaterThan(50_000);
}, SEEDS_MS_MAX);

test.concurrent('[WATCH-12] whatever happens to instances, owners and the log, readers of a channel get every stream once, in order, to its end', async () => {
  const counts = await sim('--channel', '--seeds', '200');
  expect(counts.get('channel connects')).toBeGreaterThan(10 * 200);
  expect(counts.get('channel fragments')).toBeGreaterThan(50 * 200);
}, SEEDS_MS_MAX);
