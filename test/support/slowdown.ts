const WORK_MS = 50;

/**
 * How busy the machine is: a piece of work's time by the clock over its time on a core, 1 where nothing else runs. What a test claims about
 * times is multiplied by it, so that it holds strictly on a quiet machine and fairly on a loaded one.
 */
export function slowdown(): number {
  const startedAt = performance.now();
  const before = process.cpuUsage();
  for (;;) {
    const { user, system } = process.cpuUsage(before);
    const usedMs = (user + system) / 1000;
    if (usedMs >= WORK_MS) return Math.max(1, (performance.now() - startedAt) / usedMs);
  }
}
