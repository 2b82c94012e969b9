import { simulate } from './simulate';

/** Seeds of one test file: several files, so that jest's workers share them. */
export async function runSeeds(from: number, count: number): Promise<number> {
  let events = 0;
  // One after the other: each has the clocks and timers of the process to itself. The first that fails says how to run it again.
  for (let seed = from; seed < from + count; seed += 1) events += (await simulate(seed)).events;
  return events;
}

export const SEEDS_PER_FILE = 500;
export const SEEDS_MS_MAX = 300_000;
