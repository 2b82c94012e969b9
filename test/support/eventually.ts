import { setTimeout as elapse } from 'node:timers/promises';

/** Repeats an assertion until it holds. @param msMax after this long its last failure is thrown */
export async function eventually<T>(assertion: () => T | Promise<T>, msMax = 10_000): Promise<T> {
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
