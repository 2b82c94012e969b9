/**
 * Time as a dependency: the simulation runs this code under a clock of its own, so nothing here reads one directly.
 * What a clock decides is never applied by it: it is written to the log as a record and judged there [JUDGE-3].
 */
export interface Timer {
  cancel(): void;
}

export interface Time {
  /** Monotonic, ms: leases, gaps, back-off. */
  now(): number;
  /** Wall clock, ms since the epoch: only to propose what judged time then decides (`expire`, `delete`). */
  wall(): number;
  after(ms: number, run: () => void): Timer;
  /** In the next turn of the event loop: what happens within this turn is coalesced. */
  soon(run: () => void): void;
}

export const systemTime: Time = {
  now: () => performance.now(),
  wall: () => Date.now(),
  after: (ms, run) => {
    const timer = setTimeout(run, ms);
    return { cancel: () => clearTimeout(timer) };
  },
  soon: (run) => void setImmediate(run),
};

export function sleep(time: Time, ms: number): Promise<void> {
  return new Promise((resolve) => void time.after(ms, resolve));
}
