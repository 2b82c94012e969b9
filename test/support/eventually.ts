import { setTimeout as elapse } from 'node:timers/promises';

/** Ends a wait for what never comes: far longer than a loaded machine needs, shorter than jest's own limit, which says nothing. */
const EVENTUALLY_MS_MAX = 60_000;

/** Repeats an assertion until it holds. @param msMax after this long its last failure is thrown */
export async function eventually<T>(assertion: () => T | Promise<T>, msMax = EVENTUALLY_MS_MAX): Promise<T> {
  const deadline = performance.now() + msMax;
  for (;;) {
    try {
      return await assertion();
    } catch (error) {
      if (performance.now() > deadline) throw error;
      await elapse(25);
    }
  }
}
