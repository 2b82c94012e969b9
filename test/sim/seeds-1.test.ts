import { runSeeds, SEEDS_MS_MAX, SEEDS_PER_FILE } from './run-seeds';

const FROM = 1 + 0 * SEEDS_PER_FILE;

test(`[OWN-9] [WATCH-1] whatever happens, every session gets the content once, in order, to the same end (from seed ${FROM} on)`, async () => {
  expect(await runSeeds(FROM, SEEDS_PER_FILE)).toBeGreaterThan(500 * SEEDS_PER_FILE);
}, SEEDS_MS_MAX);
